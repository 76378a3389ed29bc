"""Runs benchmarks as programs of their own, one after the other, and sets what they print side by side."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

COLUMNS = ("images_per_sec", "first_step_sec", "compiled_sec", "stage_change_sec", "peak_gpu_gb", "peak_rss_gb", "share_of_ceiling")


def run(arguments: Sequence[str], *, limit_sec: float | None = None, environment: Mapping[str, str] | None = None) -> tuple[dict, str]:
    """Runs `python -m benchmarks.ARGUMENTS`; what a program before it left in memory of the GPU is gone.

    Returns:
        Its last JSON line, {} if it fails or printed none within `limit_sec` (`stopped_after_sec`, if it was not done then); and all
        that it printed, or why it failed.
    """
    command = [sys.executable, "-m", f"benchmarks.{arguments[0]}", *arguments[1:]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_sec, env=environment, check=False)
    except subprocess.TimeoutExpired as error:
        printed = (error.stdout or b"").decode(errors="replace")
        row = _last_row(printed)
        return row and {**row, "stopped_after_sec": error.timeout}, f"{printed}not done after {error.timeout:.0f} s"
    if done.returncode:
        return {}, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    return _last_row(done.stdout), done.stdout


def _last_row(printed: str) -> dict:
    lines = [line for line in printed.splitlines() if line.startswith("{") and line.endswith("}")]
    return json.loads(lines[-1]) if lines else {}


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown: a row for each program, with the figures that at least one of them has."""
    columns = [column for column in COLUMNS if any(column in row for row in rows.values())]
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(f'{row[column]:.3g}' if column in row else '-' for column in columns)} |")
    return "\n".join(lines)
