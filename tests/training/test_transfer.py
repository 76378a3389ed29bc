"""Transfer between networks: what is copied, cut, filled up and left fresh."""

import numpy as np
import pytest

from stylegan_tf import models, snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.models.stylegan import transfer as stylegan_transfer
from stylegan_tf.models.stylegan.model import MODEL as STYLEGAN
from stylegan_tf.models.weights import weight_arrays
from stylegan_tf.training import transfer
from tests import flat_networks as networks

SMALL = {"fmap_base": 64, "fmap_max": 4}


def build(resolution=8, *, seed=0, G=None, **options):
    import keras

    keras.utils.set_random_seed(seed)
    shape = {"resolution": resolution, **SMALL, **options}
    mapping = {"z_dim": 4, "w_dim": 4, "mapping_fmaps": 4, "mapping_layers": 2, **(G or {})}
    return snapshot.Networks(
        networks.Generator(**shape, **mapping), networks.Discriminator(**shape), networks.Generator(**shape, **mapping), source="old.pkl"
    )


def targets(bundle):
    return {"G": bundle.G, "D": bundle.D, "G_ema": bundle.G_ema}


def rows_by_name(rows, network="G"):
    return {row.name: row for row in rows if row.network == network}


def test_the_same_networks_are_copied_whole():
    old, new = build(), build(seed=1)
    rows = transfer.transfer(STYLEGAN, old, targets(new), min_share=1.0)
    assert {row.action for row in rows} == {"copied"}
    for which, network in targets(new).items():
        for name, array in weight_arrays(network).items():
            np.testing.assert_array_equal(array, weight_arrays(getattr(old, which))[name])


def test_a_larger_network_generates_the_same_small_images():
    old, new = build(8), build(16, seed=1)
    rows = transfer.transfer(STYLEGAN, old, targets(new), min_share=0.3)
    z = np.random.RandomState(0).randn(3, 4).astype(np.float32)
    options = {"truncation_psi": None, "noise_mode": "const"}
    np.testing.assert_allclose(new.G(z, lod=1.0, **options), old.G(z, lod=0.0, **options), atol=1e-5)
    images = np.random.RandomState(1).randn(4, 8, 8, 3).astype(np.float32)
    np.testing.assert_allclose(new.D(images, lod=1.0), old.D(images, lod=0.0), atol=1e-5)
    assert rows_by_name(rows)["synthesis/16x16/conv1/kernel"].action == "fresh"


def test_a_smaller_network_is_the_lower_part():
    old, new = build(16), build(8, seed=1)
    assert {row.action for row in transfer.transfer(STYLEGAN, old, targets(new), min_share=1.0)} == {"copied"}


def test_grey_from_colour_is_the_mean_of_the_channels():
    old, new = build(8, channels=3), build(8, seed=1, channels=1)
    transfer.transfer(STYLEGAN, old, targets(new), min_share=0.9)
    z = np.random.RandomState(0).randn(3, 4).astype(np.float32)
    options = {"truncation_psi": None, "noise_mode": "const"}
    grey = old.G(z, **options).numpy().mean(axis=3, keepdims=True)
    np.testing.assert_allclose(new.G(z, **options), grey, atol=1e-5)
    images = np.random.RandomState(1).randn(4, 8, 8, 1).astype(np.float32)
    np.testing.assert_allclose(new.D(images), old.D(np.repeat(images, 3, axis=3)), rtol=1e-4, atol=1e-5)


def test_classes_start_with_the_logit_of_all():
    old, new = build(8), build(8, seed=1, label_size=3)
    transfer.transfer(STYLEGAN, old, targets(new), min_share=0.8)
    images = np.random.RandomState(1).randn(4, 8, 8, 3).astype(np.float32)
    for kind in range(3):
        labels = np.eye(3, dtype=np.float32)[[kind] * 4]
        np.testing.assert_allclose(new.D(images, labels), old.D(images), rtol=1e-4, atol=1e-5)


def test_other_widths_are_cut_or_padded_by_feature():
    old, new = build(8), build(8, seed=1, fmap_max=6, G={"mapping_layers": 3})
    rows = rows_by_name(transfer.transfer(STYLEGAN, old, targets(new), min_share=0.1))
    style = rows["synthesis/8x8/conv1/style/bias"]
    assert (style.action, style.num_taken, style.shape) == ("resized", 8, (12,))
    old_bias, new_bias = (weight_arrays(nets.G)["synthesis/8x8/conv1/style/bias"] for nets in (old, new))
    np.testing.assert_array_equal(new_bias.reshape(2, 6)[:, :4], old_bias.reshape(2, 4))
    assert rows["mapping/dense2/kernel"].action == "fresh"
    kernel = rows["synthesis/8x8/conv1/kernel"]
    assert kernel.num_taken == 9 * 4 * 4


def test_minibatch_statistic_remains_the_last_feature():
    old, new = build(8), build(8, seed=1, fmap_max=6)
    transfer.transfer(STYLEGAN, old, targets(new), min_share=0.1)
    old_kernel, new_kernel = (weight_arrays(nets.D)["4x4/conv/kernel"] for nets in (old, new))
    np.testing.assert_allclose(new_kernel[:, :, -1, :4], old_kernel[:, :, -1] * np.sqrt(7 / 5), rtol=1e-6)


def test_too_little_is_refused_with_the_table():
    with pytest.raises(UserError, match=r"(?s)fit this configuration; transfer.min_share requires 90%.*copied.*resized.*fresh"):
        transfer.transfer(STYLEGAN, build(8), targets(build(32, seed=1)), min_share=0.9)


def test_another_model_is_refused():
    message = r"old\.pkl contains networks of the model stylegan; this run trains stylegan2\. Try a preset of stylegan \(--preset\)"
    with pytest.raises(UserError, match=message):
        transfer.transfer(models.find("stylegan2"), build(8), {}, min_share=0)


def test_table_adds_up():
    rows = transfer.transfer(STYLEGAN, build(8), targets(build(16, seed=1)), min_share=0.1)
    last = transfer.table(rows)
    total = next(line for line in last if line.startswith("all")).replace(",", "").split()[1:]
    assert sum(map(int, total)) == sum(row.size for row in rows)


def test_frozen_layers_are_counted_from_the_image():
    names = list(networks.named_weights(build(16).D))
    frozen = stylegan_transfer.frozen(names, 3)
    layers = {name.rsplit("/", 1)[0] for name in frozen}
    assert layers == {"16x16/conv0", "16x16/conv1_down", "8x8/conv0", "16x16/from_rgb", "8x8/from_rgb", "4x4/from_rgb"}
    assert stylegan_transfer.frozen(names, 0) == []
    with pytest.raises(UserError, match="D has 5 convolutions"):
        stylegan_transfer.frozen(names, 6)
