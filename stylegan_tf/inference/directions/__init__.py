"""Directions in latent space: how they are found, scored, kept in a file and applied to w."""
