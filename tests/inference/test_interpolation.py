"""Paths through latent space: key points, ends and lengths."""

import numpy as np
import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.inference.interpolation import METHODS, interpolate, slerp


def whole_path(*arguments, **options):
    """[frames, ...]."""
    return np.stack(list(interpolate(*arguments, **options)))


@pytest.fixture
def keys():
    return np.random.default_rng(0).standard_normal((4, 2, 8))


@pytest.mark.parametrize("method", METHODS)
def test_paths_pass_through_every_key(keys, method):
    path = whole_path(keys, 5, method=method)
    assert path.shape == (20, 2, 8)
    np.testing.assert_allclose(path[::5], keys, atol=1e-6)
    open_path = whole_path(keys, 5, method=method, is_loop=False)
    assert open_path.shape == (16, 2, 8)
    np.testing.assert_allclose(open_path[::5], keys, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_loops_have_no_jump(keys, method):
    path = whole_path(keys, 50, method=method)
    steps = np.linalg.norm(np.diff(np.concatenate([path, path[:1]]), axis=0), axis=-1)
    assert steps.max() < 10 * np.median(steps)


def test_slerp_stays_on_the_sphere():
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    np.testing.assert_allclose(slerp(a, b, 1 / 3), [np.cos(np.pi / 6), np.sin(np.pi / 6)])
    np.testing.assert_allclose(np.linalg.norm(slerp(a * 2, b * 4, 0.5)), 3.0)  # lengths in proportion
    np.testing.assert_allclose(slerp(a, a, 0.5), a)


def test_splines_have_no_corners(keys):
    bends = [np.abs(np.diff(whole_path(keys, 100, method=method), n=2, axis=0)).max() for method in ("linear", "spline")]
    assert bends[1] < bends[0] / 10


def test_a_long_path_needs_no_memory(keys):  # once computed as a whole: 16 TB
    assert next(interpolate(keys, 10**10, method="slerp")).shape == (2, 8)


def test_too_few_keys_and_frames_are_refused():
    with pytest.raises(UserError, match="at least two seeds"):
        interpolate(np.zeros((1, 4)), 5, method="linear")
    with pytest.raises(UserError, match="at least one frame"):
        interpolate(np.zeros((2, 4)), 0, method="linear")
