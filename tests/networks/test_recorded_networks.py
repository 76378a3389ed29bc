"""The original's 32x32 and 256x256 networks: images, styles, logits and gradients at every level of growth."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.images import to_uint8
from stylegan_tf.resolution import Lod
from tests import flat_networks as networks
from tests.closeness import assert_close
from tests.recorded import NET32, NET256, WIDTHS32, WIDTHS256, arrays, nhwc, our_weights, repeat, shrink

# Ten layers of float32 sums in another order; measured 1e-7 to 4e-6. Two builds of the original differ by 7.4e-6.
TOLERANCE = 1e-5
# Logits are sums that nearly cancel (0.07 from terms of size 1): measured up to 1.1e-5.
LOGIT_TOLERANCE = 3e-5
# 256x256: 14 layers; measured 8.2e-6 on the image.
TOLERANCE_256 = 2e-5

LODS = [0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3]


@pytest.fixture(scope="module")
def io():
    return arrays("net32_io")


def full_size(images, lod):
    """Images of a level as the original returns them: repeated to full size."""
    return repeat(np.asarray(images), 2 ** int(lod))


def own_size(images, lod):
    """Recorded full-size images at the size that D works at."""
    return shrink(nhwc(images), 2 ** int(lod))


def test_mapping(G32, io):
    assert_close(G32.mapping(io["z"]), io["dlatents"], TOLERANCE)


def test_truncation(G32, io):
    assert_close(G32.truncate(io["dlatents"], 0.7, 8), io["dlatents_trunc_psi0.7_cut8"], TOLERANCE)


@pytest.mark.parametrize("lod", LODS)
def test_synthesis_at_every_lod(G32, io, lod):
    images = G32.synthesis(io["dlatents"], noise_mode="const", lod=lod)
    assert images.shape == (4, 32 >> int(lod), 32 >> int(lod), 3)
    for structure in ("linear", "recursive"):  # two ways of the original to grow, of equal results
        assert_close(full_size(images, lod), nhwc(io[f"synth_{structure}_lod{lod}"]), TOLERANCE, structure)


def test_fade_may_be_a_tensor(G32, io):
    images = G32.synthesis(io["dlatents"], noise_mode="const", lod=Lod(1, tf.constant(0.5)))
    assert_close(full_size(images, 1.5), nhwc(io["synth_linear_lod1.5"]), TOLERANCE)


@pytest.mark.parametrize(
    ("key", "truncation"),
    [
        ("G_default_psi0.7_cut8", {}),
        ("G_psi0.5_cut4", {"truncation_psi": 0.5, "truncation_cutoff": 4}),
        ("G_psi-0.7_cutNone", {"truncation_psi": -0.7, "truncation_cutoff": None}),  # no cutoff, no truncation
        ("G_psi1", {"truncation_psi": 1}),
        ("G_is_validation", {"truncation_psi": None}),
        ("train_nomix_img", {"truncation_psi": None}),
        ("synth_fixed_lod0", {"truncation_psi": None}),
    ],
)
def test_whole_generator(G32, io, key, truncation):
    assert_close(G32(io["z"], noise_mode="const", **truncation), nhwc(io[key]), TOLERANCE)


def test_generator_as_uint8(G32, io):
    images = G32(io["z"], noise_mode="const").numpy()
    recorded = io["G_default_uint8_nhwc"].astype(int)
    pixels = to_uint8(images).astype(int)
    # A value that falls between two levels may round either way: a share of 256 * 4e-6 of the pixels, by one level.
    assert np.abs(pixels - recorded).max() <= 1
    assert np.mean(pixels != recorded) < 2e-3


@pytest.mark.parametrize(("lod", "cutoff"), [(0, 3), (0, 1), (1.5, 2)])
def test_style_mixing(G32, io, lod, cutoff):
    w, w_mix = G32.mapping.map_once(io["z"]), G32.mapping.map_once(io["mix_z2"])
    images = G32.synthesis(G32.mix_styles(w, w_mix, cutoff), noise_mode="const", lod=lod)
    assert_close(full_size(images, lod), nhwc(io[f"mix_img_lod{lod}_cut{cutoff}"]), TOLERANCE)


@pytest.mark.parametrize("lod", [0, 1.5])
def test_gradient_of_images_by_styles(G32, io, lod):
    ws = tf.constant(io["dlatents"])
    cotangent = own_size(io["synth_cot"], lod) * 4 ** int(lod)  # sums over the pixels that one of ours stands for
    with tf.GradientTape() as tape:
        tape.watch(ws)
        total = tf.reduce_sum(G32.synthesis(ws, noise_mode="const", lod=lod) * cotangent)
    assert_close(tape.gradient(total, ws), io[f"synth_grad_dlatents_lod{lod}"], TOLERANCE)


@pytest.mark.parametrize("lod", LODS)
def test_logits_at_every_lod(D32, io, lod):
    logits = D32(own_size(io["D_images"], lod), lod=lod)
    for structure in ("linear", "recursive"):
        assert_close(logits, io[f"D_{structure}_lod{lod}"], LOGIT_TOLERANCE, structure)


@pytest.mark.parametrize("lod", [0, 1.5])
def test_images_and_logits_of_programs_compiled_with_xla(G32, D32, io, lod):
    images = tf.function(lambda ws: G32.synthesis(ws, noise_mode="const", lod=lod), jit_compile=True)(io["dlatents"])
    assert_close(full_size(images, lod), nhwc(io[f"synth_linear_lod{lod}"]), TOLERANCE)
    logits = tf.function(lambda images: D32(images, lod=lod), jit_compile=True)(own_size(io["D_images"], lod))
    assert_close(logits, io[f"D_linear_lod{lod}"], LOGIT_TOLERANCE)


def test_logits_of_the_fixed_structure(D32, io):
    assert_close(D32(nhwc(io["D_images"])), io["D_fixed_lod0"], LOGIT_TOLERANCE)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_logits_of_small_batches(D32, io, batch):  # one group of the minibatch statistics, whatever its size
    assert_close(D32(nhwc(io["D_images"])[:batch]), io[f"D_lod0_first{batch}"], LOGIT_TOLERANCE)


@pytest.mark.parametrize("lod", [0, 1.5])
def test_gradient_of_logits_by_images(D32, io, lod):
    images = tf.constant(own_size(io["D_images"], lod))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(D32(images, lod=lod))
    gradient = full_size(tape.gradient(total, images), lod) / 4 ** int(lod)
    assert_close(gradient, nhwc(io[f"D_grad_images_lod{lod}"]), TOLERANCE)


def test_everything_recorded_of_the_32x32_networks_is_tested(io):
    prefixes = ("synth_", "D_", "G_", "mix_", "dlatents")
    seen = {f"{kind}_{structure}_lod{lod}" for kind in ("synth", "D") for structure in ("linear", "recursive") for lod in LODS}
    seen |= {"synth_fixed_lod0", "D_fixed_lod0", "G_default_psi0.7_cut8", "G_psi0.5_cut4", "G_psi-0.7_cutNone", "G_psi1",
             "G_is_validation", "G_default_uint8_nhwc", "synth_cot", "D_images", "mix_z2", "mix_img_lod0_cut3", "mix_img_lod0_cut1",
             "mix_img_lod1.5_cut2", "dlatents", "dlatents_trunc_psi0.7_cut8"}  # fmt: skip
    seen |= {f"D_lod0_first{n}" for n in (1, 2, 3, 4)}
    seen |= {f"{kind}_lod{lod}" for kind in ("synth_grad_dlatents", "D_grad_images") for lod in (0, 1.5)}
    seen |= {"G_default_uint8_nhwc_shrink2"}  # tests/test_images.py: the means are taken of pictures, not by the network
    assert {key for key in io if key.startswith(prefixes)} == seen


@pytest.mark.parametrize("fused_scale", [False, True])
@pytest.mark.parametrize("lod", [0, 1.5])
def test_fused_and_unfused_networks_agree(G32, D32, io, lod, fused_scale):
    G = networks.Generator(**NET32, **WIDTHS32, fused_scale=fused_scale)
    D = networks.Discriminator(**NET32, fused_scale=fused_scale)
    for network, source in ((G, G32), (D, D32)):
        networks.assign_weights(network, {name: value.numpy() for name, value in networks.named_weights(source).items()})
    images = full_size(G.synthesis(io["dlatents"], noise_mode="const", lod=lod), lod)
    assert_close(images, nhwc(io[f"synth_linear_lod{lod}"]), TOLERANCE)
    assert_close(D(own_size(io["D_images"], lod), lod=lod), io[f"D_linear_lod{lod}"], LOGIT_TOLERANCE)


@pytest.fixture(scope="module")
def pair256():
    """The 256x256 networks, whose kernels the original fused from 128x128 on."""
    recorded = arrays("net256_at_128")
    zeros = {f"synthesis/noise{layer}": np.zeros((256, 256), np.float32) for layer in (12, 13)}  # not in the copy
    G, D = networks.Generator(**NET256, **WIDTHS256), networks.Discriminator(**NET256)
    networks.assign_weights(G, {**zeros, **our_weights(recorded, "G", 256)})
    networks.assign_weights(D, our_weights(recorded, "D", 256))
    return G, D


def test_256x256_networks_at_128(pair256):
    G, D = pair256
    recorded = arrays("net256_at_128")
    assert_close(G.mapping(recorded["io/z"]), recorded["io/dlatents"], TOLERANCE_256)
    assert_close(G.truncate(recorded["io/dlatents"], 0.7, 8), recorded["io/dlatents_trunc_psi0.7_cut8"], TOLERANCE_256)
    images = full_size(G.synthesis(recorded["io/dlatents"], noise_mode="const", lod=1.5), 1.5)
    assert_close(images[:, ::4, ::4], nhwc(recorded["io/synth_linear_lod1.5_every4th"]), TOLERANCE_256)
    assert_close(D(nhwc(recorded["io/D_images_half"]), lod=1.5), recorded["io/D_linear_lod1.5"], LOGIT_TOLERANCE)


def test_256x256_networks_at_full_size(pair256):
    G, D = pair256
    io, variables = arrays("net256_io"), arrays("net256_vars")
    networks.assign_weights(G, our_weights(variables, "G", 256))
    for lod in (0, 0.5):
        images = G.synthesis(io["dlatents"], noise_mode="const", lod=lod)
        assert_close(images, nhwc(io[f"synth_linear_lod{lod}"]), TOLERANCE_256)
        assert_close(D(nhwc(io["D_images"]), lod=lod), io[f"D_linear_lod{lod}"], LOGIT_TOLERANCE)
    assert_close(G(io["z"], noise_mode="const"), nhwc(io["G_default_psi0.7_cut8"]), TOLERANCE_256)
    assert_close(D(nhwc(io["D_images"][:1])), io["D_lod0_first1"], LOGIT_TOLERANCE)
    images = tf.constant(nhwc(io["D_images"]))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(D(images))
    assert_close(tape.gradient(total, images), nhwc(io["D_grad_images_lod0"]), TOLERANCE_256)
