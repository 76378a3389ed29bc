"""stats.jsonl: one line of JSON for each tick and each scored snapshot, written and read back."""

import json
import math

from stylegan_tf.training.run_dir import FINAL_NAME, RunDir, renamed_final

FILE_NAME = "stats.jsonl"

# A tick ("tick", "nimg", "kimg", losses, times, ...) or a scored snapshot ("nimg", "snapshot", "Metrics/NAME").
Record = dict[str, int | float | str | None]


def append(run_dir: RunDir, record: Record) -> None:
    """Appends a record."""
    with open(run_dir / FILE_NAME, "a", encoding="utf-8") as file:
        file.write(json_line(record) + "\n")


def json_line(record: Record) -> str:
    """One line of strict JSON: values that are not finite become null."""
    plain = {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()}
    return json.dumps(plain)


def read(run_dir: RunDir) -> list[Record]:
    """All records; an incomplete last line is ignored."""
    path = run_dir / FILE_NAME
    records = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
    return records


def scored(run_dir: RunDir, records: list[Record]) -> list[Record]:
    """The records of scored snapshots, with the present names of the files.

    When a finished run is continued, network-final.pkl is renamed to its number: only the last record may have the final name.
    """
    found = [record for record in records if "snapshot" in record]
    finals = [record for record in found if record["snapshot"] == FINAL_NAME]
    if finals and finals[-1] is found[-1] and (run_dir / FINAL_NAME).exists():
        finals.pop()
    names = {id(record): renamed_final(record["nimg"]) for record in finals}
    return [{**record, "snapshot": names.get(id(record), record["snapshot"])} for record in found]
