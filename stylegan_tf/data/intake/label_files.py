"""Label files as rows of image name and label: JSON as stylegan2-ada and others write it, and CSV."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from stylegan_tf.data.intake.labels import Cell
from stylegan_tf.display import visible
from stylegan_tf.errors import UserError

MAX_LABEL_BYTES = 64 << 20  # of a text file: labels of a million images; parsing takes up to 15 times as much memory
_MAX_LISTS = 4_000_000  # in a JSON file
_MAX_FIELD_CHARS = 100_000  # of a CSV file
_FORMS = '{"labels": [["name.png", 6], ...]} or {"labels": {"name.png": 6, ...}}'


class LabelRow(NamedTuple):
    """What a file states about one image; `place` is "line 3" or "entry 3", for messages."""

    name: str
    cell: Cell
    place: str


class LabelRows(NamedTuple):
    """Rows of a file; `rows` is None if the file states that there are no labels. `class_names` is None if it names none."""

    rows: list[LabelRow] | None
    class_names: Any = None


def read_label_json(content: bytes, where: str) -> LabelRows:
    """Labels as stylegan2-ada writes them: {"labels": [["00000/img00000000.png", 6], ...]}, a vector in place of 6, or null.

    The pairs may also be a dict, and either may be the whole file. `null` in place of the labels, or as the whole file, means no labels.

    Raises:
        UserError: not JSON (with the line and the reason), another form, or too large.
    """
    parsed = _parse_json(content, where)
    labels, class_names = parsed, None
    if isinstance(parsed, dict) and "labels" in parsed:
        labels, class_names = parsed["labels"], parsed.get("class_names")
    if labels is None:
        return LabelRows(None)
    if isinstance(labels, dict):
        labels = list(labels.items())
    if not isinstance(labels, list):
        raise UserError(f"{where} must have the form {_FORMS}. Received: {visible(labels, 80)}")
    rows = []
    for number, pair in enumerate(labels, 1):
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)
        if not is_pair or isinstance(pair[1], dict):
            raise UserError(f"{where}, entry {number}: expected a pair of name and label, as in {_FORMS}. Received: {visible(pair, 80)}")
        rows.append(LabelRow(pair[0], pair[1], f"entry {number}"))
    return LabelRows(rows, class_names)


def read_label_csv(content: bytes, where: str) -> LabelRows:
    """Rows of name and class, or of name and several numbers, separated by commas, semicolons or tabs.

    Raises:
        UserError: not UTF-8 text, rows of several lengths, or words in more than one column (with the line).
    """
    _check_size(content, where)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}, line {_line_of(content, error)}, is not UTF-8 text. Save the file with that encoding.") from None
    rows = _parse_csv(text.replace("\r\n", "\n").replace("\r", "\n"), where)
    if not rows or len(rows[0][1]) < 2:
        raise UserError(f"{where} must have rows of the same length: the image's name, then its label (or several numbers).")
    width = len(rows[0][1])
    for place, cells in rows:
        if len(cells) != width:
            raise UserError(f"{where}, {place}: {len(cells)} columns, {width} expected. All rows must have the same length.")
    if width == 2:
        return LabelRows([LabelRow(cells[0], cells[1], place) for place, cells in rows])
    return LabelRows([LabelRow(cells[0], [_as_number(cell) for cell in cells[1:]], place) for place, cells in rows])


def _parse_json(content: bytes, where: str) -> Any:
    _check_size(content, where)
    if content.count(b"[") + content.count(b"{") > _MAX_LISTS:
        raise UserError(f"{where} contains more than {_MAX_LISTS:,} lists. Give the labels as an .npy array.")

    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            repeated = next(name for name, _ in pairs if name in seen or seen.add(name))
            raise UserError(f"{where} contains {visible(repeated)!r} twice. Keep one of them.")
        return found

    try:
        return json.loads(content, object_pairs_hook=without_repeats)
    except UserError:
        raise
    except json.JSONDecodeError as error:
        reason = _json_reason(error)
    except UnicodeDecodeError as error:
        reason = f"line {_line_of(content, error)}: not UTF-8 text"
    except RecursionError:
        reason = "nested too deep"
    except ValueError as error:  # an integer of thousands of digits
        reason = str(error)
    raise UserError(f"{where} cannot be parsed as JSON ({reason}).")


def _json_reason(error: json.JSONDecodeError) -> str:
    before = error.doc[: error.pos].rstrip()
    if before.endswith(",") and error.doc[error.pos : error.pos + 1] in ("]", "}"):  # Python 3.12 and older blame the bracket
        error = json.JSONDecodeError("a comma after the last item", error.doc, len(before) - 1)
    return f"line {error.lineno}, column {error.colno}: {error.msg}"


def _parse_csv(text: str, where: str) -> list[tuple[str, list[str]]]:
    """("line 3", cells) of every row that is not empty."""
    csv.field_size_limit(_MAX_FIELD_CHARS)
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text), skipinitialspace=True)
    try:
        return [(f"line {reader.line_num}", row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UserError(f"{where}, line {reader.line_num}, cannot be read as CSV: {error}") from None


def _delimiter(text: str) -> str:
    """Tab, semicolon or comma: the first that occurs in each of the first lines; numbers may have decimal commas."""
    lines = [line for line in text[:20_000].split("\n") if line.strip()][:10]
    return next((mark for mark in "\t;" if lines and all(mark in line for line in lines)), ",")


def _as_number(cell: str) -> float | str | None:
    """A cell of a vector: None if it is empty, a string if it is not a number."""
    text = cell.strip()
    if text.lower() in ("", "null"):
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _line_of(content: bytes, error: UnicodeDecodeError) -> int:
    return content[: error.start].count(b"\n") + 1


def _check_size(content: Sequence, where: str) -> None:
    if len(content) > MAX_LABEL_BYTES:
        raise UserError(f"{where} has {len(content):,} bytes; at most {MAX_LABEL_BYTES:,} are read. Give the labels as an .npy array.")
