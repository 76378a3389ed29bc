"""Sheets of pictures for people to look at: small pictures enlarged, rows and columns named."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylegan_tf.images import upscale

MIN_CELL = 128  # pixels; a picture of 32x32 is a stamp on today's screens
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """Repeats the pixels of uint8 [H, W, C], made of pictures of `side`, until each has at least 128 a side."""
    return upscale(picture[None], -(-MIN_CELL // side))[0]


def named_sheet(sheet: np.ndarray, *, columns: Sequence[str], rows: Sequence[str]) -> np.ndarray:
    """The sheet, enlarged where it is small, with a margin that names its columns and rows.

    Args:
        sheet: uint8 [rows * S, columns * S, C].
        columns, rows: one name each, "" for none.

    Returns:
        uint8 [T + rows * S', L + columns * S', C], black on white in the margins T and L.
    """
    side = sheet.shape[0] // len(rows)
    sheet = enlarged(sheet, side)
    cell = sheet.shape[0] // len(rows)
    font = ImageFont.load_default(max(cell // 10, 12))
    pad = max(cell // 20, 4)
    left = round(max(font.getlength(name) for name in rows)) + 2 * pad
    top = sum(font.getmetrics()) + 2 * pad
    canvas = np.full((top + sheet.shape[0], left + sheet.shape[1], sheet.shape[2]), 255, np.uint8)
    canvas[top:, left:] = sheet
    picture = Image.fromarray(canvas[..., 0] if sheet.shape[2] == 1 else canvas, _MODES[sheet.shape[2]])
    draw = ImageDraw.Draw(picture)
    ink = 0 if sheet.shape[2] == 1 else (0, 0, 0, 255)[: sheet.shape[2]]
    for column, name in enumerate(columns):
        draw.text((left + column * cell + cell // 2, top - pad), name, ink, font, anchor="md")
    for row, name in enumerate(rows):
        draw.text((left - pad, top + row * cell + cell // 2), name, ink, font, anchor="rm")
    return np.asarray(picture).reshape(canvas.shape)
