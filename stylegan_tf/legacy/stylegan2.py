"""A network pickle of stylegan2-ada-pytorch, or of StyleGAN2 in stylegan3, as settings and weights of ours."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf import settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.legacy.stylegan import checked_arrays, from_chw
from stylegan_tf.legacy.torch_modules import NAMES, TorchModule, read_modules
from stylegan_tf.models.stylegan2.settings import DiscriminatorSettings, GeneratorSettings
from stylegan_tf.snapshot_file import NetworkShape, SnapshotContents

_BLOCK = re.compile(r"b(\d{1,4})")
_LAYER = re.compile(r"b(\d{1,4})\.(const|(\w+)\.(weight|bias|noise_strength|noise_const|affine\.weight|affine\.bias))")
_MAPPING = re.compile(r"mapping\.(embed|fc\d{1,2})\.(weight|bias)")
_LAYERS_OF_G = {"conv0": "conv0_up", "conv1": "conv1", "torgb": "to_rgb"}
_LAYERS_OF_D = {"fromrgb": "from_rgb", "conv0": "conv0", "conv1": "conv1_down", "skip": "skip"}
_HEAD_OF_D = {"fromrgb": "from_rgb", "conv": "conv", "fc": "dense0", "out": "dense1"}
_FILTER = (1, 3, 3, 1)


def read_stylegan2(path: Path) -> SnapshotContents:
    """Reads the networks of a pickle of PyTorch, as `stylegan.read_stylegan`."""
    modules = read_modules(path)
    try:
        read = {name: _discriminator(module) if name == "D" else _generator(module) for name, module in modules.items()}
        G, D, G_ema = (
            checked_arrays(settings_text.from_plain(kind, _plain(values)), weights, name, path)
            for name, (kind, values, _, weights) in ((name, read[name]) for name in NAMES)
        )
        shape, *others = (read[name][2] for name in NAMES)
        if others != [shape, shape]:
            raise UserError("G, D and G_ema have different resolutions, channels or labels.")
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (ArithmeticError, AttributeError, IndexError, LookupError, TypeError, ValueError) as error:
        reason = (str(error) or type(error).__name__)[:200]
        raise UserError(f"{path} contains networks that are not StyleGAN2's, or is damaged ({type(error).__name__}: {reason}).") from error
    dataset = {"label_size": shape.label_size, "class_names": []}
    return SnapshotContents(str(path), "stylegan2", shape, G, D, G_ema, dataset=dataset)


def _generator(module: TorchModule) -> tuple[type, dict[str, Any], NetworkShape, dict[str, np.ndarray]]:
    """Kind and values of the settings, shape and weights of a Generator."""
    _require(module.kind == "Generator", f"Expected a Generator. Found: {module.kind[:40]}")
    mapping, synthesis = module.modules["mapping"], module.modules["synthesis"]
    blocks = _blocks(synthesis)
    for block in blocks.values():
        _require(block.state["architecture"] == "skip", f"its generator has the architecture {block.state['architecture']!s:.40}.")
        layers = [layer for name, layer in block.modules.items() if name.startswith("conv")]
        _require(all(layer.state["use_noise"] is True for layer in layers), "a layer of its generator has no noise.")
        _check_activations(layers)
        _check_filters(block, *layers)
    options = _options(module)
    values = {
        "z_dim": module.state["z_dim"],
        "w_dim": module.state["w_dim"],
        "mapping_layers": mapping.state["num_layers"],
        "mapping_lrmul": mapping.modules["fc0"].state["bias_gain"],
        "fmap_base": options.get("channel_base", 32768),
        "fmap_max": options.get("channel_max", 512),
        "half_resolutions": sum(block.state["use_fp16"] is True for block in blocks.values()),
        "clamp": blocks[max(blocks)].modules["conv1"].state["conv_clamp"],
        "w_avg_beta": mapping.state["w_avg_beta"],
    }
    return GeneratorSettings, values, _shape(module), _renamed(module, _name_in_generator)


def _discriminator(module: TorchModule) -> tuple[type, dict[str, Any], NetworkShape, dict[str, np.ndarray]]:
    """The same of a Discriminator."""
    _require(module.kind == "Discriminator", f"Expected a Discriminator. Found: {module.kind[:40]}")
    blocks = _blocks(module)
    head = blocks.pop(4)
    for block in blocks.values():
        _check_activations([block.modules["conv0"], block.modules["conv1"]])
        _check_filters(block, *block.modules.values())
    options, largest, statistics = _options(module), blocks[max(blocks)], head.modules.get("mbstd")
    values = {
        "architecture": largest.state["architecture"],
        "fmap_base": options.get("channel_base", 32768),
        "fmap_max": options.get("channel_max", 512),
        "mbstd_group_size": statistics.state["group_size"] if statistics else 0,
        "mbstd_num_features": statistics.state["num_channels"] if statistics else 1,
        "half_resolutions": sum(block.state["use_fp16"] is True for block in blocks.values()),
        "clamp": largest.modules["conv1"].state["conv_clamp"],
    }
    mapping = module.modules.get("mapping")
    if mapping:
        values |= {"mapping_layers": mapping.state["num_layers"], "mapping_lrmul": mapping.modules["fc0"].state["bias_gain"]}
    return DiscriminatorSettings, values, _shape(module), _renamed(module, _name_in_discriminator)


def _shape(module: TorchModule) -> NetworkShape:
    state = module.state
    values = {"resolution": state["img_resolution"], "channels": state["img_channels"], "label_size": state["c_dim"]}
    return settings_text.from_plain(NetworkShape, _plain(values))


def _blocks(module: TorchModule) -> dict[int, TorchModule]:
    """The blocks of a network by the side of their images."""
    found = {int(match[1]): inner for name, inner in module.modules.items() if (match := _BLOCK.fullmatch(name))}
    _require(4 in found and len(found) > 1, "its networks are not those of StyleGAN2: there are no blocks b4, b8 and so on.")
    return found


def _options(module: TorchModule) -> dict[str, Any]:
    """Arguments that a network was made with: those of the generator's synthesis network, nested in one program, side by side."""
    options = dict(module.state.get("_init_kwargs", {}))
    return {**options, **options.get("synthesis_kwargs", {})}


def _check_activations(layers: list[TorchModule]) -> None:
    found = {str(layer.state["activation"])[:40] for layer in layers}
    _require(found == {"lrelu"}, f"its layers have the activation {', '.join(sorted(found))}; StyleGAN2 has lrelu.")


def _check_filters(*modules: TorchModule) -> None:
    """Refuses other low-pass filters than StyleGAN2's."""
    expected = np.outer(_FILTER, _FILTER) / np.sum(_FILTER) ** 2
    for module in modules:
        found = module.arrays.get("resample_filter")
        is_known = found is None or (found.shape == expected.shape and np.allclose(found, expected, atol=1e-6))
        _require(is_known, "its networks have another resample_filter than [1, 3, 3, 1].")


def _renamed(module: TorchModule, name_of: Callable[[str], str | None]) -> dict[str, np.ndarray]:
    weights = {}
    for theirs, array in module.all_arrays().items():
        if theirs.endswith("resample_filter"):
            continue
        ours = name_of(theirs)
        _require(ours is not None, f"its networks have an unknown weight: {theirs[:100]!r}.")
        weights[ours] = _to_our_layout(ours, array)
    return weights


def _name_in_generator(theirs: str) -> str | None:
    if theirs == "mapping.w_avg":
        return "w_avg"
    match = _LAYER.fullmatch(theirs.removeprefix("synthesis."))
    if match is None or not theirs.startswith("synthesis."):
        return _name_in_mapping(theirs)
    side, layer, part = int(match[1]), match[3], match[4]
    if match[2] == "const":
        return f"synthesis/{side}x{side}/const"
    if part == "noise_const":
        return f"synthesis/noise{2 * side.bit_length() - (7 if layer == 'conv0' else 6)}"
    ours = "conv" if (side, layer) == (4, "conv1") else _LAYERS_OF_G.get(layer)
    return ours and f"synthesis/{side}x{side}/{ours}/{_part(part)}"


def _name_in_discriminator(theirs: str) -> str | None:
    match = _LAYER.fullmatch(theirs)
    if match is None:
        return _name_in_mapping(theirs)
    side, layer = int(match[1]), match[3]
    ours = (_HEAD_OF_D if side == 4 else _LAYERS_OF_D).get(layer)
    return ours and f"{side}x{side}/{ours}/{_part(match[4])}"


def _name_in_mapping(theirs: str) -> str | None:
    match = _MAPPING.fullmatch(theirs)
    return match and f"mapping/{match[1].replace('fc', 'dense')}/{_part(match[2])}"


def _part(theirs: str) -> str:
    return theirs.replace("affine.", "style/").replace("weight", "kernel")


def _to_our_layout(name: str, array: np.ndarray) -> np.ndarray:
    """[out, in, k, k] to [k, k, in, out], [out, in] to [in, out], [C, 4, 4] to [4, 4, C]."""
    if array.ndim == 4:
        kernel = array.transpose(2, 3, 1, 0)
        # There, a convolution with upsampling applies its kernel turned by 180 degrees.
        return kernel[::-1, ::-1] if name.endswith("/conv0_up/kernel") else kernel
    if array.ndim == 3:
        return array.transpose(1, 2, 0)
    if array.ndim == 2 and not name.startswith("synthesis/noise"):
        return from_chw(array.T, axis=0) if name == "4x4/dense0/kernel" else array.T
    return array


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of NumPy as Python's."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)
