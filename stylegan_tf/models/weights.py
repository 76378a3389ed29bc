"""Weights of networks: by public name, as snapshots and transfer use them, their shapes before a network is built, averages."""

import random
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from stylegan_tf.errors import UserError


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """Every weight of a network by a name that does not depend on the network's own: `synthesis/8x8/conv1/kernel`.

    The layer inside a styled layer is called `features` and left out: its kernel belongs to the styled layer.
    """
    names = [variable.path.split("/", 1)[1].replace("/features/", "/") for variable in model.variables]
    return dict(zip(names, model.variables, strict=True))


def assign_weights(model: keras.Model, arrays: dict) -> None:
    """Sets every weight of a network from arrays by name.

    Raises:
        ValueError: a weight is missing, is not known, or has another shape; nothing is assigned then.
    """
    variables = named_weights(model)
    missing, unknown = sorted(variables.keys() - arrays.keys()), sorted(arrays.keys() - variables.keys())
    if missing or unknown:
        raise ValueError(f"Weights do not fit {model.name}. Missing: {missing[:5] or 'none'}. Unknown: {unknown[:5] or 'none'}")
    for name, variable in variables.items():
        if tuple(variable.shape) != tuple(arrays[name].shape):
            raise ValueError(f"{name} of {model.name} is {tuple(variable.shape)}. Received: {tuple(arrays[name].shape)}")
    for name, variable in variables.items():
        variable.assign(arrays[name])


def weight_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    """Every weight as a float32 array by its public name."""
    return {name: variable.numpy() for name, variable in named_weights(model).items()}


def weight_shapes(make_network: Callable[[], keras.Model], *, only_trainable: bool = False) -> dict[str, tuple[int, ...]]:
    """Shape of every weight (or of the trained ones) by name of the network that `make_network` builds; allocates no memory for them."""
    random_state = random.getstate()
    try:
        with keras.StatelessScope(initialize_variables=False):
            network = make_network()
    finally:
        # Keras keeps a list of variables to be initialised at the end of the next such scope: these never are. Its initialisers
        # take their seeds from Python's generator: the weights of the networks that follow must not depend on this call.
        keras.src.backend.common.global_state.set_global_attribute("uninitialized_variables", [])
        random.setstate(random_state)
    weights = named_weights(network).items()
    return {name: tuple(variable.shape) for name, variable in weights if variable.trainable or not only_trainable}


def check_weights(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], what: str) -> None:
    """Raises UserError unless the arrays are exactly the weights that a network needs.

    Args:
        arrays: by name, from a file.
        shapes: of `weight_shapes`.
        what: name of the network in a message.
    """
    if not isinstance(arrays, Mapping):
        raise UserError(f"The weights of {what} must be a dictionary. Received: {type(arrays).__name__}")
    missing, unknown = sorted(shapes.keys() - arrays.keys()), sorted(map(str, arrays.keys() - shapes.keys()))
    if missing or unknown:
        raise UserError(f"The weights of {what} do not fit its settings. Missing: {_some(missing)}. Not expected: {_some(unknown)}.")
    for name, shape in shapes.items():
        received = getattr(arrays[name], "shape", None)
        if received is None or tuple(received) != shape:
            raise UserError(f"{name} of {what} must have the shape {shape} by its settings. Received: {str(received)[:80]}")
        if arrays[name].dtype.kind not in "fiub":
            raise UserError(f"{name} of {what} must be real numbers. Received: {arrays[name].dtype}")


def resized(source: np.ndarray, fresh: np.ndarray, scale: float = 1.0) -> tuple[np.ndarray, int]:
    """`fresh` with the part of `source` that fits, times `scale`, in its first rows of every axis; and how many values that is."""
    if source.ndim != fresh.ndim:
        return fresh, 0
    overlap = tuple(slice(min(a, b)) for a, b in zip(source.shape, fresh.shape, strict=True))
    merged = fresh.copy()
    merged[overlap] = source[overlap] * scale
    return merged, merged[overlap].size


def move_averages(averages: Sequence[tf.Variable], variables: Sequence[tf.Variable | tf.Tensor], beta: tf.Tensor | float) -> None:
    """average <- variable + (average - variable) * beta, on every replica alike. Call in replica context."""
    value = tf.zeros([])
    for average, variable in zip(averages, variables, strict=True):
        with tf.control_dependencies([value]):  # one after the other: all at once would take the memory of another network
            target = tf.convert_to_tensor(variable)
            value = target + (tf.convert_to_tensor(average) - target) * beta
        assign_on_replica(average, value)


def copy_variables(targets: Sequence[tf.Variable], variables: Sequence[tf.Variable]) -> None:
    """target <- variable, on every replica alike. Call in replica context."""
    for target, variable in zip(targets, variables, strict=True):
        assign_on_replica(target, tf.convert_to_tensor(variable))


def assign_on_replica(variable: tf.Variable, value: tf.Tensor) -> None:
    """Sets this replica's copy of a variable; every replica must set the same value."""
    # Variable.assign would ask the other replicas; the values are equal by construction.
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)


def _some(names: list[str]) -> str:
    return ", ".join(name[:80] for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none"
