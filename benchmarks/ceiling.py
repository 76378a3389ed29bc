"""What this machine reaches at best: convolutions and matrix products of TensorFlow alone, at a workload's sizes."""

import time

import tensorflow as tf

from benchmarks.workload import Workload


def ceiling_tflops(workload: Workload, *, repeats: int = 5) -> dict[str, float]:
    """Best of several runs in TFLOP/s, for the precision of the workload.

    Returns:
        `conv`: the 3x3 convolution (forward) of the resolution that takes most of the workload's operations;
        `matmul`: a product of the same number of operations; `ceiling`: the larger one.
    """
    side = max(workload.sides(), key=lambda side: side**2 * workload.features(side) ** 2)
    return tflops_at(workload.batch, side, workload.features(side), workload.precision, repeats=repeats)


def tflops_at(batch: int, side: int, maps: int, precision: str, *, repeats: int = 5) -> dict[str, float]:
    """The same for images [batch, side, side, maps]."""
    dtype = tf.bfloat16 if "bfloat16" in precision else tf.float16 if "float16" in precision else tf.float32
    x = tf.cast(tf.random.normal([batch, side, side, maps]), dtype)
    kernel = tf.cast(tf.random.normal([3, 3, maps, maps]), dtype)
    rows = tf.cast(tf.random.normal([batch * side**2, maps]), dtype)
    columns = tf.cast(tf.random.normal([maps, 9 * maps]), dtype)
    flops = 2.0 * batch * side**2 * 9 * maps**2
    found = {
        "conv": flops / _best_sec(lambda: tf.nn.conv2d(x, kernel, 1, "SAME"), repeats) / 1e12,
        "matmul": flops / _best_sec(lambda: tf.matmul(rows, columns), repeats) / 1e12,
    }
    return found | {"ceiling": max(found.values())}


def _best_sec(operation, repeats: int) -> float:
    run = tf.function(operation, autograph=False)
    _wait_for(run())
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        _wait_for(run())
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _wait_for(value: tf.Tensor) -> None:
    tf.reshape(value, [-1])[0].numpy()  # one number: on a GPU nothing else waits for the kernel
