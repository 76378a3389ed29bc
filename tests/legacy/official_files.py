"""Writes network pickles in the original's own form, with any options, for tests."""

import pickle
import sys
import types

import numpy as np

SOURCE = 'raise RuntimeError("the source text inside a pickle must never be executed")\n'
SMALL = {"resolution": 8, "num_channels": 3, "label_size": 0, "fmap_base": 16, "fmap_max": 4}
SMALL_G = SMALL | {"latent_size": 6, "dlatent_size": 5, "mapping_layers": 2, "mapping_fmaps": 7}


def features(kwargs, stage):
    return min(int(kwargs.get("fmap_base", 8192) / 2.0 ** (stage * kwargs.get("fmap_decay", 1.0))), kwargs.get("fmap_max", 512))


def mapping_shapes(kwargs):
    width, layers = kwargs["latent_size"], kwargs["mapping_layers"]
    shapes = {}
    if kwargs["label_size"]:
        shapes["LabelConcat/weight"] = (kwargs["label_size"], width)
        width *= 2
    for index in range(layers):
        units = kwargs["dlatent_size"] if index == layers - 1 else kwargs["mapping_fmaps"]
        shapes |= {f"Dense{index}/weight": (width, units), f"Dense{index}/bias": (units,)}
        width = units
    return shapes


def synthesis_shapes(kwargs):
    top = kwargs["resolution"].bit_length() - 1
    shapes = {"lod": ()}
    if kwargs.get("use_noise", True):
        shapes |= {f"noise{layer}": (1, 1, 2 ** (layer // 2 + 2), 2 ** (layer // 2 + 2)) for layer in range(2 * top - 2)}
    for exponent in range(2, top + 1):
        side, width, below = 2**exponent, features(kwargs, exponent - 1), features(kwargs, exponent - 2)
        if exponent > 2:
            layers = {"Conv0_up/weight": (3, 3, below, width), "Conv1/weight": (3, 3, width, width)}
        elif kwargs.get("const_input_layer", True):
            layers = {"Const/const": (1, width, 4, 4), "Conv/weight": (3, 3, width, width)}
        else:
            layers = {"Dense/weight": (kwargs["dlatent_size"], 16 * width), "Conv/weight": (3, 3, width, width)}
        for name, shape in layers.items():
            layer = name.split("/")[0]
            shapes |= {f"{side}x{side}/{name}": shape, f"{side}x{side}/{layer}/bias": (width,)}
            if kwargs.get("use_noise", True):
                shapes[f"{side}x{side}/{layer}/Noise/weight"] = (width,)
            if kwargs.get("use_styles", True):
                shapes[f"{side}x{side}/{layer}/StyleMod/weight"] = (kwargs["dlatent_size"], 2 * width)
                shapes[f"{side}x{side}/{layer}/StyleMod/bias"] = (2 * width,)
        shapes |= {f"ToRGB_lod{top - exponent}/weight": (1, 1, width, kwargs["num_channels"])}
        shapes |= {f"ToRGB_lod{top - exponent}/bias": (kwargs["num_channels"],)}
    return shapes


def discriminator_shapes(kwargs):
    top = kwargs["resolution"].bit_length() - 1
    shapes = {"lod": ()}
    for exponent in range(top, 1, -1):
        side, width, below = 2**exponent, features(kwargs, exponent - 1), features(kwargs, exponent - 2)
        kernels = {f"FromRGB_lod{top - exponent}": (1, 1, kwargs["num_channels"], width)}
        if exponent > 2:
            kernels |= {f"{side}x{side}/Conv0": (3, 3, width, width), f"{side}x{side}/Conv1_down": (3, 3, width, below)}
        else:
            extra = kwargs.get("mbstd_num_features", 1) if kwargs.get("mbstd_group_size", 4) > 1 else 0
            kernels |= {"4x4/Conv": (3, 3, width + extra, width), "4x4/Dense0": (16 * width, below)}
            kernels["4x4/Dense1"] = (below, max(kwargs["label_size"], 1))
        for layer, shape in kernels.items():
            shapes |= {f"{layer}/weight": shape, f"{layer}/bias": shape[-1:]}
    return shapes


def random_variables(shapes, rng, lod):
    variables = {name: np.asarray(rng.standard_normal(shape), np.float32) for name, shape in shapes.items()}
    return list((variables | {name: np.float32(lod) for name in variables if name == "lod"}).items())


def generator_state(name, kwargs, rng, *, lod=0.0, version=3):
    """State of a G_style; version 2 had no components and named their variables itself."""
    parts = {
        "G_mapping": random_variables(mapping_shapes(kwargs), rng, lod),
        "G_synthesis": random_variables(synthesis_shapes(kwargs), rng, lod),
    }
    own = [("lod", np.float32(lod)), ("dlatent_avg", rng.standard_normal(kwargs["dlatent_size"]).astype(np.float32))]
    state = {"version": version, "name": name, "static_kwargs": dict(kwargs), "build_module_src": SOURCE, "build_func_name": "G_style"}
    if version == 2:
        return state | {"variables": own + [(f"{part}/{key}", array) for part, pairs in parts.items() for key, array in pairs]}
    components = {
        part[2:]: {"version": 3, "name": part, "static_kwargs": dict(kwargs), "components": {}, "build_module_src": SOURCE,
                   "build_func_name": part, "variables": pairs}
        for part, pairs in parts.items()
    }  # fmt: skip
    return state | {"components": components, "variables": own}


def discriminator_state(kwargs, rng, *, lod=0.0, version=3):
    return {
        "version": version, "name": "D", "static_kwargs": dict(kwargs), "components": {}, "build_module_src": SOURCE,
        "build_func_name": "D_basic", "variables": random_variables(discriminator_shapes(kwargs), rng, lod),
    }  # fmt: skip


def dump(states, protocol=4, module="dnnlib.tflib.network", *, is_single=False):
    """Bytes of a pickle of a tuple of `Network` objects; components are states inside "components"."""
    network = type("Network", (), {"__module__": module, "__getstate__": lambda self: self.state})
    easy = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})

    def make(state):
        made = network()
        components = {key: make(inner) for key, inner in state.get("components", {}).items()}
        made.state = state | {"static_kwargs": easy(state["static_kwargs"])} | ({"components": easy(components)} if components else {})
        return made

    names = {".".join(name.split(".")[:depth]) for name in (module, "dnnlib.util") for depth in (1, 2, 3)}
    modules = {name: types.ModuleType(name) for name in names}
    modules[module].Network, modules["dnnlib.util"].EasyDict = network, easy
    sys.modules.update(modules)
    try:
        networks = tuple(make(state) for state in states)
        return pickle.dumps(networks[0] if is_single else networks, protocol=protocol)
    finally:
        for name in modules:
            del sys.modules[name]


def official_bytes(G_kwargs=SMALL_G, D_kwargs=SMALL, *, lod=0.0, protocol=4, version=3, seed=0):
    """A whole official pickle (G, D, Gs) with random weights."""
    rng = np.random.default_rng(seed)
    states = (
        generator_state("G", G_kwargs, rng, lod=lod, version=version),
        discriminator_state(D_kwargs, rng, lod=lod, version=version),
        generator_state("Gs", G_kwargs, rng, lod=lod, version=version),
    )
    return dump(states, protocol)
