"""Counts, shapes and statistics of fresh weights, against the original's; and the counts of every preset."""

import dataclasses
import json
import math

import keras
import numpy as np
import pytest

import config
from stylegan_tf.models.stylegan.settings import DiscriminatorSettings, GeneratorSettings
from tests import flat_networks as networks
from tests.recorded import golden_path, our_name

# Trained parameters of the default G and D by resolution. 64, 256 and 1024 are the original's own counts (params.json).
TRAINED = {
    4: (5522947, 6561793),
    8: (11295750, 11283457),
    16: (17068553, 16005121),
    32: (22841356, 20726785),
    64: (25137935, 22498049),
    128: (25843858, 22941313),
    256: (26086229, 23052353),
    512: (26179768, 23080225),
    1024: (26219627, 23087249),
}
LEAF_SPECIES = 8  # label size of the drawn leaves
# Trained parameters of G and D by preset, at the resolution it is meant for.
PRESETS = {
    "demo": (32, (294060, 279976)),
    "leaves64": (64, (317279, 286545)),
    "photos32": (32, (306092, 279521)),
    "stylegan": (1024, TRAINED[1024]),
    "stylegan-4gpu": (1024, TRAINED[1024]),
    "stylegan-2gpu": (1024, TRAINED[1024]),
    "stylegan-1gpu": (1024, TRAINED[1024]),
    "stylegan-512": (512, TRAINED[512]),
    "stylegan-256": (256, TRAINED[256]),
}


def recorded(name):
    return json.loads(golden_path(name).read_text())


def side_of(name):
    """Resolution that a weight belongs to, 4 for those of the mapping network and w_avg."""
    sides = [part.split("x")[0] for part in name.split("/") if part[0].isdigit()]
    if name.startswith("synthesis/noise"):
        return 2 ** (int(name.removeprefix("synthesis/noise")) // 2 + 2)
    return int(sides[0]) if sides else 4


@pytest.fixture(scope="module")
def fresh1024():
    """Weights by name of the default networks. A smaller default network is the same one without the larger blocks."""
    keras.utils.set_random_seed(3)
    made = networks.Generator(resolution=1024), networks.Discriminator(resolution=1024)
    return dict(zip("GD", map(networks.named_weights, made), strict=True))


def count(variables):
    return sum(math.prod(variable.shape) for variable in variables if variable.trainable)


@pytest.mark.parametrize("resolution", TRAINED)
def test_numbers_of_trained_parameters(fresh1024, resolution):
    chosen = {network: [v for name, v in weights.items() if side_of(name) <= resolution] for network, weights in fresh1024.items()}
    assert (count(chosen["G"]), count(chosen["D"])) == TRAINED[resolution]


@pytest.mark.parametrize("resolution", [64, 256, 1024])
@pytest.mark.parametrize("network", ["G", "D"])
def test_every_weight_has_the_originals_shape(fresh1024, network, resolution):
    original = recorded("params.json")[f"{network}_{resolution}"]
    assert original["trainable"] == TRAINED[resolution]["GD".index(network)]
    expected = {our_name(f"{network}/{name}", resolution): shape for name, shape in original["shapes"].items()}
    expected.pop(None)  # lod
    for name, shape in expected.items():
        if name.startswith("synthesis/noise"):
            expected[name] = shape[2:]
        elif name.endswith("const/const"):
            expected[name] = [*shape[2:], shape[1]]
    ours = {name: list(v.shape) for name, v in fresh1024[network].items() if side_of(name) <= resolution}
    assert ours == expected
    assert sum(v.trainable for n, v in fresh1024[network].items() if side_of(n) <= resolution) == original["num_trainable_tensors"]


def test_only_w_avg_and_noise_maps_are_not_trained(fresh1024):
    assert {name for name, v in fresh1024["G"].items() if not v.trainable} == {"w_avg", *(f"synthesis/noise{i}" for i in range(18))}
    assert all(variable.trainable for variable in fresh1024["D"].values())


def test_fresh_weights_have_the_originals_statistics(fresh1024):
    for theirs, stats in recorded("init_stats_1024.json").items():
        name = our_name(theirs, 1024)
        if name is None:
            continue
        values = fresh1024[theirs[0]][name].numpy()
        if stats["std"] == 0:  # a constant
            np.testing.assert_array_equal(values, stats["mean"])
            continue
        # Two samples of one distribution: their means differ by sqrt(2 / n) std, their deviations by sqrt(1 / n) std.
        # Six of these: chance alone fails one of 400 comparisons once in a million runs, and the seed is fixed.
        allowed = 6 * stats["std"] / math.sqrt(values.size)
        assert abs(values.mean() - stats["mean"]) < allowed * math.sqrt(2), name
        assert abs(values.std() - stats["std"]) < allowed, name


def test_every_preset_is_in_the_table():
    # tests/models/test_study_presets.py counts these.
    elsewhere = {*(f"stylegan-{letter}" for letter in "abcdef"), "flowers-4", "flowers-5", "flowers-8"}
    assert {name for name in config.PRESETS if config.preset(name).model == "stylegan"} == set(PRESETS) | elsewhere


@pytest.mark.parametrize("name", PRESETS)
def test_numbers_of_trained_parameters_of_a_preset(name):
    settings = config.preset(name)
    resolution, numbers = PRESETS[name]
    if numbers == TRAINED.get(resolution):  # the default networks, counted above
        assert GeneratorSettings() == settings.G
        assert DiscriminatorSettings() == settings.D
        return
    shape = {"resolution": resolution, "label_size": LEAF_SPECIES if settings.data.conditional else 0}
    G = networks.Generator(**shape, **dataclasses.asdict(settings.G))
    D = networks.Discriminator(**shape, **dataclasses.asdict(settings.D))
    assert (count(G.variables), count(D.variables)) == numbers
