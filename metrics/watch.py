"""The snapshots of a run while training writes them, until no more can come."""

import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from stylegan_tf.loading import snapshots_of
from stylegan_tf.training.run_dir import FINAL_NAME

WAIT_SEC = 30.0


def snapshots_as_they_come(run: Path) -> Iterator[Path]:
    """Yields each snapshot once, oldest first, and waits for more; ends after the final one, or where no process writes the run.

    Args:
        run: the run folder.
    """
    done: set[Path] = set()
    is_waiting = False
    while True:
        is_written = is_being_written(run)  # before the look, so that the last snapshot of a run that ends meanwhile is seen
        new = [path for path in snapshots_of(run) if path not in done]
        for path in new:
            done.add(path)
            if path.exists():  # training may have removed it while an earlier one was scored
                yield path
        if any(path.name == FINAL_NAME for path in done):
            return
        if new:
            continue
        if not is_written:
            print(f"{run} is not being trained any more, and has no {FINAL_NAME}: nothing more will come.", flush=True)
            return
        if not is_waiting:
            print(f"waiting for snapshots of {run}, until {FINAL_NAME} or the end of its training", flush=True)
            is_waiting = True
        time.sleep(WAIT_SEC)


def is_being_written(run: Path) -> bool:
    """Whether a process on this machine holds the lock of a run folder (see stylegan_tf/training/run_dir.py)."""
    try:
        with open(run / ".lock", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back at once, when the file is closed
    except BlockingIOError:
        return True
    except OSError:  # no lock: nobody has ever trained here
        return False
    return False
