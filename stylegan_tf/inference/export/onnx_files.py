"""ONNX files of a generator: mapping network, synthesis network and the whole, each compared with TensorFlow in onnxruntime."""

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from stylegan_tf import command_line
from stylegan_tf.cpu.paths import plain_operations
from stylegan_tf.inference.export.agreement import TOLERANCE, check_agreement, compute, example_inputs
from stylegan_tf.inference.export.saved_model import ExportedGenerator, ExportedStyleGenerator, Function

if TYPE_CHECKING:
    import onnx

_DYNAMIC = "N"  # name of the batch dimension


def onnx_networks(
    exported: ExportedGenerator, *, names: Sequence[str] | None = None, opset: int = 18, batch_size: int | None = None,
    about: dict[str, object] | None = None, tolerance: float = TOLERANCE,
) -> dict[str, tuple[bytes, float]]:  # fmt: skip
    """Converts a generator.

    Args:
        exported: the generator and its options; noise cannot be random. Its psi has no effect: psi is an input, because not every
            program (onnxruntime-web) supports inputs with a default.
        names: of "mapping", "synthesis" and "generator"; None for all that the generator has.
        opset: version of the operations; 15 and 18 are tested.
        batch_size: fixed, or None for any.
        about: stored as metadata, each value as JSON.
        tolerance: largest difference from TensorFlow.

    Returns:
        By name, the content of the file and the largest difference between onnxruntime and TensorFlow.

    Raises:
        UserError: they differ by more than `tolerance`.
    """
    functions = network_functions(exported, batch_size)
    written = {}
    for name in names or functions:
        content, inputs, received = _converted(exported, name, functions[name], opset, batch_size, about or {})
        expected = compute(functions[name], inputs)
        written[name] = content, check_agreement(f"{name}.onnx", expected, received, "onnxruntime", tolerance)
    return written


def network_functions(exported: ExportedGenerator, batch_size: int | None) -> dict[str, Function]:
    """The networks with the specifications of their inputs: "mapping" and "synthesis" for a generator with styles, and "generator"."""
    G, functions = exported.G, exported.functions(batch_size)
    call, specs = functions["latents"]
    if not isinstance(exported, ExportedStyleGenerator):
        return {"generator": (call, specs)}
    psi = tf.TensorSpec([], tf.float32, "psi")

    def mapped(z, *rest):  # rest: labels where there are some, and psi
        return G.truncate(G.mapping(z, *rest[:-1]), rest[-1], exported.cutoff)

    synthesize, synthesis_specs = functions["synthesis"]
    return {
        "mapping": (lambda *inputs: {"ws": mapped(*inputs)}, [*specs, psi]),
        "synthesis": (synthesize, synthesis_specs),
        "generator": (lambda *inputs: synthesize(mapped(*inputs)), [*specs, psi]),
    }


def _converted(
    exported: ExportedGenerator, name: str, function: Function, opset: int, batch_size: int | None, about: dict[str, object]
) -> tuple[bytes, dict[str, np.ndarray], np.ndarray]:
    """The file, inputs for it, and what onnxruntime computes from them."""
    import onnxruntime

    call, specs = function
    model = _to_onnx(call, specs, opset)
    for value in (*model.graph.input, *model.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if batch_size is None and len(dimensions):
            dimensions[0].dim_param = _DYNAMIC
    for key, value in about.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    content = model.SerializeToString()

    inputs = example_inputs(exported.G, specs, batch_size or 2)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (received,) = session.run(None, {key: np.asarray(value, np.float32) for key, value in inputs.items()})
    return content, inputs, received


def _to_onnx(call, specs: list[tf.TensorSpec], opset: int) -> "onnx.ModelProto":
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with plain_operations(), command_line.silenced_stderr():
        model, _ = tf2onnx.convert.from_function(tf.function(call, autograph=False), input_signature=specs, opset=opset)
    return model
