"""Operations on GPUs with fewer kernels than TensorFlow's own derivatives: outside of matrix products, the number of passes is the time.

Each kernel reads and writes whole feature maps and does little with them. XLA fuses them; these forms are for steps without XLA, and
XLA compiles them as well. docs/experiments.md has the counts.
"""

import tensorflow as tf

from stylegan_tf.cpu import paths
from stylegan_tf.cpu.derivatives import with_derivatives
from stylegan_tf.cpu.order import not_before

# Pixels of a map from which means in bfloat16 are products. Below, the rounding of the few rows would show, and a pass takes no time.
_PRODUCTS_FROM_PIXELS = 64**2


def biased_leaky_relu(x: tf.Tensor, bias: tf.Tensor, slope: float = 0.2) -> tf.Tensor:
    """Fast form of `layers.activations.biased_leaky_relu`: one kernel for each derivative of the nonlinearity, of any order."""

    # TensorFlow's derivative at exactly 0 is `slope`, ours is 1. With this in place of a bias of 0, a sum is not 0 (cut out pixels are).
    least = tf.constant(2.0**-24 if bias.dtype == tf.float16 else 1e-30, bias.dtype)
    values, derivatives = lambda inputs: tf.nn.leaky_relu(inputs, slope), lambda upstream, output: [_by_sign(upstream, output, slope)]
    return with_derivatives(values, derivatives, _bias_add(x, bias + least))


def _by_sign(upstream, output, slope):
    """upstream, times slope where output is negative. TensorFlow's derivative by `output` is an image of zeros, ours is None."""

    def values(factors, features):
        return tf.raw_ops.LeakyReluGrad(gradients=factors, features=not_before(factors, features), alpha=slope)

    return with_derivatives(values, lambda changed, _: [_by_sign(changed, output, slope), None], upstream, output)


def _bias_add(x, bias):
    """`tf.nn.bias_add`, whose derivative is a slow kernel."""
    if not _has_products(x):
        return tf.nn.bias_add(x, bias)
    return with_derivatives(tf.nn.bias_add, lambda upstream, _: [upstream, _sum(upstream, bias.dtype)], x, bias)


def add_noise(x: tf.Tensor, noise: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """Fast form of `layers.noise.add_noise`: each derivative is a product that reads the feature maps once and writes none."""

    def values(inputs, pixels, factors):
        return inputs + tf.cast(pixels, x.dtype) * tf.cast(factors, x.dtype)

    def derivatives(upstream, _):
        by_noise = tf.matmul(upstream, tf.cast(strength, x.dtype)[:, None])  # [N, H, W, 1]
        by_noise = tf.reduce_sum(by_noise, axis=0, keepdims=True) if noise.shape[0] == 1 else by_noise
        return [upstream, tf.cast(by_noise, noise.dtype), _sum(upstream, strength.dtype, tf.cast(noise, x.dtype))]

    if not _has_products(x):
        return values(x, noise, strength)
    return with_derivatives(values, derivatives, x, noise, strength)


def adain(x: tf.Tensor, styles: tf.Tensor, *, epsilon: float) -> tf.Tensor:
    """Fast form of `layers.modulation.adain`; means and variances are float32 whatever the dtype of `x`.

    Nothing but the arguments and the statistics is kept for the derivatives.
    """
    channels = x.shape[-1]
    # Inputs of the operation below, for its second derivatives. Its first derivative by `x` already contains the one through them.
    centred, *statistics = _statistics(x, epsilon)

    def values(_, style, deviations, __, rest, inverse):
        scale, shift = _scale_and_shift(style)
        factor = inverse * scale
        return deviations * tf.cast(factor, x.dtype) + tf.cast(shift - rest * factor, x.dtype)

    def derivatives(upstream, _):
        inputs, style, mean, rest, inverse = not_before(upstream, [x, styles, *statistics])
        scale, _ = _scale_and_shift(style)
        deviations = inputs - mean
        by_shift = _mean(upstream)
        # The mean of upstream * normalised; the part of `rest` is the mean of upstream times it.
        with_normalised = (_mean_of_product(upstream, deviations) - by_shift * rest) * inverse
        # The mean is subtracted first: where a map is a constant, or nearly, what is left of the gradient is small.
        share = with_normalised * inverse
        by_input = upstream - tf.cast(by_shift - share * rest, x.dtype) - deviations * tf.cast(share, x.dtype)
        by_input *= tf.cast(inverse * scale, x.dtype)
        by_style = tf.concat([with_normalised, by_shift], axis=-1) * (x.shape[1] * x.shape[2])
        return [by_input, tf.cast(tf.reshape(by_style, [-1, 2 * channels]), styles.dtype), None, None, None, None]

    return with_derivatives(values, derivatives, x, styles, centred, *statistics)


def _scale_and_shift(styles):
    """[N, 2C] to float32 [N, 1, 1, C] twice."""
    scale, shift = tf.split(tf.cast(styles, tf.float32)[:, None, None, :], 2, axis=-1)
    return scale + 1.0, shift


def _statistics(x, epsilon):
    """`centred` and `mean` of the dtype of x, float32 `rest` and `inverse`: (centred - rest) * inverse has mean 0 and variance 1.

    All but `centred`, which is x - mean, are [N, 1, 1, C]. The mean is subtracted in the dtype of x as far as it can be represented
    there, so that the error of each value is relative to its deviation; `rest` is the remainder, 0 in float32.
    """
    precise_mean = _mean(x)
    mean = tf.cast(precise_mean, x.dtype)
    centred = x - mean
    # The mean from products is rounded; what is left of it is not, relative to the deviation.
    rest = _mean(centred) if _has_products(x) else precise_mean - tf.cast(mean, tf.float32)
    variance = _mean_square(centred) - tf.square(rest)
    return centred, mean, rest, tf.math.rsqrt(tf.maximum(variance, 0.0) + epsilon)


def _has_products(x) -> bool:
    """Whether sums over the pixels of x are products with ones. In float32 products are rounded on GPUs, and XLA fuses sums."""
    if x.dtype != tf.bfloat16 or x.shape.rank != 4 or paths.is_traced_for_xla():
        return False
    return x.shape[1] * x.shape[2] >= _PRODUCTS_FROM_PIXELS


def _mean(x, weights=None):
    """float32 means over the pixels of x [N, H, W, C], [N, 1, 1, C]; of x times weights [N or 1, H, W, 1] where they are given.

    A sum of TensorFlow in float32 would first write a copy of x, twice as large. A product with ones for each row of pixels reads x
    once and sums in float32 inside; the sum of a row is rounded to bfloat16, exact for a map that is constant.
    """
    if not _has_products(x):
        return tf.reduce_mean(tf.cast(x, tf.float32), axis=[1, 2], keepdims=True)
    height, width, channels = x.shape[1:]
    rows = tf.reshape(x, [-1, width, channels])
    if weights is None:
        weights = tf.ones([1, 1, width], x.dtype)
    else:
        weights = tf.reshape(tf.broadcast_to(weights, [tf.shape(x)[0], height, width, 1]), [-1, 1, width])
    sums = tf.cast(tf.reshape(tf.matmul(weights, rows), [-1, height, 1, channels]), tf.float32)
    return tf.reduce_mean(sums, axis=1, keepdims=True) / width


def _mean_of_product(x, y):
    """float32 means over the pixels of x * y, [N, 1, 1, C]."""
    return _mean(x * y) if _has_products(x) else _mean(tf.cast(x, tf.float32) * tf.cast(y, tf.float32))


def _sum(x, dtype, weights=None):
    """Sum of x over samples and pixels, [C] of a dtype, where `_has_products`; of x times weights where they are given."""
    return tf.cast(tf.reduce_sum(_mean(x, weights), axis=[0, 1, 2]) * (x.shape[1] * x.shape[2]), dtype)


def _mean_square(x):
    """float32 means of the squares of x over the pixels, [N, 1, 1, C], in one reduction."""
    pixels = x.shape[1] * x.shape[2]
    if paths.is_traced_for_xla() or _has_products(x):  # XLA fuses the two, and has no such norm
        return _mean(tf.square(x if _has_products(x) else tf.cast(x, tf.float32)))

    def values(inputs):
        return tf.square(tf.raw_ops.EuclideanNorm(input=inputs, axis=[1, 2], keep_dims=True)) / pixels

    return with_derivatives(values, lambda upstream, _: [x * (upstream * (2.0 / pixels))], tf.cast(x, tf.float32))
