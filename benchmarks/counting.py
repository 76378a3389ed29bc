"""Kernels of a traced function and the bytes that they read and write, by class, with the least time of each kernel on an H100."""

import math
import re
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from benchmarks.paper_run import FLOAT32_SHARE, H100

CLASSES = {
    "products": ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter", "MatMul", "BatchMatMulV2"),
    "blur": ("DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNativeBackpropFilter"),
    "reductions": ("Sum", "Mean", "Max", "EuclideanNorm", "BiasAddGrad"),
    "moves": ("Transpose", "Pad", "PadV2", "Slice", "StridedSlice", "StridedSliceGrad", "ConcatV2", "Split", "SplitV", "Tile", "GatherV2",
              "Pack", "Unpack", "BroadcastTo", "Fill", "ZerosLike", "ReverseV2", "AvgPool", "AvgPoolGrad"),
    "free": ("Identity", "IdentityN", "Reshape", "Const", "Placeholder", "NoOp", "Shape", "ShapeN", "ReadVariableOp", "ExpandDims",
             "Squeeze", "StopGradient", "PreventGradient", "VariableShape", "AssignVariableOp", "AssignAddVariableOp",
             "AssignSubVariableOp", "Size"),
}  # fmt: skip
OF = {name: kind for kind, names in CLASSES.items() for name in names}


BFLOAT16 = H100.share * H100.peak_tflops * 1e12  # operations a second of products
EXACT_FLOAT32 = FLOAT32_SHARE * 67e12  # without TF32, as scores are computed
LARGE_BYTES = 1e6  # smaller kernels take the time of a launch


class Passes(NamedTuple):
    """Kernels of a class, those of them that move at least `LARGE_BYTES`, what all of them read and write, and their least seconds."""

    kernels: float = 0
    large: float = 0
    bytes: float = 0.0
    flops: float = 0.0
    sec: float = 0.0

    def with_one(self, moved: float, flops: float = 0.0, rate: float = BFLOAT16) -> "Passes":
        """The same and a kernel that reads and writes so many bytes, and executes `flops`, `rate` of them in a second."""
        sec = max(moved / (H100.bandwidth_tbs * 1e12), flops / rate)
        return Passes(self.kernels + 1, self.large + (moved >= LARGE_BYTES), self.bytes + moved, self.flops + flops, self.sec + sec)


def count(graph, *, float32: float = BFLOAT16 / 2) -> dict[str, Passes]:
    """Kernels of one call by class, those in called functions included. Tensors of unknown shape count as one value.

    Args:
        float32: operations a second of products in float32; the default is that of TF32.
    """
    from benchmarks.flops import flops_of, operations

    totals: defaultdict[str, Passes] = defaultdict(Passes)
    for operation in operations(graph):
        kind = OF.get(operation.type, "elementwise")
        if kind != "free" and not _hands_on(operation):
            moved = sum(_bytes(tensor) for tensor in (*operation.inputs, *operation.outputs))
            flops = flops_of(operation) if kind == "products" else 0.0
            is_float32 = bool(operation.outputs) and operation.outputs[0].dtype == "float32"
            totals[kind] = totals[kind].with_one(moved, flops, float32 if is_float32 else BFLOAT16)
    return dict(totals)


def _hands_on(operation) -> bool:
    """Whether a slice or a sum is that of all values or of none, for which TensorFlow copies nothing."""
    return operation.type in ("StridedSlice", "Sum") and _bytes(operation.inputs[0]) == _bytes(operation.outputs[0])


def _bytes(tensor) -> float:
    known = [side or 1 for side in tensor.shape.as_list()] if tensor.shape.rank is not None else []
    return float(np.prod(known, dtype=np.float64)) * (tensor.dtype.size or 0)


def count_compiled(text: str) -> dict[str, Passes]:
    """Kernels of a program of XLA by class, from its text ("optimized_hlo"): the instructions of its entry computation."""
    totals: defaultdict[str, Passes] = defaultdict(Passes)
    sizes: dict[str, float] = {}
    for line in text[text.index("ENTRY ") :].splitlines()[1:]:
        found = re.match(r"\s+(?:ROOT )?(%?[\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\((.*)", line)
        if found is None:
            continue
        name, shape, operation, operands = found.groups()
        arrays = re.findall(r"[a-z]+(\d+)\[([\d,]*)\]", shape)  # such as bf16[32,256,256,64]
        sizes[name] = sum(math.prod(map(int, filter(None, sides.split(",")))) * int(bits) / 8 for bits, sides in arrays)
        if operation in ("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "reshape"):
            continue
        is_product = operation in ("convolution", "dot", "custom-call") or "conv" in name or "dot" in name
        moved = sizes[name] + sum(sizes.get(operand, 0.0) for operand in re.findall(r"%?[\w.-]+", operands.partition(")")[0]))
        kind = "products" if is_product else "elementwise"
        totals[kind] = totals[kind].with_one(moved)
    return dict(totals)


def compiled(function, *tensors) -> dict[str, Passes]:
    """Kernels of a function in XLA's program for this machine."""
    import tensorflow as tf

    from stylegan_tf.cpu import paths

    with paths.traced_for_xla():
        made = tf.function(function, jit_compile=True, autograph=False)
        return count_compiled(made.experimental_get_compiler_ir(*tensors)(stage="optimized_hlo"))


def total(counts: list[dict[str, Passes]], times: list[float]) -> dict[str, Passes]:
    """Kernels by class of several functions, each called so many times."""
    kinds = {kind for classes in counts for kind in classes}
    return {kind: Passes(*np.dot(times, [classes.get(kind, Passes()) for classes in counts]).tolist()) for kind in kinds}
