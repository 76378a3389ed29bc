"""Loads network files of every kind: our snapshots, official StyleGAN pickles, and the latest snapshot of a run folder."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stylegan_tf import import_keras
from stylegan_tf.data.records.dataset import label_examples, open_dataset
from stylegan_tf.errors import MissingFileError, UserError, did_you_mean
from stylegan_tf.legacy.official import read_official
from stylegan_tf.snapshot_file import NETWORKS_FORMAT, SnapshotContents, read_contents

if TYPE_CHECKING:
    from stylegan_tf.snapshot import Networks

SNAPSHOT_NAME = re.compile(r"network-(?:final|snapshot-(\d+)(?:-nimg(\d+))?)\.pkl")
MAX_LISTED = 5  # runs or snapshots in a message
_HEAD_BYTES = 4096  # the name of our format is within the first bytes of a snapshot


def load(path: str | os.PathLike, *, dtype: str | None = None) -> "Networks":
    """Loads networks.

    Args:
        path: a snapshot of ours, an official pickle (StyleGAN of TensorFlow 1, StyleGAN2 of PyTorch), a run folder (its latest
            snapshot is read), or the folder of all runs (the newest run that has a snapshot).
        dtype: compute policy of the networks, "float32" if None, or "mixed_bfloat16".

    Raises:
        MissingFileError: the file does not exist, or the folder has no snapshot.
        UserError: the file is damaged, or is not of these kinds.
    """
    # TensorFlow takes seconds to import; wrong files are refused before.
    contents = read(path)
    import_keras()
    from stylegan_tf.snapshot import make_networks

    return make_networks(contents, dtype=dtype)


def read(path: str | os.PathLike) -> SnapshotContents:
    """Reads a network file without TensorFlow; arguments and errors as `load`. `snapshot.make_networks` builds its networks."""
    path = find_snapshot(path)
    with open(path, "rb") as file:
        is_ours = NETWORKS_FORMAT.encode() in file.read(_HEAD_BYTES)
    return _with_label_examples(read_contents(path)) if is_ours else read_official(path)


def _with_label_examples(contents: SnapshotContents) -> SnapshotContents:
    """Earlier versions did not record whether labels are classes: it is read from the training data where they are still there."""
    if "label_examples" in contents.dataset or not contents.shape.label_size:
        return contents
    try:
        dataset = open_dataset(find_dataset(contents.source, contents.dataset, None))
        if dataset.label_size != contents.shape.label_size or dataset.digest != contents.dataset.get("digest"):
            return contents
        return replace(contents, dataset={**contents.dataset, "label_examples": label_examples(dataset)})
    except (UserError, OSError, TypeError, ValueError):  # moved, changed, or a path that is not text
        return contents


def find_snapshot(path: str | os.PathLike) -> Path:
    """The file itself, or the latest snapshot of a run folder, or that of the newest run in a folder of runs.

    Raises:
        MissingFileError: no such file or folder, or a folder without snapshots.
    """
    path = Path(path)
    if path.is_dir():
        found = snapshots_of(path) or [snapshot for run in runs(path) for snapshot in snapshots_of(run)]
        if not found:
            raise MissingFileError(f"{path} contains no network snapshot (network-*.pkl).{_runs_near(path)}")
        return found[-1]
    if not path.exists():
        raise MissingFileError(missing_network(path))
    if not path.is_file():
        raise UserError(f"{path} is not a file.")
    return path


def missing_network(path: str | os.PathLike) -> str:
    """The message for a network that does not exist: lists the existing runs or snapshots."""
    path = Path(path)
    message = f"{path} does not exist. Expected a snapshot (.pkl), a run folder or an official pickle."
    snapshots = snapshots_of(path.parent) if path.parent.is_dir() else []
    if snapshots and path.suffix:
        names = [snapshot.name for snapshot in snapshots]
        return f"{message}{did_you_mean(path.name, names)} Snapshots in {path.parent}: {', '.join(names[-MAX_LISTED:])}."
    return message + _runs_near(path)


def _runs_near(path: Path) -> str:
    """The runs with a snapshot beside a path, above it, or in results/, for a message; "" without any."""
    for place in (path.parent, path.parent.parent, Path("results")):
        found = [str(run) for run in runs(place) if snapshots_of(run)]
        if found:
            meant = "" if path.exists() else did_you_mean(str(path), found)
            return f"{meant} Runs with snapshots: {', '.join(found[-MAX_LISTED:])}."
    return ""


def find_dataset(source: str | os.PathLike, recorded: Mapping[str, object] | None, path: str | os.PathLike | None) -> Path:
    """The dataset that networks were trained on.

    Args:
        source: a file of the run folder, such as a snapshot. A relative path is looked for here, then in the checkout whose
            results/RUN/ has the file.
        recorded: the description of its data in the file.
        path: the dataset of the user; None: the recorded one.

    Raises:
        UserError: none is recorded, or it does not exist.
    """
    if path:
        return Path(path)
    found = (recorded or {}).get("path")
    if not found:
        raise UserError(f"{source or 'This network'} does not contain the path of its dataset. Name the dataset: --data FOLDER")
    places = [Path(found)]
    parents = Path(source).absolute().parents
    if source and len(parents) > 2:
        places.append(parents[2] / found)  # CHECKOUT/results/RUN/network-snapshot-000140.pkl
    for place in places:
        if place.is_dir():
            return place
    raise MissingFileError(f"{source or 'This network'} was trained on {found}, which does not exist here. Name it: --data FOLDER")


def runs(outdir: str | os.PathLike) -> list[Path]:
    """All run folders in `outdir`, oldest first."""
    outdir = Path(outdir)
    found = [path for path in outdir.iterdir() if path.is_dir() and re.match(r"\d{5}-", path.name)] if outdir.is_dir() else []
    return sorted(found, key=lambda path: path.name)


def named_network(name: str, outdir: str | os.PathLike = "results") -> Path:
    """The path of a `--network` argument: `name` itself, or for "latest" the newest run folder in `outdir` that has a snapshot.

    Raises:
        MissingFileError: "latest", and there is none.
    """
    if name != "latest":
        return Path(name)
    for run in reversed(runs(outdir)):
        if snapshots_of(run):
            return run
    raise MissingFileError(f"No run folder in {outdir} contains a network snapshot. Name the network: --network PKL.")


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
