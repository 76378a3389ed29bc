"""The dataset of photographs that training was pointed to: found again, or built once."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from stylegan_tf.data.intake.build import build_dataset
from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.records.manifest import parse_file_name, read_manifest
from stylegan_tf.data.sources import open_images
from stylegan_tf.display import say
from stylegan_tf.errors import UserError

DATASETS_DIR = "datasets"


def are_photographs(path: str | os.PathLike) -> bool:
    """Whether a path is an archive, or a folder without files of records and without a manifest."""
    path = Path(path)
    if not path.is_dir() or any(parse_file_name(entry) for entry in path.iterdir()):
        return path.is_file()
    try:
        return read_manifest(path) is None
    except UserError:  # a dataset.json with the labels of images, as stylegan2-ada writes it
        return True


def dataset_of(
    photographs: str | os.PathLike,
    *,
    max_resolution: int,
    resolution: int | None = None,
    datasets_dir: str | os.PathLike = DATASETS_DIR,
    say: Callable[[str], None] = say,
) -> Path:
    """The dataset of some photographs: one that was built from the same files with the same settings, or a new one.

    Args:
        photographs: folder, zip or tar of images.
        max_resolution: largest resolution that is chosen for them.
        resolution: of the dataset; None for the largest that nearly all images reach.
        datasets_dir: where datasets are made, named after the photographs.

    Returns:
        The folder of the dataset.

    Raises:
        UserError: no usable images, or too little disk space. Nothing is left behind.
    """
    photographs = Path(photographs)
    name = _dataset_name(photographs)
    with open_images(photographs) as source:
        made_from = {
            "photographs": str(photographs.absolute()),
            "files": _fingerprint(photographs, source.names),
            "resolution": resolution,
            "max_resolution": max_resolution,
        }
        number = 1
        while (target := Path(datasets_dir) / (name if number == 1 else f"{name}-{number}")).exists():
            if _made_from(target) == made_from:
                say(f"{photographs}: using {target}, which was built from these {len(source)} images.")
                return target
            number += 1
        say(f"{photographs}: {len(source)} images. Building a dataset in {target} first; later runs use it again.")
        target.parent.mkdir(parents=True, exist_ok=True)
        options = PrepareOptions(resolution=resolution, max_resolution=None if resolution else max_resolution)
        build_dataset(source, target, options, made_by={"made_from": made_from}, sources=[str(photographs)], say=say)
    return target


def _dataset_name(photographs: Path) -> str:
    """A name for the dataset: that of the folder or archive, of the characters that file names need not escape."""
    name = photographs.absolute().name
    name = re.sub(r"\.(zip|tar|tgz|tar\.\w+)$", "", name, flags=re.IGNORECASE)
    return re.sub(r"[^\w.-]+", "_", name).strip("._-") or "photographs"


def _fingerprint(photographs: Path, names: list[str]) -> str:
    """Digest of the names and sizes of the images, or of the archive's size and time: equal for photographs that are unchanged."""
    digest = hashlib.sha256()
    if photographs.is_file():
        status = photographs.stat()
        digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    else:
        for name in names:
            digest.update(f"{name} {os.path.getsize(photographs / name)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:24]


def _made_from(folder: Path) -> object:
    """What a dataset was made from, as `dataset_of` records it; None for other datasets and other folders."""
    try:
        manifest = read_manifest(folder)
    except (UserError, OSError):
        return None
    return manifest.made_by.get("made_from") if manifest else None
