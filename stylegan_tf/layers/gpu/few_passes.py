"""Operations on GPUs with fewer kernels than TensorFlow's own derivatives: outside of matrix products, the number of passes is the time.

Each kernel reads and writes whole feature maps and does little with them. XLA fuses them; these forms are for steps without XLA, and
XLA compiles them as well. docs/experiments.md has the counts.
"""

import tensorflow as tf

from stylegan_tf.cpu import paths
from stylegan_tf.cpu.derivatives import with_derivatives
from stylegan_tf.cpu.order import not_before


def biased_leaky_relu(x: tf.Tensor, bias: tf.Tensor, slope: float = 0.2) -> tf.Tensor:
    """Fast form of `layers.activations.biased_leaky_relu`: one kernel for each derivative of the nonlinearity, of any order."""

    def derivatives(upstream, output):
        return [tf.raw_ops.LeakyReluGrad(gradients=upstream, features=not_before(upstream, output), alpha=slope)]

    # TensorFlow's derivative at exactly 0 is `slope`, ours is 1. With this in place of a bias of 0, a sum is not 0 (cut out pixels are).
    least = tf.constant(2.0**-24 if bias.dtype == tf.float16 else 1e-30, bias.dtype)
    return with_derivatives(lambda inputs: tf.nn.leaky_relu(inputs, slope), derivatives, tf.nn.bias_add(x, bias + least))


def adain(x: tf.Tensor, styles: tf.Tensor, *, epsilon: float) -> tf.Tensor:
    """Fast form of `layers.modulation.adain`; means and variances are float32 whatever the dtype of `x`.

    Nothing but the arguments is kept for the derivatives.
    """
    channels = x.shape[-1]

    def values(inputs, style):
        scale, shift = _scale_and_shift(style)
        centred, rest, inverse = _normalise(inputs, epsilon)
        factor = inverse * scale
        return centred * tf.cast(factor, x.dtype) + tf.cast(shift - rest * factor, x.dtype)

    def derivatives(upstream, _):
        inputs, style = not_before(upstream, [x, styles])
        scale, _ = _scale_and_shift(style)
        centred, rest, inverse = _normalise(inputs, epsilon)
        precise = tf.cast(upstream, tf.float32)
        mean = tf.reduce_mean(precise, axis=[1, 2], keepdims=True)
        # The mean of upstream * normalised; the part of `rest` is the mean of upstream times it.
        with_centred = tf.reduce_mean(precise * tf.cast(centred, tf.float32), axis=[1, 2], keepdims=True)
        with_normalised = (with_centred - mean * rest) * inverse
        # The mean is subtracted first: where a map is a constant, or nearly, what is left of the gradient is small.
        share = with_normalised * inverse
        by_input = upstream - tf.cast(mean - share * rest, x.dtype) - centred * tf.cast(share, x.dtype)
        by_input *= tf.cast(inverse * scale, x.dtype)
        by_style = tf.concat([with_normalised, mean], axis=-1) * (x.shape[1] * x.shape[2])
        return [by_input, tf.cast(tf.reshape(by_style, [-1, 2 * channels]), styles.dtype)]

    return with_derivatives(values, derivatives, x, styles)


def _scale_and_shift(styles):
    """[N, 2C] to float32 [N, 1, 1, C] twice."""
    scale, shift = tf.split(tf.cast(styles, tf.float32)[:, None, None, :], 2, axis=-1)
    return scale + 1.0, shift


def _normalise(x, epsilon):
    """`centred` of the dtype of x, and float32 `rest` and `inverse` [N, 1, 1, C]: (centred - rest) * inverse has mean 0 and variance 1.

    The mean is subtracted in the dtype of x as far as it can be represented there, so that the error of each value is relative to
    its deviation; `rest` is the remainder, 0 in float32.
    """
    precise_mean = tf.reduce_mean(tf.cast(x, tf.float32), axis=[1, 2], keepdims=True)
    mean = tf.cast(precise_mean, x.dtype)
    rest = precise_mean - tf.cast(mean, tf.float32)
    centred = x - mean
    variance = _mean_square(tf.cast(centred, tf.float32)) - tf.square(rest)
    return centred, rest, tf.math.rsqrt(tf.maximum(variance, 0.0) + epsilon)


def _mean_square(x):
    """Mean of the squares of x [N, H, W, C], [N, 1, 1, C], in one reduction."""
    pixels = x.shape[1] * x.shape[2]
    if paths.is_traced_for_xla():  # which fuses the two, and has no such norm
        return tf.reduce_mean(tf.square(x), axis=[1, 2], keepdims=True)

    def values(inputs):
        return tf.square(tf.raw_ops.EuclideanNorm(input=inputs, axis=[1, 2], keep_dims=True)) / pixels

    return with_derivatives(values, lambda upstream, _: [x * (upstream * (2.0 / pixels))], x)
