"""Uses of a trained generator: images, figures, interpolation videos, projection, export."""
