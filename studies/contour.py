"""A table of two variables as a figure: bands of colour between its cells, with the values."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_WIDTH, _HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 30, 60, 70
_INK, _DARK, _LIGHT = (40, 40, 40), (31, 90, 160), (250, 240, 200)
_BANDS = 10


def contour(title: str, x_names: Sequence[str], y_names: Sequence[str], values: np.ndarray, note: str = "") -> Image.Image:
    """A table of two variables as bands of colour between its cells, which stand at equal distances, with the values written in.

    Args:
        x_names, y_names: of the columns and of the rows, the first row at the bottom.
        values: [rows, columns], two or more of each; NaN for cells that do not exist, coloured as the lowest.
    """
    from scipy.ndimage import map_coordinates  # a tenth of a second to import

    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    left, top = _LEFT + 40, _TOP + 10
    width, height = _WIDTH - _RIGHT - left - 20, _HEIGHT - _BOTTOM - top - 10
    rows, columns = np.linspace(0, values.shape[0] - 1, height), np.linspace(0, values.shape[1] - 1, width)
    # Bands have equal numbers of cells, not equal widths: one bad row would leave all others in one band.
    cells = np.sort(values[~np.isnan(values)])
    filled = np.where(np.isnan(values), cells[0], values)
    heights = map_coordinates(filled, np.meshgrid(rows, columns, indexing="ij"), order=1)[::-1]
    shares = np.interp(heights, cells, np.linspace(0, 1, len(cells)))
    bands = np.floor(shares * (_BANDS - 1e-9)) / (_BANDS - 1)
    pixels = (np.array(_LIGHT) + np.subtract(_DARK, _LIGHT) * bands[..., None]).astype(np.uint8)
    image.paste(Image.fromarray(pixels), (left, top))
    for row, row_name in enumerate(y_names):
        y = top + height * (1 - row / (values.shape[0] - 1))
        draw.text((left - 30, y), row_name, _INK, font, anchor="rm")
        for column, name in enumerate(x_names):
            x = left + width * column / (values.shape[1] - 1)
            if row == 0:
                draw.text((x, _HEIGHT - _BOTTOM + 5), name, _INK, font, anchor="ma")
            if not np.isnan(values[row, column]):
                text = f"{values[row, column]:.4g}"
                box = draw.textbbox((x, y), text, font, anchor="mm")
                draw.rectangle([box[0] - 3, box[1] - 2, box[2] + 3, box[3] + 2], "white")
                draw.text((x, y), text, _INK, font, anchor="mm")
    draw.text((_LEFT, 20), title, _INK, ImageFont.load_default(20))
    draw.text((_WIDTH - _RIGHT, _HEIGHT - 12), note, _INK, font, anchor="rs")
    return image
