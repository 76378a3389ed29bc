"""Descriptions of the images of commands: captions, file names, text fields of PNG files, and figures with names and a note."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import stylegan_tf
from stylegan_tf import sheets
from stylegan_tf.display import visible
from stylegan_tf.images import save_png
from stylegan_tf.inference.commands.session import Session, StyleSession

_MAX_FIELD_CHARS = 10_000
_MAX_NAME_CHARS = 40  # of a class name in a file name


@dataclass(frozen=True)
class Figure:
    """Images in rows and columns."""

    pictures: np.ndarray  # uint8 [R, K, H, W, C]
    # names of the columns and rows.
    columns: Sequence[str]
    rows: Sequence[str]
    note: str  # one or two sentences: what the rows and columns are


def save_figure(path: Path, figure: Figure, session: Session, **fields: str | None) -> str:
    """Writes a figure with its names and its note. Returns a line about it; `fields` as in `text_fields`."""
    flat = figure.pictures.reshape(-1, *figure.pictures.shape[2:])
    image = sheets.sheet(
        flat, figure.pictures.shape[1], column_names=figure.columns, row_names=figure.rows, note=f"{figure.note} {described(session)}"
    )
    save_png(path, image, text=text_fields(session, **fields), dpi=sheets.DPI)
    return f"{path}: {figure.note}"


def described(session: Session) -> str:
    """The network of a figure, for its note."""
    return f"Network: {Path(session.source).parent.name or '.'}/{Path(session.source).name}, kimg {_kimg(session)}."


def text_fields(session: Session, **fields: str | None) -> dict[str, str]:
    """Text fields of a PNG file: the program, the network and the command, and `fields` such as seed, psi and class (None: omitted)."""
    known = {"network": session.source, "kimg": _kimg(session), **fields, "command": session.args.command_line}
    shown = {name: visible(value, _MAX_FIELD_CHARS) for name, value in known.items() if value is not None}
    return {"Software": f"stylegan_tf {stylegan_tf.__version__}", **shown}


def truncation_fields(session: Session) -> dict[str, str]:
    """The fields psi and trunc_cutoff of a session's images; {} without styles."""
    if not isinstance(session, StyleSession):
        return {}
    psi, cutoff = session.truncation()
    return {"psi": f"{psi:g}", "trunc_cutoff": "all" if cutoff is None else str(cutoff)}


def label_texts(session: Session, seeds: Sequence[int]) -> list[str]:
    """The class name, or the label, of each seed; "" for an unconditional network."""
    if session.has_classes:
        return [session.class_name(number) for number in session.classes(seeds)]
    labels = session.labels(seeds)
    return [""] * len(seeds) if labels is None else ["label " + ",".join(f"{number:.4g}" for number in label) for label in labels]


def seed_names(session: Session, seeds: Sequence[int]) -> list[str]:
    """Each seed with its class on a second line, for captions and names of rows and columns."""
    return [f"{seed}\n{label}".rstrip("\n") for seed, label in zip(seeds, label_texts(session, seeds), strict=True)]


def file_names(session: Session, seeds: Sequence[int]) -> list[str]:
    """seed0004.png, with classes seed0004-class1-dress.png; characters that a file system may not accept are replaced by "_"."""
    if not session.has_classes:
        return [f"seed{seed:04d}.png" for seed in seeds]
    numbers = session.classes(seeds)
    return [f"seed{seed:04d}-class{number}{_name_in_file(session, number)}.png" for seed, number in zip(seeds, numbers, strict=True)]


def _kimg(session: Session) -> str:
    return f"{session.nimg / 1000:.1f}".removesuffix(".0")


def _name_in_file(session: Session, number: int) -> str:
    name = session.class_names[number] if number < len(session.class_names) else ""
    safe = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._-")[:_MAX_NAME_CHARS]
    return f"-{safe}" if safe else ""
