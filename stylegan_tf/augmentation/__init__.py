"""Differentiable augmentation of the discriminator's input, for training on few images."""
