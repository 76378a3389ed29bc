"""The run folder: its number, the lock against a second process, its log, and the names of the files in it."""

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

from stylegan_tf.command_line import print_to_stderr, redirect_to_nowhere, spelled
from stylegan_tf.display import visible, visible_lines
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.files import write_text
from stylegan_tf.loading import runs, snapshots_of

STATE_NAME = "training-state.pkl"
ABORT_NAME = "abort.txt"
CONFIG_NAME = "config.json"
FINAL_NAME = "network-final.pkl"


# Everything that a run writes or changes.
FILE_PATTERNS = ("log.txt", "stats.jsonl", "report.html", "reals.png", "fakes*.png", "network-*.pkl", "events.out.tfevents.*", ABORT_NAME,
                 CONFIG_NAME, STATE_NAME)  # fmt: skip


class RunDir:
    """One run folder, locked by this process while the object lives.

    Attributes:
        path: the folder.

    Raises:
        UserError: another process is writing to this run.
    """

    def __init__(self, path: str | os.PathLike, is_scratch: bool = False):
        self.path = Path(path)
        self._is_scratch = is_scratch
        self._lock_file = locked(self.path, f"Wait until it has ended, stop it with a file named {ABORT_NAME} in it, or start a new run.")

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def state_path(self) -> Path:
        """The training state from which this run is resumed."""
        return self.path / STATE_NAME

    @property
    def how_to_resume(self) -> str:
        """The command that resumes this run, for messages."""
        return spelled(f"python train.py --resume {shlex.quote(str(self.path))}")

    def close(self) -> None:
        """Releases the lock; a scratch folder is removed."""
        self._lock_file.close()
        if self._is_scratch:
            shutil.rmtree(self.path, ignore_errors=True)

    def discard(self) -> None:
        """Removes the folder of a run whose start was refused."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def check_files(self) -> None:
        """Raises UserError if a folder, pipe or device has the name of a file of the run."""
        for pattern in FILE_PATTERNS:
            for path in self.path.glob(pattern):
                if path.exists():  # not a broken link, which is replaced
                    _check_regular(path, path.stat())

    def log(self, *lines: str, is_kept: bool = True, shown: str | None = None) -> None:
        """Prints lines, and appends them to log.txt unless `is_kept` is false; they may contain names and messages from files.

        Args:
            lines: see `display.visible_lines`.
            is_kept: whether log.txt gets them.
            shown: a line that is printed in their place.
        """
        text = visible_lines(*lines)
        try:
            print(text if shown is None else visible_lines(shown), flush=True)
        except BrokenPipeError:
            raise
        except OSError:  # the terminal was closed; log.txt is still written
            with contextlib.suppress(OSError, ValueError):
                redirect_to_nowhere(sys.stdout)
        if is_kept:
            with open(self.path / "log.txt", "a", encoding="utf-8") as file:
                file.write(text + "\n")

    def write_json(self, name: str, value: object) -> None:
        """Writes a JSON file, atomically."""
        write_text(self.path / name, json.dumps(value, indent=2) + "\n")

    def abort_requested(self) -> str | None:
        """The name of abort.txt if the folder contains such a file."""
        return ABORT_NAME if (self.path / ABORT_NAME).exists() else None


def locked(folder: str | os.PathLike, hint: str) -> TextIO:
    """The open lock file of a folder, which holds the lock until it is closed. On a disk without locks there is one warning.

    Args:
        folder: of a run or a study.
        hint: what to do if another process holds the lock, for the message.

    Raises:
        UserError: another process holds it, or the folder cannot be written.
    """
    folder = Path(folder)
    try:
        file = open(folder / ".lock", "a+", encoding="utf-8", errors="replace")  # noqa: SIM115  held until it is closed
        _check_regular(folder / ".lock", os.fstat(file.fileno()))
    except OSError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"Cannot write to {folder}: {error.strerror or error}.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read(100).strip() or "unknown"
        file.close()
        raise UserError(f"Another process ({owner}) is writing to {folder}. {hint}") from None
    except OSError as error:  # as on Lustre and EFS
        reason = error.strerror or error
        print_to_stderr(f"warning: {visible(folder)} is on a disk without locks ({reason}). Do not let two processes write to it.")
    file.truncate(0)
    file.write(f"process {os.getpid()}")
    file.flush()
    return file


def _check_regular(path: str | os.PathLike, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is not a regular file. Rename or remove it.")


def create(outdir: str | os.PathLike, name: str) -> RunDir:
    """Creates the next free run folder, `outdir/00003-NAME`. An existing folder is never reused.

    Raises:
        UserError: `outdir` cannot be created or written to.
    """
    outdir = Path(outdir)
    try:
        outdir.mkdir(parents=True, exist_ok=True)
        for _ in range(1000):
            number = max((int(run.name[:5]) for run in runs(outdir)), default=-1) + 1
            path = outdir / f"{number:05d}-{name}"
            try:
                path.mkdir()
            except FileExistsError:
                time.sleep(0.01)  # another process took the number in between
            else:
                return RunDir(path)
    except OSError as error:
        raise UserError(f"Cannot create a run folder in {outdir}: {error.strerror or error}. Try another --outdir.") from error
    raise UserError(f"Cannot find a free number for a run folder in {outdir}.")


def scratch() -> RunDir:
    """A temporary folder, for a worker that does not write the run folder."""
    return RunDir(tempfile.mkdtemp(prefix="stylegan_tf-worker-"), is_scratch=True)


def find(outdir: str | os.PathLike, which: str) -> Path:
    """The run folder or snapshot that a --resume argument means.

    Args:
        outdir: where run folders are.
        which: "latest" (the newest run that has a training state), the path, name or number of a run folder, or the
            path of a snapshot file.

    Raises:
        MissingFileError: there is none; lists those that can be resumed.
    """
    folders = runs(outdir)
    resumable = [path for path in folders if (path / STATE_NAME).exists()]
    if which == "latest":
        if not resumable:
            raise MissingFileError(f"--resume latest: no run in {outdir} has a {STATE_NAME} yet. Start a new run without --resume.")
        return resumable[-1]
    path = Path(which)
    if path.exists():
        return path
    for folder in folders:
        if which in (folder.name, folder.name[:5]) or (which.isdigit() and int(which) == int(folder.name[:5])):
            return folder
    known = ", ".join(folder.name for folder in resumable[-5:]) or "none"
    raise MissingFileError(f"--resume {which}: no such run folder or snapshot. Runs in {outdir} that can be resumed: {known}.")


def numbered(prefix: str, nimg: int, suffix: str, is_short: bool = False) -> str:
    """File name with an image count: `fakes000140.png`, or `fakes000007-nimg7680.png` if ticks are shorter than 1 kimg."""
    detail = f"-nimg{nimg}" if is_short else ""
    return f"{prefix}{nimg // 1000:06d}{detail}{suffix}"


def nimg_of(path: str | os.PathLike) -> int | None:
    """Image count in a name of `numbered` (in whole kimg if the name has no more digits), None for another name."""
    found = re.search(r"(\d{6,})(?:-nimg(\d+))?\.\w+$", Path(path).name)
    if not found:
        return None
    return int(found.group(2)) if found.group(2) else int(found.group(1)) * 1000


def snapshot_name(nimg: int, is_short: bool, is_last: bool) -> str:
    """File name of a network snapshot: network-snapshot-000140.pkl, for the last one network-final.pkl."""
    return FINAL_NAME if is_last else numbered("network-snapshot-", nimg, ".pkl", is_short)


def renamed_final(nimg: int) -> str:
    """The name that network-final.pkl gets when its run is continued."""
    return snapshot_name(nimg, is_short=nimg < 1000, is_last=False)


def remove_old_snapshots(run_dir: RunDir, keep: int | None, best: str | None = None) -> list[str]:
    """Removes the oldest network snapshots; returns the names of the removed files.

    Args:
        keep: number of newest ones to keep, None for all.
        best: name of one that is always kept. network-final.pkl is always kept, too.
    """
    if keep is None:
        return []
    numbered_ones = [path for path in snapshots_of(run_dir.path) if path.name != FINAL_NAME]
    old = [path for path in numbered_ones[:-keep] if path.name != best]
    for path in old:
        path.unlink(missing_ok=True)
    return [path.name for path in old]
