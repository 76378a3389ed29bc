"""Network snapshots as files: those of version 1 still load, those of today hold everything, others are refused by name."""

from pathlib import Path

import numpy as np
import pytest

from stylegan_tf import loading, models, safe_pickle, snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.models.weights import weight_arrays
from stylegan_tf.snapshot_file import NetworkShape, read_contents
from tests.inference.small_network import small_discriminator, small_generator

GOLDEN = Path(__file__).parents[1] / "golden"


def test_a_snapshot_of_version_1_computes_what_it_did():
    networks = loading.load(GOLDEN / "snapshot_v1.pkl")
    recorded = np.load(GOLDEN / "snapshot_v1.npz")
    labels = np.eye(8, dtype=np.float32)[[0, 1]]
    images = networks.G_ema(recorded["z"], labels, truncation_psi=1, noise_mode="const").numpy()
    np.testing.assert_allclose(images, recorded["images"], atol=1e-5)  # sums in another order on another machine
    logits = networks.D(images.repeat(2, axis=0), labels.repeat(2, axis=0)).numpy()
    np.testing.assert_allclose(logits, recorded["logits"], atol=1e-5)


def test_what_a_snapshot_of_version_1_says_of_its_run():
    contents = loading.read(GOLDEN / "snapshot_v1.pkl")
    assert (contents.model, contents.shape, contents.nimg, contents.lod) == ("stylegan", NetworkShape(8, 3, 8), 512, 0.0)
    assert contents.class_names[:2] == ("oak", "maple")
    assert (contents.G.settings.mapping_layers, contents.G.settings.fmap_max, contents.D.settings.blur_filter) == (4, 8, (1, 2, 1))
    settings = models.read_settings(contents.config)  # under the names of today
    assert (settings.model, settings.name, settings.G, settings.D) == ("stylegan", "demo", contents.G.settings, contents.D.settings)


def test_a_snapshot_comes_back_whole(tmp_path):
    G, D, G_ema = small_generator(1, label_size=2), small_discriminator(label_size=2), small_generator(2, label_size=2)
    about = {"nimg": 7, "lod": 0.5, "dataset": {"class_names": ["hat", "sock"]}, "config": {"name": "x"}}
    snapshot.save_networks(tmp_path / "new.pkl", snapshot.Networks(G, D, G_ema, **about))
    loaded = loading.load(tmp_path / "new.pkl")
    assert {name: getattr(loaded, name) for name in about} == about
    assert (loaded.model, loaded.source) == ("stylegan", str(tmp_path / "new.pkl"))
    for network, again in ((G, loaded.G), (D, loaded.D), (G_ema, loaded.G_ema)):
        assert (again.settings, again.shape_config) == (network.settings, network.shape_config)
        for name, array in weight_arrays(network).items():
            np.testing.assert_array_equal(weight_arrays(again)[name], array)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 3}, "format version 3; this library reads 1 and 2"),
        ({"format_version": True}, "format version True"),
        ({"format": "x"}, "is not a network snapshot"),
        ({"model": "gam"}, "Unknown model 'gam'. Known: stylegan"),
        ({"shape": {"resolution": 8, "channels": 3}}, "label_size is missing"),
        ({"G_settings": {"z_dim": 0}}, "z_dim must be from 1"),
        ({"lod": 2.0}, "lod of a 8x8 network is from 1 to 0"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, changes, message):
    G = small_generator()
    snapshot.save_networks(tmp_path / "odd.pkl", snapshot.Networks(G, small_discriminator(), G))
    safe_pickle.write_pickle(tmp_path / "odd.pkl", safe_pickle.read_pickle(tmp_path / "odd.pkl") | changes)
    with pytest.raises(UserError, match=rf"odd\.pkl.*{message}"):
        read_contents(tmp_path / "odd.pkl")
