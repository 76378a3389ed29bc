"""The folder that a dataset is to become: what its name must be, and what may be replaced there."""

import os
from collections.abc import Iterable
from pathlib import Path

from stylegan_tf.data.records.dataset import PARTIAL_SUFFIX
from stylegan_tf.data.records.manifest import read_manifest
from stylegan_tf.data.records.partial import clear_leftovers
from stylegan_tf.data.records.tfrecords import MANIFEST_NAME, parse_file_name
from stylegan_tf.errors import UserError

FACTORS_NAME = "factors.csv"
_OWN_FILES = {MANIFEST_NAME, "report.json", "report.html", "report.png", FACTORS_NAME}
_OWN_ENDINGS = ("-rxx.labels", "-contact-sheet.png")
_OF_DESKTOPS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # file managers leave them wherever they look
_MAX_NAME_BYTES = 200  # record files and the hidden folder have longer names, file systems end at 255


def ready_target(target_dir: str | os.PathLike, overwrite: bool, *, sources: Iterable[str | os.PathLike] = (), say=print) -> None:
    """Clears what killed builds left, and checks the target before hours are spent on checking images.

    Args:
        target_dir: see `check_target`.
        overwrite: see `check_target`.
        sources: see `check_target`.
        say: gets lines for the user.

    Raises:
        UserError: as `check_target`.
    """
    check_target(target_dir, True, sources=sources)  # a name that cannot be: nothing is cleared for it
    for sentence in clear_leftovers(Path(target_dir)):
        say(sentence)
    check_target(target_dir, overwrite, sources=sources)


def check_target(target_dir: str | os.PathLike, overwrite: bool, *, sources: Iterable[str | os.PathLike] = ()) -> None:
    """Looks at the place where a dataset is to be made; changes nothing.

    Args:
        target_dir: folder to make.
        overwrite: a dataset or an empty folder there may be replaced. Nothing else ever is.
        sources: files and folders that the dataset is made of.

    Raises:
        UserError: a name that cannot be, a place that cannot be, or something there that must stay.
    """
    target = Path(os.path.abspath(target_dir))
    _check_name(target)
    if not os.path.lexists(target):
        _check_parent(target)
        return
    if not overwrite:
        raise UserError(f"{target} exists. Take another name, or --overwrite to replace it.")
    if target.is_symlink() or not target.is_dir():
        what = "a link" if target.is_symlink() else "a file"
        raise UserError(f"{target} is {what} and stays. --overwrite replaces folders of datasets only; take another name.")
    place = target.resolve()
    if place in (here := Path.cwd().resolve(), *here.parents):
        raise UserError(f"{target} is the folder you are in, or holds it, and stays. Take a new name, such as datasets/cats")
    for source in map(Path, sources):
        if source.exists() and place in (found := source.resolve(), *found.parents):
            raise UserError(f"{target} is or holds {source}, which the dataset is made of, and stays. Take another name.")
    if stranger := _stranger(target):
        raise UserError(f"{target} is no dataset (it holds {stranger}) and stays. --overwrite replaces datasets only; take another name.")


def _stranger(folder: Path) -> str | None:
    """Something in a folder that no dataset has, in words; None for a dataset and for an empty folder."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.name not in _OF_DESKTOPS or entry.is_dir(follow_symlinks=False)]
            names = sorted(entry.name for entry in found if entry.is_dir() or not _is_own(entry.name))
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}") from None
    if names:
        return repr(names[0])
    is_dataset = not found or any(parse_file_name(Path(entry.name)) for entry in found) or _has_manifest(folder)
    return None if is_dataset else "neither records nor a manifest"


def _is_own(name: str) -> bool:
    """True for names of files that a dataset has."""
    records = Path(name).with_suffix(".tfrecords") if name.endswith(".index") else Path(name)
    return name in _OWN_FILES or name.endswith(_OWN_ENDINGS) or parse_file_name(records) is not None


def _has_manifest(folder: Path) -> bool:
    try:
        return read_manifest(folder) is not None
    except UserError:
        return False


def _check_name(target: Path) -> None:
    name = target.name
    if not name or name.startswith(".") or name.endswith(PARTIAL_SUFFIX):
        raise UserError(f"{target} is no name for a dataset. Take one like datasets/cats")
    if not str(target).isprintable():
        raise UserError(f"The name {str(target)!r} holds characters that cannot be printed. Take one like datasets/cats")
    if len(os.fsencode(name)) > _MAX_NAME_BYTES:
        raise UserError(f"The name {name[:40]}... is too long for the files of a dataset: {_MAX_NAME_BYTES} bytes at most.")


def _check_parent(target: Path) -> None:
    """Raises where the nearest folder that exists is no folder, or is closed to us."""
    parent = next((parent for parent in target.parents if os.path.lexists(parent)), None)
    if parent is None or not parent.is_dir():
        raise UserError(f"{target} cannot be made: {parent or target.anchor} is no folder.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(f"{target} cannot be made: {parent} cannot be written to.")
