"""Residual GAN: the networks of residual blocks with which WGAN-GP (Gulrajani et al. 2017) was introduced at 64x64."""
