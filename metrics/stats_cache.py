"""Moments of real images, kept under a name that stands for the content of the dataset and for the protocol."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from metrics.feature_stats import Moments
from metrics.feature_store import key_of
from stylegan_tf.array_files import read_npz
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path

_MAX_BYTES = 64 << 20  # 2048 features take 34 MB


def cached_moments(folder: Path, protocol: dict[str, Any], make: Callable[[], Moments]) -> Moments:
    """Moments of a protocol: from the cache, or made and kept.

    Args:
        folder: of the cache.
        protocol: everything the moments depend on; the dataset by its content digest.
        make: computes them.
    """
    path = folder / f"moments-{key_of(protocol)}.npz"
    try:
        return Moments.from_arrays(read_npz(path, ("count", "total", "outer"), max_bytes=_MAX_BYTES))
    except UserError:  # missing, or not what it should be: made anew
        pass
    moments = make()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        np.savez(temporary, **moments.as_arrays())
    return moments
