"""Official weights in our networks draw and judge what the original does."""

import numpy as np
import pytest
from stylegan_tf.legacy.arrays import read_official

from stylegan_tf import images
from stylegan_tf.legacy.names import discriminator_weights, generator_weights
from stylegan_tf.legacy.options import discriminator_options, generator_options
from tests import flat_networks as networks
from tests.closeness import assert_close
from tests.legacy.official_files import SMALL, SMALL_G, official_bytes
from tests.recorded import arrays, golden_path, nhwc


def make_networks(official):
    G = networks.Generator(**official.G_ema.options)
    networks.assign_weights(G, official.G_ema.weights)
    D = networks.Discriminator(**official.D.options)
    networks.assign_weights(D, official.D.weights)
    return G, D


def test_pictures_and_logits_of_an_official_pickle():
    recorded = arrays("official-small-32")
    G, D = make_networks(read_official(golden_path("official-small-32.pkl")))
    drawn = np.asarray(G(recorded["z"], noise_mode="const"))
    # Other kernels, other order of sums: the issue asks for 1e-4.
    assert np.abs(drawn - nhwc(recorded["images"])).max() < 1e-4
    assert np.abs(np.asarray(G(recorded["z"], truncation_psi=1, noise_mode="const")) - nhwc(recorded["images_psi1"])).max() < 1e-4
    assert np.abs(np.asarray(D(nhwc(recorded["D_images"]))) - recorded["D_scores"]).max() < 1e-4
    assert np.abs(images.to_uint8(drawn).astype(int) - recorded["images_uint8_nhwc"]).max() <= 1


def test_256_pixels_cross_the_limit_of_fused_layers():
    variables, recorded = arrays("net256_vars"), arrays("net256_io")
    kwargs = {"resolution": 256, "num_channels": 3, "fmap_base": 512, "fmap_max": 16}
    options = generator_options(kwargs | {"latent_size": 32, "dlatent_size": 32, "mapping_fmaps": 32})
    named = {name.removeprefix("G/").replace("G_", ""): array for name, array in variables.items() if name.startswith("G/")}
    G = networks.Generator(**options | {"fused_scale": "auto"})
    networks.assign_weights(G, generator_weights(named, options))
    drawn = np.asarray(G(recorded["z"], noise_mode="const"))
    assert_close(drawn, nhwc(recorded["G_default_psi0.7_cut8"]), 1e-4)

    options = discriminator_options(kwargs)
    D = networks.Discriminator(**options)
    named = {name.removeprefix("D/"): array for name, array in variables.items() if name.startswith("D/")}
    networks.assign_weights(D, discriminator_weights(named, options))
    assert_close(np.asarray(D(nhwc(recorded["D_images"]))), recorded["D_linear_lod0"], 1e-4)


@pytest.mark.parametrize(
    ("G_kwargs", "D_kwargs"),
    [
        ({}, {}),
        ({"label_size": 3}, {"label_size": 3}),
        ({"use_styles": False, "const_input_layer": False, "use_noise": False}, {"mbstd_group_size": 1}),
        ({"mapping_layers": 0, "dlatent_size": 6}, {"mbstd_num_features": 2}),
        ({"fused_scale": True, "resolution": 16}, {"resolution": 16, "fused_scale": True}),
    ],
)
def test_shapes_by_options_are_those_of_the_networks(tmp_path, G_kwargs, D_kwargs):
    (tmp_path / "official.pkl").write_bytes(official_bytes(SMALL_G | G_kwargs, SMALL | D_kwargs))
    make_networks(read_official(tmp_path / "official.pkl"))  # raises where a name or a shape differs
