"""Latents from seeds and files, labels from classes."""

import numpy as np
import pytest

from stylegan_tf import seeds
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.inference import latents


def test_latents_of_seeds_are_the_originals():  # RandomState(5).randn(1, 512), as in the original's example
    z = seeds.latents_from_seeds([5, 91], 512)
    np.testing.assert_array_equal(z[0], np.random.RandomState(5).randn(1, 512)[0].astype(np.float32))
    assert z.shape == (2, 512)
    # NumPy guarantees this stream.
    np.testing.assert_allclose(z[0, :3], [0.44122749, -0.33087015, 2.43077119], atol=1e-7)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_files_come_back(tmp_path, suffix):
    z = np.arange(6, dtype=np.float32).reshape(2, 3)
    latents.save_latents(tmp_path / f"z{suffix}", z=z)
    np.testing.assert_array_equal(latents.load_latents(tmp_path / f"z{suffix}", "z"), z)


def test_the_array_of_the_right_name_is_read(tmp_path):
    latents.save_latents(tmp_path / "both.npz", z=np.zeros((2, 3)), w=np.ones((2, 4, 5)))
    assert latents.load_latents(tmp_path / "both.npz", "z").shape == (2, 3)
    assert latents.load_latents(tmp_path / "both.npz", "w").shape == (2, 4, 5)
    with pytest.raises(UserError, match="one array"):
        latents.save_latents(tmp_path / "both.npy", z=np.zeros((2, 3)), w=np.ones((2, 4, 5)))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "of the shape"),
        (np.zeros((2, 3, 4, 5)), "of the shape"),
        (np.zeros((0, 3)), "of the shape"),
        (np.array([["a"]]), "plain numbers"),
        (np.full((1, 2), np.nan), "not finite"),
    ],
)
def test_files_of_other_things(tmp_path, array, message):
    np.save(tmp_path / "odd.npy", array)
    with pytest.raises(UserError, match=message):
        latents.load_latents(tmp_path / "odd.npy", "z")


def test_files_that_are_not_arrays(tmp_path):
    with pytest.raises(MissingFileError, match="does not exist"):
        latents.load_latents(tmp_path / "none.npy", "z")
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(UserError, match="not a NumPy file"):
        latents.load_latents(tmp_path / "text.npy", "z")
    np.savez(tmp_path / "two.npz", a=np.zeros(2), b=np.zeros(2))
    with pytest.raises(UserError, match=r"named 'z'\. Found: a, b"):
        latents.load_latents(tmp_path / "two.npz", "z")


def test_classes():
    np.testing.assert_array_equal(seeds.one_hot([2, 0], 3), [[0, 0, 1], [1, 0, 0]])
    assert seeds.find_class("2", 3) == 2
    assert seeds.find_class("dress", 3, ["hat", "dress", "shirt"]) == 1
    for text in ("3", "-1", "x"):
        with pytest.raises(UserError, match="Classes are 0 to 2 or hat, dress, shirt"):
            seeds.find_class(text, 3, ["hat", "dress", "shirt"])
    with pytest.raises(UserError, match="without classes"):
        seeds.find_class("0", 0)
    assert seeds.classes_from_seeds([1, 2, 1], 10)[0] == seeds.classes_from_seeds([1], 10)[0]
