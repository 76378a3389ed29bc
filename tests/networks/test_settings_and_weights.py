"""Settings, shape and weights of a network in a file: what is impossible or does not fit is refused before a network is built."""

import dataclasses
import math
import resource

import keras
import numpy as np
import pytest

from stylegan_tf import settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.models.stylegan.discriminator import Discriminator
from stylegan_tf.models.stylegan.generator import Generator
from stylegan_tf.models.weights import check_weights, named_weights, weight_arrays, weight_shapes
from stylegan_tf.resolution import check_lod
from stylegan_tf.snapshot import make_generator, make_networks
from stylegan_tf.snapshot_file import NetworkArrays, NetworkShape, SnapshotContents
from tests.flat_networks import flat_options
from tests.inference.small_network import OPTIONS, small_discriminator, small_generator

NUMBER, FLAG = ("x", None, [1], np.zeros(3), math.nan, math.inf), ("x", None, 1, 0.5, [True])
IMPOSSIBLE = {
    "resolution": (*NUMBER, 48, 2, 2048, 8.5, True),
    "channels": (*NUMBER, 0, 2, 5),
    "label_size": (*NUMBER, -1, 1.5, 10**12),
    "fmap_base": (*NUMBER, 0, -1, 0.5, 10**12),
    "fmap_decay": (*NUMBER, 1000, -1000),
    "fmap_max": (*NUMBER, 0, 10**12),
    "nonlinearity": (1, None, "gelu", ["lrelu"]),
    "use_wscale": FLAG,
    "blur_filter": ("121", 1, (), (1, "2"), (1, math.nan), (1,) * 100, [1, None]),
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
    """Contents of a snapshot of which nothing is wrong."""
    G, D = small_generator(), small_discriminator()
    arrays = [NetworkArrays(network.settings, weight_arrays(network)) for network in (G, D)]
    return SnapshotContents("here.pkl", "stylegan", NetworkShape(**G.shape_config), arrays[0], arrays[1], arrays[0])


def changed(contents, network, settings=(), **changes):
    """The contents with other settings or weights of one network."""
    old = getattr(contents, network)
    new = dataclasses.replace(old, settings=dataclasses.replace(old.settings, **dict(settings)), **changes)
    return dataclasses.replace(contents, **{network: new})


def read_options(kind, options):
    """Settings and shape from one dictionary, as files of version 1 hold them."""
    settings, rest = settings_text.from_flat(kind.settings_type, options)
    return settings, settings_text.from_plain(NetworkShape, rest)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in IMPOSSIBLE.items() for value in values])
def test_impossible_options_are_named(name, value):
    options = flat_options(small_generator()) | {name: value}
    with pytest.raises(UserError, match=f"^{name} must"):
        read_options(Generator, options)


def test_options_in_other_types_of_the_same_meaning_are_read():  # JSON has no tuples, and some programs write 8.0 for 8
    options = flat_options(small_generator())
    assert read_options(Generator, options | {"resolution": 8.0, "blur_filter": [1, 2, 1], "fmap_base": np.float64(16)}) == read_options(
        Generator, options
    )


def test_missing_and_unknown_options_are_named():
    options = flat_options(small_generator())
    with pytest.raises(UserError, match="Unknown setting extra"):
        read_options(Generator, options | {"extra": 1})
    with pytest.raises(UserError, match="resolution is missing"):
        read_options(Generator, {name: value for name, value in options.items() if name != "resolution"})
    for odd in ([], None, 1.0):
        with pytest.raises(UserError, match="must be a dictionary"):
            read_options(Generator, odd)


def test_whole_contents_become_networks(whole):
    networks = make_networks(whole)
    for name in ("G", "D", "G_ema"):
        arrays = weight_arrays(getattr(networks, name))
        assert arrays.keys() == getattr(whole, name).weights.keys()
        for key, array in arrays.items():
            np.testing.assert_array_equal(array, getattr(whole, name).weights[key])
    for key, array in weight_arrays(make_generator(whole)).items():
        np.testing.assert_array_equal(array, whole.G_ema.weights[key])


def test_weights_that_do_not_fit_are_named(whole):
    weights = dict(whole.G.weights)
    shapes = weight_shapes(lambda: Generator(whole.G.settings, resolution=8))
    check_weights(weights, shapes, "G")
    with pytest.raises(UserError, match="Missing: w_avg"):
        check_weights({name: array for name, array in weights.items() if name != "w_avg"}, shapes, "G")
    with pytest.raises(UserError, match="Not expected: odd"):
        check_weights(weights | {"odd": np.zeros(3)}, shapes, "G")
    for odd in (np.zeros(4), 3, "x", None, [1.0] * 5):
        with pytest.raises(UserError, match=r"w_avg of G must have the shape \(5,\)"):
            check_weights(weights | {"w_avg": odd}, shapes, "G")
    with pytest.raises(UserError, match="must be real numbers"):
        check_weights(weights | {"w_avg": np.zeros(5, complex)}, shapes, "G")
    for odd in ([], None, 1.0):
        with pytest.raises(UserError, match="must be a dictionary"):
            check_weights(odd, shapes, "G")


@pytest.mark.parametrize("network", ["G", "D", "G_ema"])
def test_contents_that_do_not_fit_name_file_and_network(whole, network):
    weights = dict(getattr(whole, network).weights)
    weights.pop(next(iter(weights)))
    with pytest.raises(UserError, match=rf"here\.pkl .*weights of {network} do not fit its settings. Missing: "):
        make_networks(changed(whole, network, weights=weights))


def test_settings_that_no_network_can_have_are_refused(whole):
    with pytest.raises(UserError, match=r"here\.pkl .*without layers"):
        make_networks(changed(whole, "G_ema", {"mapping_layers": 0}))


def test_a_claim_costs_no_memory(whole):  # 2^24 features in every layer are terabytes: refused by the shapes
    huge = {"fmap_base": 1 << 24, "fmap_max": 1 << 24, "w_dim": 1 << 24}
    contents = dataclasses.replace(changed(whole, "G", huge), shape=NetworkShape(1024, 3, 0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="do not fit its settings"):
        make_networks(contents)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB; one kernel of these widths is 10^13


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        *[(Generator, changes) for changes in ({}, {"label_size": 3}, {"use_noise": False}, {"use_styles": False}, {"const_input": False},
                                               {"channels": 1, "mapping_layers": 1}, {"resolution": 16, "fmap_decay": 0.5})],
        *[(Discriminator, changes) for changes in ({}, {"label_size": 3}, {"mbstd_group_size": 1}, {"mbstd_num_features": 2})],
    ],
)  # fmt: skip
def test_shapes_are_those_of_a_built_network(kind, changes):
    known = {"resolution", "channels", "label_size", *(field.name for field in dataclasses.fields(kind.settings_type))}
    settings, shape = settings_text.from_flat(kind.settings_type, {k: v for k, v in (OPTIONS | changes).items() if k in known})

    def make():
        return kind(settings, **shape)

    shapes, trained = weight_shapes(make), weight_shapes(make, only_trainable=True)
    network = make()  # after the shapes: it must be an ordinary network
    assert shapes == {name: tuple(variable.shape) for name, variable in named_weights(network).items()}
    assert trained.keys() == {name for name, variable in named_weights(network).items() if variable.trainable}
    for name, array in weight_arrays(network).items():
        assert array.std() > 0 or name.rsplit("/", 1)[-1] in ("bias", "noise_strength", "const", "w_avg"), name


@pytest.mark.parametrize("fails", [False, True])
def test_shapes_leave_nothing_behind(fails):
    settings, shape = settings_text.from_flat(Generator.settings_type, OPTIONS)
    keras.utils.set_random_seed(1)
    expected = weight_arrays(Generator(settings, **shape))
    keras.utils.set_random_seed(1)
    made = []

    def make():
        made.append(Generator(settings, **shape))
        if fails:
            raise ZeroDivisionError
        return made[0]

    try:
        weight_shapes(make)
    except ZeroDivisionError:
        assert fails
    network = Generator(settings, **shape)  # the same weights as if no shapes had been asked for
    for name, array in weight_arrays(network).items():
        np.testing.assert_array_equal(array, expected[name])
    with keras.StatelessScope():  # Keras initialises what is waiting at the end of such a scope
        pass
    assert all(variable._value is None for variable in made[0].variables)


def test_levels_of_detail():
    assert check_lod(1.5, 32) == 1.5
    assert check_lod(3, 32) == 3.0
    for lod in (-0.1, 3.1, math.nan, math.inf, "1", None, [1], 10**30):
        with pytest.raises(UserError, match="is from 3 to 0"):
            check_lod(lod, 32)
