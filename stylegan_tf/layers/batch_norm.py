"""Batch normalisation with the statistics of the whole batch, on any number of devices."""

import contextlib
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("stylegan_tf")
class BatchNorm(keras.layers.Layer):
    """Gives every feature map mean 0 and variance 1 over the batch, then a learned gain and offset: [N, ..., C] to [N, ..., C].

    In training, mean and (biased) variance are those of all samples and pixels on all replicas of the tf.distribute strategy, in
    float32 whatever the compute dtype. Moving averages of both are updated by each call, the variance as an unbiased estimate
    (n / (n - 1) times the biased one), and used in inference. Every replica must call the layer equally often.

    Args:
        momentum: share of the moving averages that a call keeps. PyTorch's default is 0.9 (its own "momentum" is 1 minus this),
            TensorFlow's is 0.99.
        epsilon: added to the variance. PyTorch's default is 1e-5, TensorFlow's is 1e-3.
        gain_stddev: the gain starts at N(1, gain_stddev); None: at 1. DCGAN has 0.02. The offset starts at 0.

    Source: Ioffe and Szegedy 2015, algorithms 1 and 2.
    """

    def __init__(self, momentum=0.9, epsilon=1e-5, gain_stddev=None, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.gain_stddev = gain_stddev

    def build(self, input_shape):
        channels = input_shape[-1]
        gains = keras.initializers.RandomNormal(1.0, self.gain_stddev) if self.gain_stddev else "ones"
        # No autocast: a bfloat16 copy of a moving average has 8 bits.
        self.gain = self.add_weight(name="gain", shape=(channels,), initializer=gains, autocast=False)
        self.offset = self.add_weight(name="offset", shape=(channels,), initializer="zeros", autocast=False)
        moving = {"shape": (channels,), "dtype": "float32", "trainable": False, "autocast": False}
        self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", **moving)
        self.moving_variance = self.add_weight(name="moving_variance", initializer="ones", **moving)

    def call(self, x, training=False):
        """Normalises x.

        Args:
            x: [N, ..., C] such as [N, H, W, C] or [N, C], any float dtype.
            training: use the statistics of the batch and update the moving averages. Call in replica context.

        Returns:
            The shape and dtype of `x`.
        """
        precise = tf.cast(x, tf.float32)
        if training:
            mean, variance, count = _batch_statistics(precise)
            if not _moving_statistics_are_kept():
                self._update(self.moving_mean, mean)
                self._update(self.moving_variance, variance * (count / tf.maximum(count - 1.0, 1.0)))
        else:
            mean, variance = tf.convert_to_tensor(self.moving_mean), tf.convert_to_tensor(self.moving_variance)
        scale = tf.cast(self.gain, tf.float32) * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast((precise - mean) * scale + tf.cast(self.offset, tf.float32), x.dtype)

    def _update(self, average, value):
        """average <- momentum * average + (1 - momentum) * value, on every replica alike."""
        average = average.value  # the tf.Variable
        value = value + (tf.convert_to_tensor(average) - value) * self.momentum
        # Variable.assign would combine the values of the replicas, which are equal.
        tf.raw_ops.AssignVariableOp(resource=average.handle, value=value)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon, "gain_stddev": self.gain_stddev}


def _batch_statistics(x):
    """Mean [C] and biased variance [C] of x [N, ..., C] over all replicas, and the number of values they are of."""
    axes = list(range(len(x.shape) - 1))
    num_here = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32)
    total, count = _sum_over_replicas([tf.reduce_sum(x, axes), num_here])
    mean = total / count
    # A second pass: the difference of the mean square and the squared mean would lose the digits that both share.
    (squares,) = _sum_over_replicas([tf.reduce_sum(tf.square(x - mean), axes)])
    return mean, squares / count, count


def _sum_over_replicas(values):
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)


# How many `moving_statistics_kept` are open: in this process, and in each of the threads that strategies run replicas in.
_process = SimpleNamespace(num_open=0)
_replica_thread = threading.local()


@contextlib.contextmanager
def moving_statistics_kept() -> Iterator[None]:
    """Calls in this context with training=True use the statistics of the batch and leave the moving averages unchanged.

    Inside a function that several replicas run, it applies to the replica; elsewhere to the whole process, all replicas included.
    In a `tf.function` it takes effect when the function is traced.
    """
    holder = _replica_thread if _is_one_of_several_replicas() else _process
    holder.num_open = getattr(holder, "num_open", 0) + 1
    try:
        yield
    finally:
        holder.num_open -= 1


def _is_one_of_several_replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync > 1 and not tf.distribute.in_cross_replica_context()


def _moving_statistics_are_kept():
    return _process.num_open > 0 or getattr(_replica_thread, "num_open", 0) > 0
