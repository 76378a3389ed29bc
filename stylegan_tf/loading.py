"""One call for every network file: ours, an official StyleGAN pickle, or the latest snapshot of a run folder."""

import dataclasses
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylegan_tf.errors import MissingFileError, UserError

if TYPE_CHECKING:
    from stylegan_tf.legacy.arrays import OfficialArrays
    from stylegan_tf.snapshot import Networks

SNAPSHOT_NAME = re.compile(r"network-(?:final|snapshot-(\d+)(?:-nimg(\d+))?)\.pkl")
_HEAD_BYTES = 4096  # our format's name stands within the first bytes of a snapshot


def load(path: str | os.PathLike, *, dtype: str | None = None) -> "Networks":
    """Loads networks.

    Args:
        path: a snapshot of ours, an official StyleGAN 1 pickle, or a run folder (its latest snapshot is taken).
        dtype: compute policy of the networks, "float32" unless told, or "mixed_bfloat16".

    Raises:
        MissingFileError: no such file, or a folder without snapshots.
        UserError: neither kind of file, or damaged.
    """
    # TensorFlow takes seconds to import; whoever only looks for a file must not wait for it.
    from stylegan_tf.snapshot import NETWORKS_FORMAT, load_networks

    path = find_snapshot(path)
    with open(path, "rb") as file:
        is_ours = NETWORKS_FORMAT.encode() in file.read(_HEAD_BYTES)
    if is_ours:
        return load_networks(path, dtype=dtype)
    from stylegan_tf.legacy import load_official

    return load_official(path, dtype=dtype)


@dataclasses.dataclass(frozen=True)
class StoredNetworks:
    """The content of a network file, from which its facts and its networks can be made without reading it again.

    Attributes:
        path: the file.
        value: a snapshot of ours as plain values, or the arrays of an official pickle.
    """

    path: Path
    value: "dict[str, Any] | OfficialArrays"


def read(path: str | os.PathLike) -> StoredNetworks:
    """Reads a network file without TensorFlow; arguments and errors as for `load`."""
    from stylegan_tf.legacy import is_official
    from stylegan_tf.legacy.arrays import read_official
    from stylegan_tf.safe_pickle import read_pickle

    path = find_snapshot(path)
    return StoredNetworks(path, read_official(path) if is_official(path) else read_pickle(path))


def build(stored: StoredNetworks) -> "Networks":
    """The networks of a file that was read, in float32; errors as for `load`."""
    from stylegan_tf.legacy.arrays import OfficialArrays
    from stylegan_tf.legacy.official import make_networks
    from stylegan_tf.snapshot import make_snapshot_networks

    if isinstance(stored.value, OfficialArrays):
        return make_networks(stored.value, source=str(stored.path))
    return make_snapshot_networks(stored.value, stored.path)


def find_snapshot(path: str | os.PathLike) -> Path:
    """The file itself, or the latest snapshot of a run folder.

    Raises:
        MissingFileError: no such file or folder, or a folder without snapshots.
    """
    path = Path(path)
    if path.is_dir():
        found = snapshots_of(path)
        if not found:
            raise MissingFileError(f"{path} holds no network snapshot (network-snapshot-*.pkl). Has the run ended its first tick?")
        return found[-1]
    if not path.exists():
        raise MissingFileError(f"{path}: no such file or run folder.")
    if not path.is_file():
        raise UserError(f"{path} is not a file.")
    return path


def runs(outdir: str | os.PathLike) -> list[Path]:
    """All run folders in `outdir`, oldest first."""
    outdir = Path(outdir)
    found = [path for path in outdir.iterdir() if path.is_dir() and re.match(r"\d{5}-", path.name)] if outdir.is_dir() else []
    return sorted(found, key=lambda path: path.name)


def snapshots_of(run_dir: str | os.PathLike) -> list[Path]:
    """Network snapshots of a run folder, oldest first; network-final.pkl is the last."""
    found = []
    for path in Path(run_dir).iterdir():
        match = SNAPSHOT_NAME.fullmatch(path.name)
        if match:
            kimg, nimg = match.groups()
            order = float("inf") if kimg is None else int(nimg) if nimg else int(kimg) * 1000
            found.append((order, path))
    return [path for _, path in sorted(found)]
