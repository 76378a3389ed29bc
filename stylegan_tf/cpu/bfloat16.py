"""Products of bfloat16 numbers on processors without units for them: exact, summed in float32 and rounded once, as the units do."""

import functools
import re
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf


@functools.cache
def has_bfloat16() -> bool:
    """Whether TensorFlow multiplies bfloat16 here and adds up in float32: on GPUs, and on processors with AVX-512 or ARM's bf16."""
    if tf.config.list_logical_devices("GPU"):
        return True
    try:
        flags = set(re.findall(r"\w+", Path("/proc/cpuinfo").read_text(encoding="utf-8")))
    except OSError:
        return False
    return bool(flags & {"avx512f", "bf16"})


def summed_in_float32(operation: Callable[..., tf.Tensor], *factors: tf.Tensor) -> tf.Tensor:
    """operation(*factors), a convolution or a matrix product, in the dtype of the factors.

    Without such units TensorFlow falls back on kernels that add up in bfloat16, too, and take five times as long. Float32
    holds every product of two bfloat16 numbers exactly; its gradients are rounded in the same places.
    """
    if factors[0].dtype != tf.bfloat16 or has_bfloat16():
        return operation(*factors)
    return tf.cast(operation(*(tf.cast(factor, tf.float32) for factor in factors)), tf.bfloat16)
