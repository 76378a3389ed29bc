"""Networks that turn images into features and distances, with weights that never change."""
