"""Shapes of all weights by name, from a network's options alone: checked before a network is built.

A file may claim options that would build a network of any size; its arrays cannot be larger than the file.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stylegan_tf import resolution as growth
from stylegan_tf.errors import UserError

Shape = tuple[int, ...]


def generator_shapes(options: Mapping[str, Any]) -> dict[str, Shape]:
    """Name -> shape of every weight of `networks.Generator(**options)`."""
    shapes = {"w_avg": (options["w_dim"],)}
    width = options["z_dim"]
    if options["label_size"]:
        shapes["mapping/label_embedding"] = (options["label_size"], options["z_dim"])
        width *= 2
    for index in range(options["mapping_layers"]):
        is_last = index == options["mapping_layers"] - 1
        units = options["w_dim"] if is_last else options["mapping_fmaps"]
        shapes[f"mapping/dense{index}/kernel"], shapes[f"mapping/dense{index}/bias"] = (width, units), (units,)
        width = units
    for side in _sides(options):
        shapes |= {f"synthesis/{side}x{side}/{name}": shape for name, shape in _block_shapes(options, side)}
    if options["use_noise"]:
        for layer in range(growth.num_layers(options["resolution"])):
            shapes[f"synthesis/noise{layer}"] = (2 ** (layer // 2 + 2),) * 2
    return shapes


def _block_shapes(options: Mapping[str, Any], side: int) -> Iterator[tuple[str, Shape]]:
    filters = _features(options, side)
    if side > growth.MIN_RESOLUTION:
        layers = {"conv0_up/kernel": (3, 3, _features(options, side // 2), filters), "conv1/kernel": (3, 3, filters, filters)}
    elif options["const_input"]:
        layers = {"const/const": (4, 4, filters), "conv/kernel": (3, 3, filters, filters)}
    else:
        layers = {"dense/kernel": (options["w_dim"], 16 * filters), "conv/kernel": (3, 3, filters, filters)}
    for name, shape in layers.items():
        layer = name.partition("/")[0]
        yield name, shape
        yield f"{layer}/bias", (filters,)
        if options["use_noise"]:
            yield f"{layer}/noise_strength", (filters,)
        if options["use_styles"]:
            yield f"{layer}/style/kernel", (options["w_dim"], 2 * filters)
            yield f"{layer}/style/bias", (2 * filters,)
    yield "to_rgb/kernel", (1, 1, filters, options["channels"])
    yield "to_rgb/bias", (options["channels"],)


def discriminator_shapes(options: Mapping[str, Any]) -> dict[str, Shape]:
    """Name -> shape of every weight of `networks.Discriminator(**options)`."""
    shapes = {}
    for side in _sides(options):
        filters, filters_out = _features(options, side), _features(options, side // 2)
        kernels = {"from_rgb": (1, 1, options["channels"], filters)}
        if side > growth.MIN_RESOLUTION:
            kernels |= {"conv0": (3, 3, filters, filters), "conv1_down": (3, 3, filters, filters_out)}
        else:
            extra = options["mbstd_num_features"] if options["mbstd_group_size"] > 1 else 0
            outputs = max(options["label_size"], 1)
            kernels |= {"conv": (3, 3, filters + extra, filters), "dense0": (16 * filters, filters_out), "dense1": (filters_out, outputs)}
        for layer, shape in kernels.items():
            shapes[f"{side}x{side}/{layer}/kernel"], shapes[f"{side}x{side}/{layer}/bias"] = shape, shape[-1:]
    return shapes


def check_shapes(arrays: Mapping[str, Any], shapes: Mapping[str, Shape], what: str) -> None:
    """Raises UserError unless the arrays are exactly the weights that the options ask for."""
    if not isinstance(arrays, Mapping):
        raise UserError(f"The weights of {what} must be a dictionary. Received: {type(arrays).__name__}")
    missing, unknown = sorted(shapes.keys() - arrays.keys()), sorted(map(str, arrays.keys() - shapes.keys()))
    if missing or unknown:
        raise UserError(f"The weights of {what} do not fit its options. Missing: {_some(missing)}. Not expected: {_some(unknown)}.")
    for name, shape in shapes.items():
        received = getattr(arrays[name], "shape", None)
        if received is None or tuple(received) != shape:
            raise UserError(f"{name} of {what} must have the shape {shape} by its options. Received: {str(received)[:80]}")
        if arrays[name].dtype.kind not in "fiub":
            raise UserError(f"{name} of {what} must be real numbers. Received: {arrays[name].dtype}")


def _some(names: list[str]) -> str:
    return ", ".join(name[:80] for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none"


def _sides(options: Mapping[str, Any]) -> list[int]:
    return [2**exponent for exponent in range(2, growth.log2(options["resolution"]) + 1)]


def _features(options: Mapping[str, Any], side: int) -> int:
    stage = growth.log2(side) - 1
    return growth.num_features(stage, fmap_base=options["fmap_base"], fmap_decay=options["fmap_decay"], fmap_max=options["fmap_max"])
