"""Differentiable augmentation of what the discriminator sees, for training on few images."""
