"""Which network snapshots a run writes, and which old ones it removes."""

import os
from pathlib import Path

from stylegan_tf.training.run_dir import FINAL_NAME, RunDir, nimg_of, numbered

PREFIX = "network-snapshot-"
SUFFIX = ".pkl"


def snapshot_name(nimg: int, is_short: bool, is_last: bool) -> str:
    """File name of a snapshot: network-snapshot-000140.pkl, the last one network-final.pkl."""
    return FINAL_NAME if is_last else numbered(PREFIX, nimg, SUFFIX, is_short)


def renamed_final(nimg: int) -> str:
    """What network-final.pkl is called once its run goes on."""
    return snapshot_name(nimg, is_short=nimg < 1000, is_last=False)


def prune(run_dir: RunDir, keep: int | None, best: str | None = None) -> list[str]:
    """Removes the oldest snapshots; returns the names that went.

    Args:
        run_dir: the run.
        keep: newest ones to keep, None for all.
        best: name of the one that always stays. network-final.pkl stays too.
    """
    if keep is None:
        return []
    old = [path for path in listed(run_dir.path)[:-keep] if path.name != best]
    for path in old:
        path.unlink(missing_ok=True)
    return [path.name for path in old]


def listed(folder: str | os.PathLike) -> list[Path]:
    """Numbered snapshots of a run, oldest first."""
    return sorted(Path(folder).glob(f"{PREFIX}*{SUFFIX}"), key=lambda path: nimg_of(path) or 0)
