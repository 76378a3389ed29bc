"""The folder that a dataset is written to: which names and places are allowed, and the hidden folder used until it is complete."""

import hashlib
import os
import platform
import re
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from stylegan_tf.data.records.manifest import FACTORS_NAME, MANIFEST_NAME, PARTIAL_SUFFIX, REPORT_NAMES, parse_file_name, read_manifest
from stylegan_tf.display import say
from stylegan_tf.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: leftovers are not removed there
    fcntl = None

_OWN_FILES = {MANIFEST_NAME, *REPORT_NAMES, "report.png", FACTORS_NAME}
_OWN_ENDINGS = ("-rxx.labels", "-contact-sheet.png")
_DESKTOP_FILES = {".DS_Store", "Thumbs.db", "desktop.ini"}  # file managers create them in every folder they show
_MAX_NAME_BYTES = 200  # record files and the hidden folder have longer names, and file systems allow 255
_SPARE_BYTES = 64 << 20  # disk space left free
_REPLACED_SUFFIX = f"-replaced{PARTIAL_SUFFIX}"  # of an older dataset while the new one takes its place


def ready_target(
    target_dir: str | os.PathLike, overwrite: bool, *, sources: Iterable[str | os.PathLike] = (), say: Callable[[str], None] = say
) -> None:
    """Checks the target before images are checked, which can take hours, and removes what interrupted builds left there.

    Args:
        target_dir, overwrite, sources: see `check_target`.

    Raises:
        UserError: see `check_target`.
    """
    check_target(target_dir, True, sources=sources)  # first, so that nothing is removed for an invalid target
    for sentence in clear_leftovers(Path(target_dir)):
        say(sentence)
    check_target(target_dir, overwrite, sources=sources)


def check_target(target_dir: str | os.PathLike, overwrite: bool, *, sources: Iterable[str | os.PathLike] = ()) -> None:
    """Checks the place where a dataset is to be made; changes nothing.

    Args:
        target_dir: folder to make.
        overwrite: a dataset or an empty folder there may be replaced; anything else never is.
        sources: files and folders that the dataset is made from.

    Raises:
        UserError: an invalid name or place, or something there that must not be replaced.
    """
    target = Path(os.path.abspath(target_dir))
    _check_name(target)
    if not os.path.lexists(target):
        _check_parent(target)
        return
    if not overwrite:
        raise UserError(f"{target} exists. Choose another name, or replace it with --overwrite.")
    if target.is_symlink() or not target.is_dir():
        what = "a link" if target.is_symlink() else "a file"
        raise UserError(f"{target} is {what}; it was left unchanged. --overwrite replaces dataset folders only; choose another name.")
    place = target.resolve()
    if place in (here := Path.cwd().resolve(), *here.parents):
        raise UserError(f"{target} is or contains the current folder. Choose a new name, such as datasets/cats")
    for source in map(Path, sources):
        if source.exists() and place in (found := source.resolve(), *found.parents):
            raise UserError(f"{target} is or contains {source}, which the dataset is made from. Choose another name.")
    if reason := _foreign_content(target):
        raise UserError(
            f"{target} is not a dataset (it contains {reason}); it was left unchanged. "
            "--overwrite replaces datasets only; choose another name."
        )


def check_disk(folder: Path, num_bytes: int) -> None:
    """Raises UserError if the disk of `folder` (which need not exist yet) has less than `num_bytes` free."""
    existing = Path(os.path.abspath(folder))
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if num_bytes + _SPARE_BYTES > free:
        raise UserError(
            f"{folder} would take about {num_bytes / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free there. "
            "Free some disk space, or choose a lower resolution or another encoding."
        )


class PartialFolder:
    """`.NAME-HOSTxxxxxxxx.partial` beside the target, locked until its process ends, however it ends.

    Attributes:
        path: of the folder, created by `make`.
        target: the name that `publish` gives it.
    """

    def __init__(self, target: Path):
        self.target = target
        self.path = target.with_name(f".{target.name}-{_host()}{uuid.uuid4().hex[:8]}{PARTIAL_SUFFIX}")
        self._lock: int | None = None

    def make(self) -> None:
        """Creates and locks the folder; raises OSError if that fails."""
        self.path.mkdir(parents=True)
        # A build that starts at this moment may remove the folder before it is locked. Then it is created again.
        self._lock = _locked(self.path)
        while self._lock is None or not self.path.exists():
            self._unlock()
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path)

    def publish(self) -> None:
        """Renames the folder to the target; an older target is renamed first and deleted last."""
        older = self.path.with_name(self.path.name.replace(PARTIAL_SUFFIX, _REPLACED_SUFFIX))
        if self.target.exists():
            self.target.rename(older)
        try:
            self.path.rename(self.target)
        except BaseException:  # an interrupt too
            if older.exists() and not self.target.exists():
                older.rename(self.target)
            raise
        shutil.rmtree(older, ignore_errors=True)

    def remove(self) -> None:
        """Removes the folder if it was not published, and the lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None and self._lock >= 0:
            os.close(self._lock)
        self._lock = None


def clear_leftovers(target: Path) -> list[str]:
    """Removes what interrupted builds of `target` left beside it, and restores an older dataset that one of them had moved away.

    Folders of running processes are left unchanged, and so are those of other machines, whose processes cannot be seen from here.

    Returns:
        Sentences for the user, one for every folder found.
    """
    target = Path(os.path.abspath(target))
    token = rf"(?P<host>[0-9a-f]{{4}})[0-9a-f]{{8}}(?P<replaced>-replaced)?{re.escape(PARTIAL_SUFFIX)}"
    name = re.compile(rf"\.{re.escape(target.name)}-{token}")
    # Sorted, so that an older dataset is restored before the unfinished one that was to replace it is removed.
    entries = sorted(target.parent.iterdir()) if target.parent.is_dir() else []
    return [_clear(entry, target, match) for entry in entries if (match := name.fullmatch(entry.name))]


def _clear(folder: Path, target: Path, name: re.Match) -> str:
    """Removes a folder that no process is using, or renames it back to the target; returns a sentence on what was done."""
    if name["host"] != _host():
        return f"{folder} belongs to a build on another machine. Delete it if that build has ended."
    worked_in = folder.with_name(folder.name.replace(_REPLACED_SUFFIX, PARTIAL_SUFFIX))
    lock = _locked(worked_in) if worked_in.exists() else _locked(folder)
    if lock is None:
        return f"{folder} belongs to a build that is still running."
    if lock < 0:
        return f"{folder} belongs to a build that was interrupted or is still running (this disk has no locks). Delete it if it has ended."
    try:
        if name["replaced"] and not target.exists():
            folder.rename(target)
            return f"Restored {target}: a build that was to replace it was interrupted."
        shutil.rmtree(folder)
    except OSError as error:
        return f"{folder} belongs to a build that was interrupted, and cannot be removed: {error.strerror}."
    finally:
        os.close(lock)
    return f"Removed {folder}, left by a build that was interrupted."


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the lock of a folder; None if another process holds it, -1 if there are no locks."""
    if fcntl is None:
        return -1
    descriptor = -1
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        return None if isinstance(error, BlockingIOError | FileNotFoundError) else -1
    return descriptor


def _host() -> str:
    """Identifies this machine in names of folders: 4 hexadecimal digits."""
    return hashlib.blake2b(platform.node().encode(), digest_size=2).hexdigest()


def _foreign_content(folder: Path) -> str | None:
    """What shows that a folder is not a dataset, in words; None for a dataset and for an empty folder."""
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.name not in _DESKTOP_FILES or entry.is_dir(follow_symlinks=False)]
            names = sorted(entry.name for entry in found if entry.is_dir() or not _is_own(entry.name))
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}") from None
    if names:
        return repr(names[0])
    is_dataset = not found or any(parse_file_name(Path(entry.name)) for entry in found) or _has_manifest(folder)
    return None if is_dataset else "neither records nor a manifest"


def _is_own(name: str) -> bool:
    """True for names of files that a dataset can contain."""
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
        raise UserError(f"{target} cannot be the name of a dataset. Choose one like datasets/cats")
    if not str(target).isprintable():
        raise UserError(f"The name {str(target)!r} contains characters that cannot be printed. Choose one like datasets/cats")
    if len(os.fsencode(name)) > _MAX_NAME_BYTES:
        raise UserError(f"The name {name[:40]}... is too long for the files of a dataset: {_MAX_NAME_BYTES} bytes at most.")


def _check_parent(target: Path) -> None:
    """Raises UserError if the nearest existing parent is not a writable folder."""
    parent = next((parent for parent in target.parents if os.path.lexists(parent)), None)
    if parent is None or not parent.is_dir():
        raise UserError(f"{target} cannot be created: {parent or target.anchor} is not a folder.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UserError(f"{target} cannot be created: no permission to write to {parent}.")
