"""What this machine reaches at best: convolutions and matrix products of TensorFlow alone, at a workload's sizes."""

import time

import tensorflow as tf

from benchmarks.workload import Workload

# Operations sent to a GPU before the host waits. With one, waiting takes longer than the operation: 115 to 207 TFLOP/s were found on
# an H200 where a product reaches 784.
_IN_FLIGHT_ON_GPUS = 30


def ceiling_tflops(workload: Workload, *, repeats: int = 5) -> dict[str, float]:
    """Best of several runs in TFLOP/s at the size of the resolution that takes most of the workload's operations.

    Returns:
        Keys of a benchmark's line: `ceiling_tflops` in the workload's precision, the larger one of `ceiling_conv_tflops` (the 3x3
        convolution, forward) and `ceiling_matmul_tflops` (a product of as many operations); and the same maximum in both
        precisions, `ceiling_float32_tflops` and `ceiling_bfloat16_tflops`.
    """
    side = max(workload.sides(), key=lambda side: side**2 * workload.features(side) ** 2)
    precisions = {"float32", "mixed_bfloat16", workload.precision}
    found = {name: tflops_at(workload.batch, side, workload.features(side), name, repeats=repeats) for name in precisions}
    own = found[workload.precision]
    return {
        "ceiling_tflops": own["ceiling"],
        "ceiling_conv_tflops": own["conv"],
        "ceiling_matmul_tflops": own["matmul"],
        "ceiling_float32_tflops": found["float32"]["ceiling"],
        "ceiling_bfloat16_tflops": found["mixed_bfloat16"]["ceiling"],
    }


def tflops_at(batch: int, side: int, maps: int, precision: str, *, repeats: int = 5) -> dict[str, float]:
    """`conv`, `matmul` and the larger one, `ceiling`, for images [batch, side, side, maps]."""
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
    in_flight = _IN_FLIGHT_ON_GPUS if tf.config.list_logical_devices("GPU") else 1
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(in_flight):
            last = run()
        _wait_for(last)
        seconds.append((time.perf_counter() - start) / in_flight)
    return min(seconds)


def _wait_for(value: tf.Tensor) -> None:
    tf.reshape(value, [-1])[0].numpy()  # one number: on a GPU nothing else waits for the kernel
