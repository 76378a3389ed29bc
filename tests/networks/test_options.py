"""Every option of the networks at small sizes, against the slow NumPy networks."""

import keras
import numpy as np
import pytest

from stylegan_tf.errors import UserError
from tests import flat_networks as networks
from tests import reference_numpy
from tests.closeness import assert_close

# float32 against float64 over at most a dozen layers of sums of up to 100 products: measured below 3e-6.
TOLERANCE = 2e-5

SMALL_G = {"resolution": 8, "z_dim": 5, "w_dim": 6, "mapping_layers": 2, "mapping_fmaps": 7, "fmap_base": 32, "fmap_max": 8}
SMALL_D = {"resolution": 8, "fmap_base": 32, "fmap_max": 8}

G_OPTIONS = {
    "F: all": {},
    "B: tuned": {"use_styles": False, "use_pixel_norm": True, "use_instance_norm": False, "mapping_layers": 0, "z_dim": 6,
                 "const_input": False, "use_noise": False, "style_mixing_prob": None},
    "C: mapping and styles": {"const_input": False, "use_noise": False},
    "D: constant input": {"use_noise": False},
    "conditional": {"label_size": 3},
    "pixel and instance norm": {"use_pixel_norm": True},
    "no norm": {"use_instance_norm": False},
    "no styles, constant input": {"use_styles": False},
    "dense input, no styles, noise": {"use_styles": False, "const_input": False},
    "relu": {"nonlinearity": "relu"},
    "relu mapping": {"mapping_nonlinearity": "relu"},
    "latents as they are": {"normalize_latents": False},
    "no equalised learning rate": {"use_wscale": False},
    "lrmul 1": {"mapping_lrmul": 1.0},
    "no blur": {"blur_filter": None},
    "wide blur": {"blur_filter": (1, 3, 3, 1)},
    "grey": {"channels": 1},
    "RGBA": {"channels": 4},
    "fmap_decay": {"fmap_decay": 2.0, "fmap_base": 64},
    "fused": {"fused_scale": True},
    "unfused": {"fused_scale": False},
    "4x4": {"resolution": 4},
    "16x16": {"resolution": 16, "fmap_base": 64},
    "one mapping layer": {"mapping_layers": 1},
    "16 mapping layers": {"mapping_layers": 16, "mapping_lrmul": 1.0},
}  # fmt: skip
D_OPTIONS = {
    "all": {},
    "conditional": {"label_size": 3},
    "relu": {"nonlinearity": "relu"},
    "no equalised learning rate": {"use_wscale": False},
    "no statistics": {"mbstd_group_size": 0},
    "groups of one: no statistics": {"mbstd_group_size": 1},
    "groups of two": {"mbstd_group_size": 2},
    "two statistics": {"mbstd_num_features": 2},
    "no blur": {"blur_filter": None},
    "wide blur": {"blur_filter": (1, 3, 3, 1)},
    "grey": {"channels": 1},
    "RGBA": {"channels": 4},
    "fmap_decay": {"fmap_decay": 2.0, "fmap_base": 64},
    "fused": {"fused_scale": True},
    "unfused": {"fused_scale": False},
    "4x4": {"resolution": 4},
    "16x16": {"resolution": 16, "fmap_base": 64},
}


def with_random_weights(network, seed=0):
    """Gives every weight a value of a sensible size that is neither 0 nor 1, so that every term counts."""
    random = np.random.RandomState(seed)
    for variable in network.variables:
        is_scaled = variable.path.endswith("kernel") and len(variable.shape) > 1
        spread = np.std(variable.numpy()) if is_scaled else 0.5
        variable.assign(random.normal(0, spread or 0.5, variable.shape))
    return network, {name: variable.numpy() for name, variable in networks.named_weights(network).items()}


def inputs(options, batch=4):
    """z and labels (None for an unconditional network)."""
    random = np.random.RandomState(1)
    labels = np.eye(options["label_size"], dtype=np.float32)[np.arange(batch) % 3] if options.get("label_size") else None
    return random.normal(0, 1, (batch, options.get("z_dim", 1))).astype(np.float32), labels


def lods(options):
    """Steady and fading levels that the resolution has."""
    return {4: [0], 8: [0, 0.3, 1]}.get(options["resolution"], [0, 0.3, 1, 1.7, 2])


@pytest.mark.parametrize("option", G_OPTIONS)
def test_generator_equals_numpy(option):
    options = {**SMALL_G, **G_OPTIONS[option]}
    G, weights = with_random_weights(networks.Generator(**options))
    z, labels = inputs(options)
    ws = G.mapping(z, labels)
    w = reference_numpy.mapping(weights, z, labels, **options)
    assert ws.shape == (4, G.num_layers if options.get("use_styles", True) else 1, options["w_dim"])
    assert_close(ws, np.repeat(w[:, None], ws.shape[1], axis=1), TOLERANCE, "ws")
    ws = np.random.RandomState(2).normal(0, 1, ws.shape).astype(np.float32)  # another style for every layer
    for lod in lods(options):
        images = G.synthesis(ws, noise_mode="const", lod=lod)
        assert_close(images, reference_numpy.synthesis(weights, np.float64(ws), lod, **options), TOLERANCE, lod)


@pytest.mark.parametrize("option", D_OPTIONS)
def test_discriminator_equals_numpy(option):
    options = {**SMALL_D, **D_OPTIONS[option]}
    D, weights = with_random_weights(networks.Discriminator(**options))
    _, labels = inputs(options, batch=8)
    for lod in lods(options):
        side = options["resolution"] >> int(lod)
        images = np.random.RandomState(3).normal(0, 1, (8, side, side, options.get("channels", 3))).astype(np.float32)
        logits = D(images, labels, lod=lod)
        assert_close(logits, reference_numpy.discriminator(weights, images, labels, lod, **options), TOLERANCE, lod)


@pytest.mark.parametrize("resolution", [4, 8, 16, 32, 64])
def test_every_resolution_at_its_smallest_and_largest_level(resolution):
    options = {**SMALL_G, "resolution": resolution, "fmap_base": 4 * resolution}
    G = networks.Generator(**options)
    D = networks.Discriminator(resolution=resolution, fmap_base=4 * resolution, fmap_max=8)
    z, _ = inputs(options)
    for lod in {0, np.log2(resolution) - 2}:
        images = G(z, lod=lod)
        assert images.shape == (4, resolution >> int(lod), resolution >> int(lod), 3)
        assert D(images, lod=lod).shape == (4, 1)


@pytest.mark.parametrize("resolution", [0, 2, 3, 24, 2048])
def test_other_resolutions_are_refused(resolution):
    for network in (networks.Generator, networks.Discriminator):
        with pytest.raises(UserError, match="power of two"):
            network(resolution=resolution)


def test_a_mapping_network_without_layers_needs_equal_widths_and_no_labels():
    for options in ({"z_dim": 4, "w_dim": 8}, {"z_dim": 8, "w_dim": 8, "label_size": 2}):
        with pytest.raises(ValueError, match="z_dim == w_dim"):
            networks.Generator(**{**SMALL_G, "mapping_layers": 0, **options})


def test_a_conditional_network_asks_for_labels():
    G, D = networks.Generator(**SMALL_G, label_size=3), networks.Discriminator(**SMALL_D, label_size=3)
    with pytest.raises(ValueError, match=r"labels \[N, 3\] are needed"):
        G(np.zeros([1, 5], np.float32))
    with pytest.raises(ValueError, match=r"labels \[N, 3\] are needed"):
        D(np.zeros([1, 8, 8, 3], np.float32))


def test_an_unknown_nonlinearity_names_the_known_ones():
    with pytest.raises(ValueError, match="nonlinearity must be one of lrelu, relu"):
        networks.Generator(**SMALL_G, nonlinearity="gelu")


def test_an_odd_batch_fails_in_the_minibatch_statistics():
    with pytest.raises(ValueError, match="multiple"):
        networks.Discriminator(**SMALL_D)(np.zeros([6, 8, 8, 3], np.float32))


@pytest.mark.parametrize("name", ["relu", "lrelu"])
def test_fresh_weights_keep_the_size_of_activations(name):  # that is what the gains are for
    keras.utils.set_random_seed(0)
    G = networks.Generator(**{**SMALL_G, "mapping_fmaps": 512, "w_dim": 512, "z_dim": 512, "mapping_layers": 8}, mapping_nonlinearity=name)
    w = G.mapping.map_once(np.random.RandomState(0).normal(0, 1, (64, 512)).astype(np.float32)).numpy()
    assert 0.5 < np.mean(w**2) < 2  # 8 layers of gain 1.4 too much would make 256, of 1.4 too little 0.004
