"""Conditional GAN (Mirza and Osindero 2014) of dense layers, for digits."""
