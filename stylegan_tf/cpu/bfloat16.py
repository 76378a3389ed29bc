"""Products of bfloat16 numbers on processors without units for them: exact, summed in float32 and rounded once, as the units do."""

import functools
import re
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf


@functools.cache
def has_bfloat16() -> bool:
    """Whether TensorFlow sums products of bfloat16 numbers in float32 here: on GPUs, and on CPUs with AVX-512 or ARM's bf16."""
    if tf.config.list_logical_devices("GPU"):
        return True
    try:
        flags = set(re.findall(r"\w+", Path("/proc/cpuinfo").read_text(encoding="utf-8")))
    except OSError:
        return False
    return bool(flags & {"avx512f", "bf16"})


def summed_in_float32(operation: Callable[..., tf.Tensor], *factors: tf.Tensor) -> tf.Tensor:
    """operation(*factors), a convolution or a matrix product, in the dtype of the factors.

    Without such units, TensorFlow's kernels sum in bfloat16 and take five times as long. Float32 represents every product of two
    bfloat16 numbers exactly; the gradients of the casts round in the same places as the units do.
    """
    if factors[0].dtype != tf.bfloat16 or has_bfloat16():
        return operation(*factors)
    return tf.cast(operation(*(tf.cast(factor, tf.float32) for factor in factors)), tf.bfloat16)


def matmul(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """[N, in] and [in, out] to [N, out]."""
    return summed_in_float32(tf.matmul, a, b)
