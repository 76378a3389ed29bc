"""The public names of weights, as snapshots, transfer and the reader of foreign networks use them."""

import keras


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
