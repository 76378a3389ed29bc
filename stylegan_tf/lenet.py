"""LeNet: the classifier of digits whose scores, activations and loss the study of digits uses."""

import os
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from stylegan_tf import lenet_file


@dataclass(frozen=True)
class LeNet:
    """A classifier of grey 32x32 images into ten classes, as a function of its weights.

    5x5 convolutions to 6 and 16 feature maps, each with ReLU and 2x2 maximum pooling, then dense layers of 120, 84 and 10 numbers:
    61,706 weights. The study names the layers alone; activation, pooling and optimizer are choices of this project.

    Source: LeCun et al. 1998, figure 2.
    """

    # Tensors or variables by the names of `lenet_file.SHAPES`. With more image channels, conv1/kernel is [5, 5, channels, 6].
    weights: dict[str, "tf.Tensor | tf.Variable"]

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """float32 images [N, 32, 32, channels] in [-1, 1] to logits [N, 10]."""
        return self._dense("dense3", self.activations(images))

    def activations(self, images: tf.Tensor) -> tf.Tensor:
        """Images to the activations before the logits, float32 [N, 84]."""
        x = images
        for name in ("conv1", "conv2"):
            x = tf.nn.conv2d(x, self.weights[f"{name}/kernel"], 1, "VALID") + self.weights[f"{name}/bias"]
            x = tf.nn.max_pool2d(tf.nn.relu(x), 2, 2, "VALID")
        x = tf.reshape(x, [-1, 400])  # order [H, W, C]
        return tf.nn.relu(self._dense("dense2", tf.nn.relu(self._dense("dense1", x))))

    def _dense(self, name, x):
        return tf.matmul(x, self.weights[f"{name}/kernel"]) + self.weights[f"{name}/bias"]


def fresh(*, channels: int = 1, seed: int = 0) -> LeNet:
    """A LeNet with fresh variables: Glorot's uniform kernels, biases of 0."""
    shapes = {**lenet_file.SHAPES, "conv1/kernel": (5, 5, channels, 6)}
    weights = {}
    for index, (name, shape) in enumerate(shapes.items()):
        is_kernel = name.endswith("kernel")
        values = keras.initializers.GlorotUniform(seed=seed * len(shapes) + index)(shape) if is_kernel else np.zeros(shape)
        weights[name] = tf.Variable(np.asarray(values, np.float32), name=name.replace("/", "_"))
    return LeNet(weights)


def load(path: str | os.PathLike) -> LeNet:
    """The LeNet of a file, with constants as weights: nothing can train it. Raises as `lenet_file.read`."""
    return LeNet({name: tf.constant(array) for name, array in lenet_file.read(path).weights.items()})
