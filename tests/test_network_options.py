"""Options and weights of a network are held to what can be, before one is built."""

import math

import numpy as np
import pytest
from stylegan_tf.network_options import check_discriminator, check_generator, check_lod
from stylegan_tf.network_shapes import discriminator_shapes, generator_shapes

from stylegan_tf.errors import UserError
from tests import flat_networks as networks
from tests.inference.small_network import OPTIONS, small_discriminator

NUMBER, FLAG = ("x", None, [1], np.zeros(3), math.nan, math.inf), ("x", None, 1, 0.5, [True])
IMPOSSIBLE = {
    "resolution": (*NUMBER, 48, 2, 2048, 8.0, True),
    "channels": (*NUMBER, 0, 2, 5),
    "label_size": (*NUMBER, -1, 1.5, 10**12),
    "fmap_base": (*NUMBER, 0, -1, 0.5, 10**12),
    "fmap_decay": (*NUMBER, 1000, -1000),
    "fmap_max": (*NUMBER, 0, 10**12),
    "nonlinearity": (1, None, "gelu", ["lrelu"]),
    "use_wscale": FLAG,
    "blur_filter": ("121", 1, (), (1, "2"), (1, math.nan), (1,) * 100, [1, 2, 1]),
    "fused_scale": ("never", 2, None, 1.0),
    "mapping_layers": (*NUMBER, -1, 65, 10**12),
    "mapping_lrmul": (*NUMBER, True),
    "truncation_psi": ("x", [1], np.zeros(3), math.nan, True),
    "truncation_cutoff": ("x", 0.5, -1, math.nan),
    "use_styles": FLAG,
    "const_input": FLAG,
    "use_noise": FLAG,
}


@pytest.fixture(scope="module")
def whole():
    G = networks.Generator(**OPTIONS)
    return dict(G.options), {name: np.asarray(variable) for name, variable in networks.named_weights(G).items()}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in IMPOSSIBLE.items() for value in values])
def test_impossible_options_are_named(whole, name, value):
    options, weights = whole
    with pytest.raises(UserError, match=f"impossible option: {name}"):
        check_generator(options | {name: value}, weights)


def test_whole_networks_pass(whole):
    check_generator(*whole)
    D = small_discriminator()
    options = {name: value for name, value in D.get_config().items() if name not in ("name", "trainable", "dtype")}
    check_discriminator(options, {name: np.asarray(variable) for name, variable in networks.named_weights(D).items()})


def test_other_weights_and_options_are_named(whole):
    options, weights = whole
    with pytest.raises(UserError, match="Missing: w_avg"):
        check_generator(options, {name: array for name, array in weights.items() if name != "w_avg"})
    with pytest.raises(UserError, match="Not expected: odd"):
        check_generator(options, weights | {"odd": np.zeros(3)})
    with pytest.raises(UserError, match=r"w_avg of G must have the shape \(5,\)"):
        check_generator(options, weights | {"w_avg": np.zeros(4)})
    for odd in (3, "x", None, [1.0] * 5):
        with pytest.raises(UserError, match=r"w_avg of G must have the shape \(5,\)"):
            check_generator(options, weights | {"w_avg": odd})
    with pytest.raises(UserError, match="must be real numbers"):
        check_generator(options, weights | {"w_avg": np.zeros(5, complex)})
    for odd in ([], None, 1.0):
        with pytest.raises(UserError, match="must be a dictionary"):
            check_generator(odd, weights)
        with pytest.raises(UserError, match="must be a dictionary"):
            check_generator(options, odd)
    with pytest.raises(UserError, match="Missing or not known: 'extra'"):
        check_generator(options | {"extra": 1}, weights)
    with pytest.raises(UserError, match="no mapping layers"):
        check_generator(options | {"mapping_layers": 0}, weights)


def test_a_claim_costs_nothing(whole):  # 2^24 features in every layer: refused by the shapes, nothing is made
    options, weights = whole
    wide = options | {"fmap_base": 1 << 24, "fmap_max": 1 << 24, "w_dim": 1 << 24, "resolution": 1024}
    with pytest.raises(UserError, match="do not fit its options"):
        check_generator(wide, weights)


@pytest.mark.parametrize("options", [{}, {"label_size": 3}, {"use_noise": False}, {"use_styles": False}, {"const_input": False}])
def test_shapes_of_generators(options):
    G = networks.Generator(**OPTIONS | options)
    assert generator_shapes(G.options) == {name: tuple(variable.shape) for name, variable in networks.named_weights(G).items()}


@pytest.mark.parametrize("options", [{}, {"label_size": 3}, {"mbstd_group_size": 1}, {"mbstd_num_features": 2}])
def test_shapes_of_discriminators(options):
    D = small_discriminator(**options)
    assert discriminator_shapes(D.get_config()) == {name: tuple(variable.shape) for name, variable in networks.named_weights(D).items()}


def test_levels_of_detail():
    assert check_lod(1.5, 32) == 1.5
    assert check_lod(3, 32) == 3.0
    for lod in (-0.1, 3.1, math.nan, math.inf, "1", None, [1], 10**30):
        with pytest.raises(UserError, match="goes from 3 to 0"):
            check_lod(lod, 32)
