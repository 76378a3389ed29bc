"""Images to features: the metric networks in TensorFlow, and the statistics, distances and files of features."""
