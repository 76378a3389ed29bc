"""Sheets: pictures of one size side by side with gaps, captions beneath them, names of columns and rows, and a note below all."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylegan_tf.images import upscale

MIN_SHOWN_SIDE = 128  # pixels: a 32x32 image is hard to see on today's screens
DPI = 150  # of figures
MAX_SHOWN = 1024  # pictures in a notebook
_PAPER, _INK, _GREY = 255, 20, 90
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def enlarged(image: np.ndarray, side: int) -> np.ndarray:
    """Repeats the pixels of uint8 [H, W, C], made of images of `side` pixels, until each image has at least 128 pixels a side."""
    return upscale(image[None], -(-MIN_SHOWN_SIDE // side))[0]


def gap_of(side: int) -> int:
    """Pixels between pictures of a side."""
    return max(side // 32, 4)


def sheet(
    pictures: np.ndarray,
    columns: int,
    *,
    captions: Sequence[str] = (),
    column_names: Sequence[str] = (),
    row_names: Sequence[str] = (),
    note: str = "",
    text_width: int | None = None,
    least: int = MIN_SHOWN_SIDE,
) -> np.ndarray:
    """Arranges pictures row by row on white, each enlarged until its larger side has at least `least` pixels.

    Args:
        pictures: uint8 [N, H, W, C], C 1, 3 or 4; an empty place is a picture of 255.
        captions: a text beneath each picture, of one or more lines; none if empty.
        note: a text below all pictures, broken into lines of the sheet's width.
        text_width: the width in pixels of pictures that have texts and gaps of this size; None: that of `pictures`.
        least: see above.

    Returns:
        uint8 [H', W', C]. Margins are white and opaque. A text that is wider than its picture is cut and ends in "...".
    """
    pictures = upscale(pictures, -(-least // max(pictures.shape[1:3])))
    count, height, width, channels = pictures.shape
    text_width = max(text_width or width, MIN_SHOWN_SIDE)
    gap, font = gap_of(text_width), ImageFont.load_default(max(text_width // 12, 12))
    line = sum(font.getmetrics())
    below = max((text.count("\n") + 1 for text in captions), default=0) * line
    above = max((text.count("\n") + 1 for text in column_names), default=0) * line
    left = round(max((font.getlength(part) for text in row_names for part in text.split("\n")), default=0))
    left, top = left + gap * (2 if left else 1), above + gap
    pitch = height + below + gap
    rows = -(-count // columns)
    right = left + columns * (width + gap)
    note_lines = wrapped(note, font, right - left - gap)
    size = (top + rows * pitch + len(note_lines) * line + (gap if note else 0), right)
    canvas = np.full((*size, channels), _PAPER, np.uint8)
    places = [(top + index // columns * pitch, left + index % columns * (width + gap)) for index in range(count)]
    for (y, x), picture in zip(places, pictures, strict=True):
        canvas[y : y + height, x : x + width] = picture

    image = Image.fromarray(canvas[..., 0] if channels == 1 else canvas, _MODES[channels])
    draw = ImageDraw.Draw(image)

    def write(x: float, y: float, text: str, anchor: str, *, grey: int = _INK, room: float = width + gap / 2) -> None:
        shown = "\n".join(shortened(part, font, room) for part in text.split("\n"))
        ink = grey if channels == 1 else (grey, grey, grey, 255)[:channels]
        align = "left" if anchor == "la" else "center"
        draw.multiline_text((x, y), shown, ink, font, anchor, spacing=line - font.getbbox("A")[3], align=align)

    for (y, x), text in zip(places, captions):  # noqa: B905  captions may be empty
        write(x + width / 2, y + height, text, "ma")
    for column, text in enumerate(column_names):
        write(left + column * (width + gap) + width / 2, gap / 2, text, "ma")
    for row, text in enumerate(row_names):
        write((left - gap) / 2, top + row * pitch + height / 2, text, "mm", room=left)
    if note:
        write(left, size[0] - gap - len(note_lines) * line, "\n".join(note_lines), "la", grey=_GREY, room=right)
    return np.asarray(image).reshape(canvas.shape)


class Pictures(np.ndarray):
    """uint8 images [N, R, R, C] or [R, R, C], which a notebook shows as pictures; otherwise an ordinary NumPy array."""

    def _repr_png_(self) -> bytes | None:
        pictures = np.asarray(self)[None] if self.ndim == 3 else np.asarray(self)
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[3] not in _MODES or not 0 < len(pictures) <= MAX_SHOWN:
            return None
        image = sheet(pictures, min(math.ceil(math.sqrt(len(pictures))), 8))
        file = io.BytesIO()
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, format="PNG")
        return file.getvalue()


def shortened(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """The text, or its beginning and "..." where it is wider than `width` pixels."""
    if font.getlength(text) <= width:
        return text
    kept = len(text)
    while kept and font.getlength(f"{text[:kept]}...") > width:
        kept -= 1
    return f"{text[:kept]}..."


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The words of a text in lines of at most `width` pixels; a word that is wider is divided."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
            continue
        lines.append("")
        for character in word:
            if lines[-1] and font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines
