"""Moments of real images, kept under a name that stands for the content of the dataset and for the protocol."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from metrics.feature_stats import Moments
from metrics.feature_store import key_of
from stylegan_tf.files import atomic_path


def cached_moments(folder: Path, protocol: dict[str, Any], make: Callable[[], Moments]) -> Moments:
    """Moments of a protocol: from the cache, or made and kept.

    Args:
        folder: of the cache.
        protocol: everything the moments depend on; the dataset by its content digest.
        make: computes them.
    """
    path = folder / f"moments-{key_of(protocol)}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Moments.from_arrays({name: arrays[name] for name in ("count", "total", "outer")})
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):  # missing, or not what it should be: made anew
        pass
    moments = make()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        np.savez(temporary, **moments.as_arrays())
    return moments
