"""Pictures of what is in a dataset: a sheet of its images, one class a row where there are classes."""

import numpy as np

from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.read import read_images

_GROUND = (246, 246, 244)
_GAP = 2  # pixels between images
_CAPTION_WIDTH = 120
_MAX_CLASS_ROWS = 24
_SCANNED = 65_536  # labels read at a time, until every class has its images


def contact_sheet(dataset: Dataset, *, columns: int = 12, rows: int = 8, cell: int = 96) -> np.ndarray:
    """Draws the first images of a dataset, or of each of its classes.

    Args:
        dataset: from `open_dataset`.
        columns, rows: images; with class labels there is one row a class, up to 24.
        cell: side of an image on the sheet, in pixels; the nearest level is read.

    Returns:
        uint8 [H, W, 3].
    """
    by_class = _first_of_classes(dataset, columns)
    if by_class:
        captions, groups = zip(*by_class.items(), strict=True)
    else:
        captions = None
        count = min(dataset.num_images, columns * rows)
        groups = [list(range(first, min(first + columns, count))) for first in range(0, count, columns)]
    shown = [index for group in groups for index in group]
    level = next((resolution for resolution in dataset.resolutions if resolution >= cell), dataset.resolution)
    images = dict(zip(shown, read_images(dataset, shown, level), strict=True))
    return tile([[images[index] for index in group] for group in groups], captions=captions, cell=cell)


def tile(rows: list[list[np.ndarray]], *, captions: tuple[str, ...] | None = None, cell: int = 96) -> np.ndarray:
    """Lays rows of square images out on one sheet, uint8 [H, W, 3], with a caption in front of each row."""
    from PIL import Image, ImageDraw, ImageFont

    left = _CAPTION_WIDTH if captions else 0
    width = left + max(len(row) for row in rows) * (cell + _GAP) + _GAP
    sheet = Image.new("RGB", (width, len(rows) * (cell + _GAP) + _GAP), _GROUND)
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        top = _GAP + number * (cell + _GAP)
        if captions:
            font = ImageFont.load_default(13)
            draw.text((6, top + cell // 2 - 8), _shortened(captions[number], font), fill=(40, 40, 40), font=font)
        for column, image in enumerate(row):
            sheet.paste(_thumbnail(image, cell), (left + _GAP + column * (cell + _GAP), top))
    return np.asarray(sheet)


def _shortened(text: str, font) -> str:
    """Text cut in its middle until it fits in front of a row."""
    kept = len(text)
    shown = text
    while font.getlength(shown) > _CAPTION_WIDTH - 10 and kept > 4:
        kept -= 1
        shown = f"{text[: kept // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def _thumbnail(image: np.ndarray, cell: int):
    from PIL import Image

    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (*_GROUND, 255)), picture)
    is_enlarged = picture.width < cell
    picture = picture.convert("RGB").resize((cell, cell), Image.Resampling.NEAREST if is_enlarged else Image.Resampling.LANCZOS)
    return picture


def _first_of_classes(dataset: Dataset, columns: int) -> dict[str, list[int]]:
    """The first images of every class by its name, {} where labels are no classes."""
    if dataset.label_size < 2:
        return {}
    names = (dataset.class_names or tuple(map(str, range(dataset.label_size))))[:_MAX_CLASS_ROWS]
    rows: list[list[int]] = [[] for _ in names]
    for start in range(0, dataset.num_images, _SCANNED):
        labels = np.asarray(dataset.labels[start : start + _SCANNED])
        if not ((labels == 0) | (labels == 1)).all() or (labels.sum(axis=1) != 1).any():
            return {}
        classes = labels.argmax(axis=1)
        for number, row in enumerate(rows):
            if len(row) < columns:
                row += (start + np.flatnonzero(classes == number)[: columns - len(row)]).tolist()
        if all(len(row) == columns for row in rows):
            break
    return {name: row for name, row in zip(names, rows, strict=True) if row}
