"""Features and their moments on disk, so that an interrupted evaluation resumes and metrics share one pass."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from metrics.features.moments import Moments
from stylegan_tf.array_files import read_npz
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path

CHUNK = 250  # images computed and stored together; an interrupted evaluation loses at most this many
VERSION = 1  # of the computation; part of every key
_MAX_MOMENTS_BYTES = 64 << 20  # 2048 features take 34 MB


def key_of(protocol: Mapping[str, object]) -> str:
    """Digest of a protocol (JSON values), 24 hexadecimal digits."""
    text = json.dumps({"version": VERSION, **protocol}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class FeatureStore:
    """Rows of features by number, computed once for each number, whatever selection of images a score uses.

    A file has the rows of one range of 2 * `CHUNK` numbers that were computed so far. Files are written whole or not at all, so that
    processes may share a store.

    Args:
        folder: of this kind, named by `key_of` its protocol.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def get(self, numbers: np.ndarray, make: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """float32 [n, ...].

        Args:
            numbers: int [n], ascending, each once.
            make: computes the rows of those that are not stored.
        """
        kept = {chunk: self._read(chunk) for chunk in np.unique(numbers // (2 * CHUNK)).tolist()}
        missing = np.setdiff1d(numbers, np.concatenate([stored for stored, _ in kept.values()]), assume_unique=True)
        if len(missing):
            made = np.asarray(make(missing), np.float32)
            chunks = missing // (2 * CHUNK)
            for chunk in np.unique(chunks).tolist():
                kept[chunk] = self._add(chunk, kept[chunk], missing[chunks == chunk], made[chunks == chunk])
        return np.concatenate([rows[np.isin(stored, numbers)] for stored, rows in kept.values()])

    def _add(self, chunk: int, kept: tuple[np.ndarray, np.ndarray], numbers: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Stores further rows of a range, and returns all of them by number."""
        numbers = np.concatenate([kept[0], numbers])
        rows = np.concatenate([kept[1].reshape(-1, *rows.shape[1:]), rows])
        order = np.argsort(numbers)
        numbers, rows = numbers[order], rows[order]
        try:
            self._write(chunk, numbers, rows)
        except FileNotFoundError:  # another process that scores the same network has just removed the folder
            self._write(chunk, numbers, rows)
        return numbers, rows

    def _write(self, chunk: int, numbers: np.ndarray, rows: np.ndarray) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self._path(chunk)) as temporary:
            np.savez(temporary, numbers=numbers, rows=rows)

    def _read(self, chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and rows of a range; none where the file is missing or damaged."""
        try:
            arrays = read_npz(self._path(chunk), ("numbers", "rows"))
        except UserError:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        return arrays["numbers"], arrays["rows"]

    def _path(self, chunk: int) -> Path:
        return self.folder / f"{chunk:05d}.npz"

    def remove(self) -> None:
        """Deletes everything of this kind."""
        shutil.rmtree(self.folder, ignore_errors=True)


def cached_moments(folder: Path, protocol: Mapping[str, object], make: Callable[[], Moments]) -> Moments:
    """Moments of a protocol: from the cache, or computed and stored.

    Args:
        folder: of the cache.
        protocol: everything the moments depend on; the dataset by its content digest.
        make: computes them.
    """
    path = folder / f"moments-{key_of(protocol)}.npz"
    try:
        return Moments.from_arrays(read_npz(path, ("count", "total", "outer"), max_bytes=_MAX_MOMENTS_BYTES))
    except UserError:  # missing or damaged: compute again
        pass
    moments = make()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        np.savez(temporary, **moments.as_arrays())
    return moments
