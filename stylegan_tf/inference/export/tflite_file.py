"""A TensorFlow Lite file of a generator, compared with TensorFlow in its interpreter."""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from stylegan_tf.command_line import silenced_stderr
from stylegan_tf.cpu.paths import plain_operations
from stylegan_tf.files import atomic_path
from stylegan_tf.inference.export.agreement import TOLERANCE, check_agreement, compute, example_inputs
from stylegan_tf.inference.export.saved_model import ExportedGenerator, Function, full_disk_reported


def export_tflite(
    exported: ExportedGenerator, path: str | os.PathLike, *, batch_size: int = 1, tolerance: float = TOLERANCE
) -> float:  # fmt: skip
    """Writes a .tflite file with the signatures of the SavedModel.

    Args:
        exported: the generator and its options; noise cannot be random.
        path: the file; an older one is replaced.
        batch_size: fixed.
        tolerance: largest difference from TensorFlow.

    Returns:
        The largest difference between its interpreter and TensorFlow.

    Raises:
        UserError: they differ by more than `tolerance`, or the disk is full, that of temporary files too; nothing is written.
    """
    functions = exported.functions(batch_size)
    with full_disk_reported(path), warnings.catch_warnings(), silenced_stderr():
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
        content = _converted(functions)
        interpreter = tf.lite.Interpreter(model_content=content)
    worst = 0.0
    for name, function in functions.items():
        inputs = example_inputs(exported.G, function[1], batch_size)
        (received,) = interpreter.get_signature_runner(name)(**inputs).values()
        expected = compute(function, inputs)
        worst = max(worst, check_agreement(f"The signature {name}", expected, received, "TensorFlow Lite", tolerance))
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(content)
    return worst


def _converted(functions: dict[str, Function]) -> bytes:
    # The converter of TensorFlow 2.21 keeps the variables of Keras 3 as variables without values: images were not numbers.
    module = tf.Module()
    with plain_operations():
        module.constant = {name: _with_constants(call, specs) for name, (call, specs) in functions.items()}
    with tempfile.TemporaryDirectory() as folder:
        signatures = {name: function.get_concrete_function() for name, function in module.constant.items()}
        tf.saved_model.save(module, folder, signatures=signatures)
        return tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions)).convert()


def _with_constants(call: Callable[..., dict[str, tf.Tensor]], specs: list[tf.TensorSpec]) -> tf.types.experimental.PolymorphicFunction:
    """The function of these inputs with its variables replaced by constants."""
    traced = tf.function(call).get_concrete_function(*specs)
    (name,), frozen = traced.structured_outputs, convert_variables_to_constants_v2(traced)
    return tf.function(lambda *inputs: {name: tf.nest.flatten(frozen(*inputs))[0]}, input_signature=specs)
