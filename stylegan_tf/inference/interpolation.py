"""Paths through latent space from key point to key point: straight, along the sphere or along a spline."""

from collections.abc import Callable, Iterator

import numpy as np

from stylegan_tf.errors import UserError

METHODS = ("linear", "slerp", "spline")


def interpolate(keys: np.ndarray, num_frames: int, *, method: str, is_loop: bool = True) -> Iterator[np.ndarray]:
    """Points of a path through key points, computed one by one: a long path needs no more memory than a short one.

    Args:
        keys: [K, ...] key points.
        num_frames: frames from one key point to the next, the next one not included.
        method: "linear", "slerp" (along the sphere, for z) or "spline" (no corners: cubic).
        is_loop: return to the first key point; the frame after the last is the first again.

    Returns:
        K * num_frames points for a loop, (K - 1) * num_frames + 1 otherwise; each is float32 [...].

    Raises:
        UserError: fewer than two key points, or no frames.
    """
    if len(keys) < 2:
        raise UserError(
            f"An interpolation needs at least two seeds for each cell of the grid, for example --seeds 4-7. Received: {len(keys)}"
        )
    if num_frames < 1:
        raise UserError(f"An interpolation needs at least one frame from seed to seed. Received: {num_frames}")
    segments = len(keys) if is_loop else len(keys) - 1
    path = _PATHS[method](keys.astype(np.float64), is_loop)
    return (path(number / num_frames).astype(np.float32) for number in range(segments * num_frames + (not is_loop)))


def slerp(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Spherical interpolation of [..., features]: directions along the great circle, lengths in proportion.

    Source: Shoemake 1985; directions that are (nearly) the same or opposite are joined by a line.
    """
    lengths = [np.linalg.norm(point, axis=-1, keepdims=True) + 1e-12 for point in (first, second)]
    a, b = first / lengths[0], second / lengths[1]
    angle = np.arccos(np.clip(np.sum(a * b, axis=-1, keepdims=True), -1, 1))
    is_flat = np.sin(angle) < 1e-6
    sine = np.where(is_flat, 1, np.sin(angle))
    weights = [np.where(is_flat, 1 - share, np.sin((1 - share) * angle) / sine), np.where(is_flat, share, np.sin(share * angle) / sine)]
    return (weights[0] * a + weights[1] * b) * (lengths[0] * (1 - share) + lengths[1] * share)


def _segments(blend: Callable) -> Callable:
    """A path whose segments depend on their two key points only."""

    def make(keys: np.ndarray, is_loop: bool) -> Callable:
        def path(time: float) -> np.ndarray:
            index = min(int(time), len(keys) - 1)
            return blend(keys[index], keys[(index + 1) % len(keys)], time - index)

        return path

    return make


def _spline(keys: np.ndarray, is_loop: bool) -> Callable:
    from scipy.interpolate import CubicSpline

    if is_loop:
        return CubicSpline(np.arange(len(keys) + 1), np.concatenate([keys, keys[:1]]), bc_type="periodic")
    return CubicSpline(np.arange(len(keys)), keys, bc_type="natural")


_PATHS = {"linear": _segments(lambda a, b, t: a + (b - a) * t), "slerp": _segments(slerp), "spline": _spline}
