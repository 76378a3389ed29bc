"""stats.jsonl: one line of JSON for each tick and each scored snapshot, written, read and checked."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from stylegan_tf.errors import UserError
from stylegan_tf.files import read_bounded
from stylegan_tf.training.run_dir import FINAL_NAME, RunDir, renamed_final

FILE_NAME = "stats.jsonl"
MAX_BYTES = 256 << 20  # 100 times the size for the paper's run with a tick every minute
MAX_PROBLEMS = 5  # reported one by one

# A tick ("tick", "nimg", "kimg", losses, times, ...) or a scored snapshot ("nimg", "snapshot", "Metrics/NAME").
Record = dict[str, int | float | str | None]
# Fields that must be numbers: of every record, and of a tick.
NUMBERS = ("nimg",)
TICK_NUMBERS = ("tick", "kimg", "lod", "resolution", "total_sec", "images_per_sec", "eta_sec")
_LARGEST = 1e15  # of a number of images, seconds, ...


def append(run_dir: RunDir, record: Record) -> None:
    """Appends a record."""
    with open(run_dir / FILE_NAME, "a", encoding="utf-8") as file:
        file.write(json_line(record) + "\n")


def json_line(record: Record) -> str:
    """One line of strict JSON: values that are not finite become null."""
    plain = {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()}
    return json.dumps(plain)


def read(run_dir: RunDir | Path, report: Callable[[str], None] = lambda text: None) -> list[Record]:
    """All valid records. An incomplete last line is ignored.

    Args:
        run_dir: the run, or its folder.
        report: called with one line of text for each of the first lines that are not valid.
    """
    path = run_dir / FILE_NAME
    if not path.exists():
        return []
    try:
        lines = read_bounded(path, MAX_BYTES).split(b"\n")
    except UserError as error:
        report(f"{error} Its statistics are ignored.")
        return []
    records, problems = [], []
    for number, line in enumerate(lines, 1):
        record, problem = _parsed(line)
        if problem is None:
            records.append(record)
        elif number < len(lines):  # not the rest after the last line end
            problems.append(f"{path}, line {number} is ignored: {problem}.")
    for problem in problems[:MAX_PROBLEMS]:
        report(problem)
    if len(problems) > MAX_PROBLEMS:
        report(f"{path}: {len(problems) - MAX_PROBLEMS} more lines are ignored.")
    return records


def scored(run_dir: RunDir, records: Sequence[Record]) -> list[Record]:
    """The records of scored snapshots, with the present names of the files.

    When a finished run is continued, network-final.pkl is renamed to its number: only the last record may have the final name.
    """
    found = [record for record in records if "snapshot" in record]
    finals = [record for record in found if record["snapshot"] == FINAL_NAME]
    if finals and finals[-1] is found[-1] and (run_dir / FINAL_NAME).exists():
        finals.pop()
    names = {id(record): renamed_final(record["nimg"]) for record in finals}
    return [{**record, "snapshot": names.get(id(record), record["snapshot"])} for record in found]


def _parsed(line: bytes) -> tuple[Record, str | None]:
    """The record of a line, and what is wrong with it."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {}, f"not JSON ({str(error)[:80]})"
    if not isinstance(record, dict):
        return {}, f"expected an object, found {type(record).__name__}"
    for name in (*NUMBERS, *(TICK_NUMBERS if "tick" in record else ())):
        if not _is_number(record.get(name)) or not 0 <= record[name] <= _LARGEST:
            return {}, f"{name} must be a number of at least 0, found {str(record.get(name, 'nothing'))[:40]}"
    name = record.get("snapshot", "x")
    if not isinstance(name, str) or not name or "/" in name or "\0" in name or len(name) > 200:
        return {}, f"snapshot must be the name of a file, found {str(name)[:40]!r}"
    for name, value in record.items():
        if name != "snapshot" and value is not None and not _is_number(value):
            return {}, f"{name[:40]} must be a number or null, found {str(value)[:40]!r}"
    return record, None


def _is_number(value: object) -> bool:
    """True for finite numbers that a float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e308 <= value <= 1e308
