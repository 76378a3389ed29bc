"""The hidden folder in which a dataset is built: locked while its maker lives, put in its place at the end, cleared when left behind."""

import hashlib
import os
import platform
import re
import shutil
import uuid
from pathlib import Path

from stylegan_tf.data.records.dataset import PARTIAL_SUFFIX

try:
    import fcntl
except ImportError:  # Windows: nothing is cleared there
    fcntl = None

_REPLACED_SUFFIX = f"-replaced{PARTIAL_SUFFIX}"  # of an older dataset while the new one takes its place


class PartialFolder:
    """`.NAME-HOSTxxxxxxxx.partial` beside the target. The lock on it ends with its process, however that ends.

    Attributes:
        path: of the folder, made by `make`.
        target: what it becomes.
    """

    def __init__(self, target: Path):
        self.target = target
        self.path = target.with_name(f".{target.name}-{_host()}{uuid.uuid4().hex[:8]}{PARTIAL_SUFFIX}")
        self._lock: int | None = None

    def make(self) -> None:
        """Makes and locks the folder; raises OSError where that cannot be."""
        self.path.mkdir(parents=True)
        # A build that starts at this moment may clear the folder before it is locked. Then another is made.
        self._lock = _locked(self.path)
        while self._lock is None or not self.path.exists():
            self._unlock()
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path)

    def publish(self) -> None:
        """Gives the folder its name; an older target is moved out of the way first and deleted last."""
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
        """Removes what was not published, and the lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None and self._lock >= 0:
            os.close(self._lock)
        self._lock = None


def clear_leftovers(target: Path) -> list[str]:
    """Clears away what killed builds of `target` left beside it, and puts an older dataset back that one was about to replace.

    Folders of a live process stay, and so do those of other machines, whose processes cannot be seen from here.

    Returns:
        Sentences for the user, one for every folder met.
    """
    target = Path(os.path.abspath(target))
    token = rf"(?P<host>[0-9a-f]{{4}})[0-9a-f]{{8}}(?P<replaced>-replaced)?{re.escape(PARTIAL_SUFFIX)}"
    name = re.compile(rf"\.{re.escape(target.name)}-{token}")
    entries = sorted(target.parent.iterdir()) if target.parent.is_dir() else []  # an older dataset before what was to replace it
    return [_clear(entry, target, match) for entry in entries if (match := name.fullmatch(entry.name))]


def _clear(folder: Path, target: Path, name: re.Match) -> str:
    """Removes a folder that nobody works on, or makes it the target again; says what was done."""
    if name["host"] != _host():
        return f"{folder} is of a build on another machine. Delete it if that is over."
    worked_in = folder.with_name(folder.name.replace(_REPLACED_SUFFIX, PARTIAL_SUFFIX))
    lock = _locked(worked_in) if worked_in.exists() else _locked(folder)
    if lock is None:
        return f"{folder} is of a build that is under way."
    if lock < 0:
        return f"{folder} is of a build that was cut off or is under way; which, cannot be seen on this disk. Delete it if that is over."
    try:
        if name["replaced"] and not target.exists():
            folder.rename(target)
            return f"{target} is back: a build that was to replace it was cut off."
        shutil.rmtree(folder)
    except OSError as error:
        return f"{folder} is of a build that was cut off, and cannot be removed: {error.strerror}."
    finally:
        os.close(lock)
    return f"Removed {folder}, left by a build that was cut off."


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the lock of a folder; None where another process has it, -1 where there are no locks."""
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
    """Stands for this machine in names of folders: 4 hexadecimal digits."""
    return hashlib.blake2b(platform.node().encode(), digest_size=2).hexdigest()
