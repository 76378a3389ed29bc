"""The package as a library: public names, and images of seeds from loaded networks."""

import pydoc
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import generate
import stylegan_tf
from stylegan_tf import command_line, networks, snapshot
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.loading import find_snapshot
from tests.inference.small_network import small_discriminator, small_generator

CLASSES = ["hat", "dress", "shirt"]


@pytest.fixture(scope="module", name="file")
def conditional_network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network-final.pkl"
    G, D = small_generator(label_size=3), small_discriminator(label_size=3)
    snapshot.save_networks(path, snapshot.Networks(G, D, G, nimg=2000, dataset={"class_names": CLASSES}))
    return path


def test_public_names_are_there_without_an_import():
    assert stylegan_tf.Generator is stylegan_tf.networks.Generator is networks.Generator
    assert stylegan_tf.Discriminator is networks.Discriminator
    assert [name for name in dir(stylegan_tf) if not name.startswith("_")] == [
        "Discriminator", "Generator", "load", "networks", "to_float", "to_uint8",
    ]  # fmt: skip
    np.testing.assert_array_equal(stylegan_tf.to_uint8(np.float32([-4.3, -1, 1, 3.2])), [0, 0, 255, 255])
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        stylegan_tf.nothing  # noqa: B018


def test_help_describes_the_library():
    text = pydoc.plain(pydoc.render_doc(stylegan_tf))
    for name in ("nets.draw", "load(path", "stylegan_tf.Generator(", "to_uint8("):
        assert name in text
    assert len(text.splitlines()) < 120  # it had 3,000 lines, nearly all of them about methods of Keras


def test_names_that_need_no_tensorflow_do_not_import_it():
    code = "import sys, stylegan_tf; dir(stylegan_tf), stylegan_tf.load, stylegan_tf.to_uint8; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False).returncode == 0


def test_draw_makes_the_images_of_generate(file, tmp_path):
    nets = stylegan_tf.load(file)
    arguments = ["images", "--network", file, "--seeds", "1-9", "--trunc", "0.5", "--outdir", tmp_path]
    assert command_line.run(generate.main, [*map(str, arguments)]) == 0
    images = nets.draw(range(1, 10), psi=0.5)
    assert (images.shape, images.dtype) == ((9, 8, 8, 3), np.uint8)
    for image, path in zip(images, sorted(tmp_path.glob("*.png")), strict=True):
        assert np.abs(image.astype(int) - np.asarray(Image.open(path))).max() <= 1
    assert images._repr_png_().startswith(b"\x89PNG")


def test_labels_of_draw(file):
    nets = stylegan_tf.load(file)
    dress = nets.draw([4, 5], label="dress")
    for label in (1, "1", [0, 1, 0]):
        np.testing.assert_array_equal(nets.draw([4, 5], label=label), dress)
    assert (nets.draw([4, 5], label="hat") != dress).any()
    np.testing.assert_array_equal(nets.draw(4, label="dress"), dress[:1])
    assert repr(nets) == f"<Networks G, D and G_ema: stylegan 8x8x3, labels of 3 numbers, kimg 2.0, from {file}>"


@pytest.mark.parametrize(
    ("seeds", "options", "message"),
    [
        ([], {}, "At least one seed"),
        (-1, {}, "Seeds are from 0"),
        (1, {"label": "coat"}, "Classes are 0 to 2 or hat, dress, shirt"),
        (1, {"label": [1, 0]}, "has 3 numbers"),
    ],
)
def test_what_draw_refuses(file, seeds, options, message):
    with pytest.raises(UserError, match=message):
        stylegan_tf.load(file).draw(seeds, **options)


def test_psi_and_labels_are_refused_where_the_model_has_none():
    G, D = networks.DCGANGenerator(resolution=8), networks.DCGANDiscriminator(resolution=8)
    nets = snapshot.Networks(G, D, G, model="dcgan")
    assert nets.draw([1, 2]).shape == (2, 8, 8, 3)
    with pytest.raises(UserError, match="psi needs a model with styles"):
        nets.draw([1], psi=0.5)
    with pytest.raises(UserError, match="without classes"):
        nets.draw([1], label="oak")


def test_missing_networks_list_the_runs_that_there_are(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError, match=r"results/00009-leaves does not exist\. Expected a snapshot.*official pickle\.$"):
        stylegan_tf.load("results/00009-leaves")
    for run in ("00000-oak", "00001-leaves", "00002-begun"):
        (tmp_path / "results" / run).mkdir(parents=True)
    for name in ("network-snapshot-000010.pkl", "network-final.pkl"):
        shutil.copy(file, tmp_path / "results/00001-leaves" / name)
    shutil.copy(file, tmp_path / "results/00000-oak")
    runs = "Runs with snapshots: results/00000-oak, results/00001-leaves."
    with pytest.raises(MissingFileError, match=rf"Did you mean results/00001-leaves\? {runs}"):
        stylegan_tf.load("results/00009-leaves")
    with pytest.raises(MissingFileError, match=rf"00002-begun contains no network snapshot.*{runs}"):
        stylegan_tf.load("results/00002-begun")
    with pytest.raises(MissingFileError, match=runs):  # a wrong folder altogether
        stylegan_tf.load("elsewhere/x")
    with pytest.raises(MissingFileError, match=r"Did you mean network-final\.pkl\? Snapshots in results/00001-leaves: network-snapshot"):
        stylegan_tf.load("results/00001-leaves/network-fnal.pkl")


def test_a_folder_of_runs_means_its_newest_run_with_a_snapshot(file, tmp_path):
    for run in ("00000-oak", "00001-leaves", "00002-begun"):
        (tmp_path / run).mkdir()
    shutil.copy(file, tmp_path / "00000-oak/network-final.pkl")
    shutil.copy(file, tmp_path / "00001-leaves/network-snapshot-000010.pkl")
    assert find_snapshot(tmp_path) == tmp_path / "00001-leaves/network-snapshot-000010.pkl"
