"""StyleGAN2 (Karras et al. 2020): modulated convolutions, skip generator, residual discriminator, lazy regularisers; no growing."""
