"""Counts the kernels of a traced training iteration and the bytes that they read and write, by class; nothing is run or measured.

    python -m benchmarks.passes --resolution 256 --batch 32 --precision mixed_bfloat16
    python -m benchmarks.passes --resolution 256 --batch 32 --precision mixed_bfloat16 --xla

Without XLA every operation of the graph is a kernel on a GPU; TensorFlow's graph optimiser, which removes some of them, is not counted.
With --xla, D's block at the full resolution alone is compiled, with its gradient and the gradient of its gradient, and the kernels of
XLA's program for this machine are counted: a GPU's program has other fusions. Prints a table of the operations as `layers/` defines
them (plain) and in the forms for GPUs, and one JSON line; asserts nothing.
"""

import math
import os
import re
import sys
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from benchmarks.options import parse
from stylegan_tf import command_line

DESCRIPTION = __doc__
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
SHOWN = ("products", "blur", "reductions", "elementwise", "moves")


LARGE_BYTES = 1e6  # smaller kernels take the time of a launch


class Passes(NamedTuple):
    """Kernels of a class, those of them that move at least `LARGE_BYTES`, and what all of them read and write."""

    kernels: int = 0
    large: int = 0
    bytes: float = 0.0

    def with_one(self, moved: float) -> "Passes":
        """The same and a kernel that reads and writes so many bytes."""
        return Passes(self.kernels + 1, self.large + (moved >= LARGE_BYTES), self.bytes + moved)


def count(graph) -> dict[str, Passes]:
    """Kernels of one call by class, those in called functions included. Tensors of unknown shape count as one value."""
    from benchmarks.flops import called, needed

    totals: defaultdict[str, Passes] = defaultdict(Passes)
    for operation in needed(graph):
        inner = called(operation, graph)
        if inner is not None:
            for kind, passes in count(inner).items():
                totals[kind] = Passes(*np.add(totals[kind], passes))
            continue
        kind = OF.get(operation.type, "elementwise")
        if kind != "free":
            moved = sum(_bytes(tensor) for tensor in (*operation.inputs, *operation.outputs))
            totals[kind] = totals[kind].with_one(moved)
    return dict(totals)


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


def block_with_derivatives(block):
    """A function of features: the gradient of its squared norm of gradient, as in R1, through a block of D."""
    import tensorflow as tf

    def compute(x):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.cast(block(x), tf.float32))
            norm = tf.reduce_sum(tf.square(tf.cast(inner.gradient(y, x), tf.float32)))
            total = y + norm
        return outer.gradient(total, [variable.value for variable in block.trainable_variables])

    return compute


def main() -> None:
    workload, options = parse(DESCRIPTION, resolution=256, fmap_max=512, batch=32)
    import tensorflow as tf

    from benchmarks import measure
    from stylegan_tf import models
    from stylegan_tf.cpu import paths
    from stylegan_tf.training.step import Trainer

    images = np.zeros([workload.batch, workload.resolution, workload.resolution, workload.channels], np.uint8)
    batches = iter(tf.data.Dataset.from_tensors((images, np.zeros([workload.batch, 0], np.float32))).repeat())
    networks, found = workload.networks(), {}
    for name, setting in {"plain": "off", "gpu": "gpu"}.items():
        os.environ[paths.VARIABLE] = setting
        if options.xla:
            block = networks["D"].blocks[0]
            x = tf.zeros([workload.batch, workload.resolution, workload.resolution, block.filters], block.compute_dtype)
            with paths.traced_for_xla():
                compiled = tf.function(block_with_derivatives(block), jit_compile=True, autograph=False)
                found[name] = count_compiled(compiled.experimental_get_compiler_ir(x)(stage="optimized_hlo"))
            continue
        trainer = Trainer(models.find("stylegan"), workload.settings(xla="off"), **networks)
        found[name] = count(trainer.trace(batches, workload.stage(), nimg=0).graph)
    print(f"{'':12s} {'plain: all, large':>26s} {'for GPUs':>26s}")
    for kind in SHOWN:
        shown = [found[name].get(kind, Passes()) for name in found]
        cells = (f"{passes.kernels:6,d} {passes.large:6,d} {passes.bytes / 1e9:8.2f} GB" for passes in shown)
        print(f"{kind:12s}", *(f"{cell:>26s}" for cell in cells))
    counted = {f"{name}_{kind}": [*passes] for name, classes in found.items() for kind, passes in classes.items()}
    measure.print_result({**vars(workload), **counted})


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
