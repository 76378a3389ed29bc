"""What a trained generator is used for: images, figures, interpolation videos, projection, export."""
