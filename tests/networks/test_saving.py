"""Configurations that round-trip, weights that survive a file, and the public names of weights."""

import dataclasses

import keras
import numpy as np
import pytest

from stylegan_tf import settings_text
from stylegan_tf.models.stylegan.discriminator import Discriminator
from stylegan_tf.models.stylegan.generator import Generator
from tests import flat_networks as networks

SMALL_G = {"resolution": 8, "z_dim": 5, "w_dim": 6, "mapping_layers": 2, "mapping_fmaps": 7, "fmap_base": 32, "fmap_max": 8}
SMALL_D = {"resolution": 8, "fmap_base": 32, "fmap_max": 8}
# Every argument with a value that is not its default.
UNUSUAL_G = {
    **SMALL_G, "channels": 1, "label_size": 3, "mapping_lrmul": 0.1, "mapping_nonlinearity": "relu", "normalize_latents": False,
    "use_wscale": False, "fmap_decay": 0.9, "use_styles": False, "const_input": False, "use_noise": False, "nonlinearity": "relu",
    "use_pixel_norm": True, "use_instance_norm": False, "blur_filter": (1, 3, 3, 1), "w_avg_beta": 0.9, "style_mixing_prob": 0.5,
    "truncation_psi": 0.3, "truncation_cutoff": 2, "fused_scale": False,
}  # fmt: skip
UNUSUAL_D = {
    **SMALL_D, "channels": 4, "label_size": 3, "fmap_decay": 0.9, "nonlinearity": "relu", "use_wscale": False, "mbstd_group_size": 2,
    "mbstd_num_features": 2, "blur_filter": None, "fused_scale": True,
}  # fmt: skip
CASES = [
    (Generator, SMALL_G), (Generator, UNUSUAL_G), (Generator, {**SMALL_G, "label_size": 3}),
    (Discriminator, SMALL_D), (Discriminator, UNUSUAL_D),
]  # fmt: skip


def outputs(network):
    """Outputs of a network for fixed inputs."""
    random = np.random.RandomState(0)
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]] if network.label_size else None
    if isinstance(network, Generator):
        return network(random.normal(0, 1, (4, network.z_dim)).astype(np.float32), labels, noise_mode="const").numpy()
    return network(random.normal(0, 1, (4, 8, 8, network.channels)).astype(np.float32), labels).numpy()


def make(kind, options, **more):
    """A network from settings and shape side by side."""
    settings, shape = settings_text.from_flat(kind.settings_type, options)
    return kind(settings, **shape, **more)


def perturbed(network):
    """The network with weights that no initialiser would give: a weight that is not reloaded is noticed."""
    random = np.random.RandomState(1)
    for variable in network.variables:
        variable.assign(variable.numpy() + random.normal(0, 0.3, variable.shape))
    return network


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_config_holds_every_argument(kind, options):
    network = make(kind, options)
    stored = network.get_config()
    flat = networks.flat_options(network)
    assert {name: flat[name] for name in options} == options
    assert stored["settings"] == settings_text.to_plain(network.settings)
    copy = kind.from_config(stored)
    assert copy.get_config() == stored
    assert copy.settings == network.settings
    assert [v.shape for v in copy.variables] == [v.shape for v in network.variables]


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_configs_of_version_1_are_read(kind, options):  # .keras files of it hold settings and shape side by side
    network = make(kind, options)
    old = {**network.get_config(), **networks.flat_options(network)}
    del old["settings"]
    assert kind.from_config(old).get_config() == network.get_config()


def test_unusual_options_are_all_the_options():
    for kind, unusual in ((Generator, UNUSUAL_G), (Discriminator, UNUSUAL_D)):
        settings = [field.name for field in dataclasses.fields(kind.settings_type)]
        assert {*settings, "resolution", "channels", "label_size"} == set(unusual)
        assert make(kind, unusual).shape_config.keys() == {"resolution", "channels", "label_size"}


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_a_keras_file_keeps_weights_and_outputs(tmp_path, kind, options):
    network = perturbed(make(kind, options))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert isinstance(loaded, kind)
    for name, variable in networks.named_weights(loaded).items():
        np.testing.assert_array_equal(variable.numpy(), networks.named_weights(network)[name].numpy(), err_msg=name)
    np.testing.assert_array_equal(outputs(loaded), outputs(network))


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_named_arrays_carry_a_network_over(kind, options):
    network = perturbed(make(kind, options, name="G_ema"))
    copy = make(kind, options)
    networks.assign_weights(copy, {name: variable.numpy() for name, variable in networks.named_weights(network).items()})
    np.testing.assert_array_equal(outputs(copy), outputs(network))


def test_names_of_weights_are_those_of_the_architecture():  # snapshots in the world hold these names: they must not change
    G = networks.named_weights(networks.Generator(**SMALL_G, label_size=3))
    assert sorted(G) == sorted(
        [
            "w_avg", "mapping/label_embedding", *(f"mapping/dense{i}/{k}" for i in (0, 1) for k in ("kernel", "bias")),
            "synthesis/4x4/const/const", *(f"synthesis/noise{i}" for i in range(4)),
            *(f"synthesis/{layer}/{k}" for layer in ("4x4/conv", "8x8/conv0_up", "8x8/conv1") for k in ("kernel",)),
            *(f"synthesis/{layer}/{k}" for layer in ("4x4/const", "4x4/conv", "8x8/conv0_up", "8x8/conv1")
              for k in ("noise_strength", "bias", "style/kernel", "style/bias")),
            *(f"synthesis/{side}/to_rgb/{k}" for side in ("4x4", "8x8") for k in ("kernel", "bias")),
        ]
    )  # fmt: skip
    dense = networks.named_weights(networks.Generator(**SMALL_G, const_input=False))
    assert dense["synthesis/4x4/dense/kernel"].shape == (6, 16 * 8)
    D = networks.named_weights(networks.Discriminator(**SMALL_D))
    layers = ("8x8/from_rgb", "8x8/conv0", "8x8/conv1_down", "4x4/from_rgb", "4x4/conv", "4x4/dense0", "4x4/dense1")
    assert sorted(D) == sorted(f"{layer}/{k}" for layer in layers for k in ("kernel", "bias"))


def test_weights_that_do_not_fit_are_refused_and_nothing_is_changed():
    D = networks.Discriminator(**SMALL_D)
    arrays = {name: variable.numpy() + 1 for name, variable in networks.named_weights(D).items()}
    before = D.get_weights()
    with pytest.raises(ValueError, match=r"Missing: \['4x4/conv/bias'\]"):
        networks.assign_weights(D, {name: array for name, array in arrays.items() if name != "4x4/conv/bias"})
    with pytest.raises(ValueError, match=r"Unknown: \['4x4/extra'\]"):
        networks.assign_weights(D, {**arrays, "4x4/extra": np.zeros(1)})
    with pytest.raises(ValueError, match=r"4x4/dense1/bias .* Received: \(2,\)"):
        networks.assign_weights(D, {**arrays, "4x4/dense1/bias": np.zeros(2)})
    for old, new in zip(before, D.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
