"""StyleGAN (Karras et al. 2019): mapping network, AdaIN synthesis with noise, style mixing, progressive growing."""
