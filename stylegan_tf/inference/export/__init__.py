"""A generator in the formats of other programs: SavedModel, Keras, ONNX, TensorFlow Lite, a page for browsers."""
