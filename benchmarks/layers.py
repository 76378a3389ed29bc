"""Milliseconds of what lies between the convolutions and of modulated convolutions, in several forms: the candidates for faster forms.

    python -m benchmarks.layers --side 256 --maps 64 --batch 32 --precision mixed_bfloat16
    python -m benchmarks.layers --side 128 --maps 128 --batch 32 --precision mixed_bfloat16 --xla

Each function alone, forwards ("f") and with its derivatives ("d"). Prints one JSON line; asserts nothing.
"""

import argparse
import os
import statistics
import sys
import time

from benchmarks.options import PRECISIONS
from stylegan_tf import command_line

IN_FLIGHT = 10  # runs before the host waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--maps", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--xla", action="store_true", help="compile with XLA")
    options = parser.parse_args()
    command_line.import_tensorflow()
    import tensorflow as tf

    from benchmarks import measure

    dtype = tf.as_dtype(options.precision.removeprefix("mixed_"))
    x = tf.cast(tf.random.normal([options.batch, options.side, options.side, options.maps]), dtype)
    found = {}
    for name, (function, arguments, forms) in candidates(options, dtype).items():
        for form in forms:
            for kind, timed in {"f": function, "d": with_derivatives(function)}.items():
                found[f"{name}, {form}, {kind}" if form else f"{name}, {kind}"] = milliseconds(timed, (x, *arguments), form, options)
    measure.print_result({**vars(options), **{name: value for name, value in found.items() if value is not None}})


def candidates(options, dtype) -> dict:
    """Functions of an image and other arguments by name, with the forms ("off": plain, "gpu") that they are timed in."""
    import tensorflow as tf

    from stylegan_tf.layers import activations, convolution, modulated, modulation, noise, resample

    maps = options.maps
    styles, bias = (tf.cast(tf.random.normal(shape), dtype) for shape in ([options.batch, 2 * maps], [maps]))
    kernel = tf.cast(tf.random.normal([3, 3, maps, maps]), dtype)
    pixels = tf.random.normal([options.batch, options.side, options.side, 1])

    def by_batch_norm(x, style):
        """Images go into the channel axis: batch normalisation of one image with many channels is AdaIN."""
        count, height, width, channels = x.shape
        scale, shift = tf.split(tf.cast(style, tf.float32), 2, axis=1)
        planes = tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [1, count * channels, height, width])  # cuDNN's own order
        flat = [tf.reshape(part, [-1]) for part in (scale + 1.0, shift)]
        options = {"mean": tf.zeros([0]), "variance": tf.zeros([0]), "epsilon": 1e-8, "data_format": "NCHW"}
        y = tf.raw_ops.FusedBatchNormV3(x=planes, scale=flat[0], offset=flat[1], **options).y
        return tf.transpose(tf.reshape(y, [count, channels, height, width]), [0, 2, 3, 1])

    def sums_by_product(x):
        """Sums over the pixels as a product with ones, in two steps: a bias gradient."""
        rows = tf.reshape(x, [-1, x.shape[2], maps])
        parts = tf.matmul(tf.ones([rows.shape[0], 1, rows.shape[1]], x.dtype), rows)
        return tf.reduce_sum(tf.cast(parts, tf.float32), axis=[0, 1])

    def noise_and_bias_by_product(x, strength, shift):
        """Noise and a bias of each map as one product of [pixels, 2] and [2, maps], added in one pass."""
        factors = tf.cast(tf.concat([pixels, tf.ones_like(pixels)], axis=-1), x.dtype)
        return x + tf.matmul(factors, tf.stack([strength, shift]))

    scales, weights = tf.random.normal([options.batch, maps]) + 1.0, tf.random.normal([3, 3, maps, maps])
    both = ("off", "gpu")
    return {
        "convolution": (convolution.conv2d, (kernel,), ("gpu",)),
        "blur": (resample.blur2d, (), ("gpu",)),
        "bias": (tf.nn.bias_add, (bias,), ("",)),
        "bias, leaky relu": (activations.biased_leaky_relu, (bias,), both),
        "noise": (lambda x, strength: noise.add_noise(x, pixels, strength), (bias,), both),
        "noise, bias by product": (noise_and_bias_by_product, (bias, bias), ("",)),
        "adain": (modulation.adain, (styles,), both),
        "adain by batch norm": (by_batch_norm, (styles,), ("",)),
        "mean, float32": (lambda x: tf.reduce_mean(tf.cast(x, tf.float32), axis=[1, 2]), (), ("",)),
        "sums": (lambda x: tf.reduce_sum(x, axis=[0, 1, 2]), (), ("",)),
        "sums by product": (sums_by_product, (), ("",)),
        "modulated convolution by activations": (modulated.modulated_conv2d, (weights, scales), ("on",)),
        "modulated convolution by weights": (modulated_by_weights, (weights, scales), ("on",)),
    }


def modulated_by_weights(x, kernel, styles):
    """`modulated_conv2d` with a scaled kernel for each sample: one convolution of a group of feature maps for each sample.

    [N, H, W, in], [k, k, in, out] and [N, in] to [N, H, W, out].
    """
    import tensorflow as tf

    count, height, width, _ = x.shape
    scaled = styles[:, None, None, :, None] * kernel
    scaled *= tf.math.rsqrt(tf.reduce_sum(tf.square(scaled), axis=[1, 2, 3], keepdims=True) + 1e-8)
    groups = tf.reshape(tf.transpose(tf.cast(scaled, x.dtype), [1, 2, 3, 0, 4]), [*kernel.shape[:3], -1])  # [k, k, in, N out]
    rows = tf.reshape(tf.transpose(x, [1, 2, 0, 3]), [1, height, width, -1])  # [1, H, W, N in]
    y = tf.nn.conv2d(rows, groups, strides=1, padding="SAME")
    return tf.transpose(tf.reshape(y, [height, width, count, -1]), [2, 0, 1, 3])


def with_derivatives(function):
    """A function of the same arguments that returns the gradients by all of them."""
    import tensorflow as tf

    def derivatives(*arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y = function(*arguments)
        return tape.gradient(y, arguments, output_gradients=tf.ones_like(y))

    return derivatives


def milliseconds(function, arguments, form: str, options) -> float | None:
    """Median of a run; None where this device cannot compute it."""
    import tensorflow as tf

    from stylegan_tf.cpu import paths

    os.environ[paths.VARIABLE] = form or "gpu"

    def traced(*tensors):
        with paths.traced_for_xla() if options.xla else tf.name_scope("layer"):
            return function(*tensors)

    run = tf.function(traced, jit_compile=options.xla, autograph=False)

    def wait(value):
        tf.reshape(tf.nest.flatten(value)[0], [-1])[0].numpy()

    try:
        wait(run(*arguments))
    except tf.errors.OpError as error:
        print(f"{form}: {type(error).__name__}", file=sys.stderr)
        return None
    times = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        for _ in range(IN_FLIGHT):
            last = run(*arguments)
        wait(last)
        times.append(1000 * (time.perf_counter() - start) / IN_FLIGHT)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
