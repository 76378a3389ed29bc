"""Counts what a traced function multiplies and adds: its convolutions and matrix products, also inside the functions that it calls."""

import math
from collections.abc import Iterator

from tensorflow.python.framework.func_graph import FuncGraph
from tensorflow.python.framework.ops import Operation

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def executed_flops(graph: FuncGraph) -> float:
    """Operations of one call, 2 a multiply-add. Shapes must be known; branches and loops are left out."""
    return float(sum(map(flops_of, operations(graph))))


def operations(graph: FuncGraph) -> Iterator[Operation]:
    """The operations that one call executes, those of called functions included."""
    for operation in needed(graph):
        inner = called(operation, graph)
        if inner is None:
            yield operation
        else:
            yield from operations(inner)


def needed(graph: FuncGraph) -> set[Operation]:
    """What leads to the outputs: TensorFlow runs nothing else, and what is computed once more for derivatives has dead ends."""
    pending = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    found = set(pending)
    while pending:
        operation = pending.pop()
        for source in (*(tensor.op for tensor in operation.inputs), *operation.control_inputs):
            if source not in found:
                found.add(source)
                pending.append(source)
    return found


def called(operation: Operation, graph: FuncGraph) -> FuncGraph | None:
    """The graph of the function that an operation calls; None for any other operation."""
    return graph._get_function(operation.get_attr("f").name).graph if operation.type in _CALLS else None


def flops_of(operation: Operation) -> float:
    """Operations of a convolution or a product; 0 for anything else."""
    shapes = [tensor.shape.as_list() if tensor.shape.rank is not None else [] for tensor in operation.inputs]
    if operation.type in ("MatMul", "BatchMatMulV2"):
        is_turned = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
        return 2 * math.prod(operation.outputs[0].shape) * shapes[0][-2 if is_turned else -1]
    if operation.type in ("Conv2D", "DepthwiseConv2dNative"):
        height, width, channels, _ = shapes[1]
        return 2 * math.prod(operation.outputs[0].shape) * height * width * (channels if operation.type == "Conv2D" else 1)
    if operation.type == "Conv2DBackpropInput":  # of the kernel [k, k, in, out] and the upstream gradient
        return 2 * math.prod(shapes[2]) * math.prod(shapes[1][:3])
    if operation.type == "Conv2DBackpropFilter":
        return 2 * math.prod(shapes[2]) * math.prod(operation.outputs[0].shape[:3])
    return 0.0
