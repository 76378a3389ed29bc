"""A dataset in another form: image files, or a contact sheet."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.data.records.dataset import Dataset, read_images
from stylegan_tf.display import visible
from stylegan_tf.errors import UserError
from stylegan_tf.files import new_folder, write_text
from stylegan_tf.images import save_png
from stylegan_tf.parallel import parallel_map
from stylegan_tf.progress_bar import track
from stylegan_tf.sheets import sheet

LABELS_NAME = "dataset.json"  # of extracted images, as stylegan2-ada writes it

_CAPTION_CHARS = 20
_MAX_CLASS_ROWS = 24
_LABELS_AT_ONCE = 65_536  # read until every class has its images


def extract_images(dataset: Dataset, output_dir: str | os.PathLike, workers: int | None = None) -> int:
    """Writes img00000000.png, img00000001.png, ... in the order of the records, and dataset.json with labels.

    The labels have the form of stylegan2-ada, with `class_names` beside them, so that `create_from_images --shuffle 0` makes
    the same dataset from the folder.

    Returns:
        Number of images written.

    Raises:
        UserError: the folder is not empty or cannot be written, or a record is damaged; nothing is left of the folder then.
    """
    folder = Path(output_dir)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} is not empty. Choose a new folder.")
        folder.mkdir(parents=True, exist_ok=True)
        folder.rmdir()  # it gets its name when it is complete
    except OSError as error:
        raise UserError(f"{folder} cannot be created: {error.strerror}") from None
    level = dataset.level(dataset.resolution)
    with new_folder(folder) as partial:
        partial.mkdir()

        def extract(index: int) -> None:
            image = level.read_image(index)
            try:
                save_png(partial / _image_name(index), image)
            except OSError as error:
                raise UserError(f"{folder / _image_name(index)} cannot be written: {error.strerror}") from None

        for _ in track(parallel_map(extract, range(dataset.num_images), workers), dataset.num_images, "Extracting"):
            pass
        if dataset.label_size:
            labels = [[_image_name(index), _as_json(label)] for index, label in enumerate(dataset.labels)]
            content = {"labels": labels, **({"class_names": dataset.class_names} if dataset.class_names else {})}
            write_text(partial / LABELS_NAME, json.dumps(content, ensure_ascii=False) + "\n")
    return dataset.num_images


def contact_sheet(dataset: Dataset, *, columns: int = 12, rows: int = 8, cell: int = 96) -> np.ndarray:
    """A sheet of the first images of a dataset, or of each of its classes.

    Args:
        columns, rows: images; with class labels there is one row per class, up to 24.
        cell: side of an image on the sheet, in pixels; the nearest level is read.

    Returns:
        uint8 [H, W, 3].
    """
    by_class = _first_of_classes(dataset, columns)
    if by_class:
        captions, groups = zip(*by_class.items(), strict=True)
    else:
        captions = ()
        count = min(dataset.num_images, columns * rows)
        groups = [list(range(first, min(first + columns, count))) for first in range(0, count, columns)]
    shown = [index for group in groups for index in group]
    level = next((resolution for resolution in dataset.resolutions if resolution >= cell), dataset.resolution)
    images = dict(zip(shown, read_images(dataset, shown, level), strict=True))
    return tile([[images[index] for index in group] for group in groups], captions=captions, cell=cell)


def tile(rows: Sequence[Sequence[np.ndarray]], *, captions: Sequence[str] = (), cell: int = 96) -> np.ndarray:
    """Rows of square images on one sheet, uint8 [H, W, 3], with a caption before each row."""
    columns = max(map(len, rows))
    cells = np.full((len(rows), columns, cell, cell, 3), 255, np.uint8)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            cells[row, column] = _thumbnail(image, cell)
    return sheet(cells.reshape(-1, cell, cell, 3), columns, row_names=[visible(text, _CAPTION_CHARS) for text in captions], least=cell)


def _image_name(index: int) -> str:
    """File name of an image by its place in the records, as in the original release."""
    return f"img{index:08d}.png"


def _as_json(label: np.ndarray) -> int | list[float]:
    """A class number for a one-hot label, a list of numbers for any other."""
    is_one_hot = np.count_nonzero(label) == 1 and label.max() == 1 and len(label) > 1
    return int(label.argmax()) if is_one_hot else [float(number) for number in label]


def _thumbnail(image: np.ndarray, cell: int) -> np.ndarray:
    """The image as uint8 [cell, cell, 3], on white."""
    from PIL import Image

    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    is_enlarged = picture.width < cell
    return np.asarray(picture.convert("RGB").resize((cell, cell), Image.Resampling.NEAREST if is_enlarged else Image.Resampling.LANCZOS))


def _first_of_classes(dataset: Dataset, columns: int) -> dict[str, list[int]]:
    """The first images of every class by its name, {} if labels are not classes."""
    if dataset.label_size < 2:
        return {}
    names = (dataset.class_names or tuple(map(str, range(dataset.label_size))))[:_MAX_CLASS_ROWS]
    rows: list[list[int]] = [[] for _ in names]
    for start in range(0, dataset.num_images, _LABELS_AT_ONCE):
        labels = np.asarray(dataset.labels[start : start + _LABELS_AT_ONCE])
        if not ((labels == 0) | (labels == 1)).all() or (labels.sum(axis=1) != 1).any():
            return {}
        classes = labels.argmax(axis=1)
        for number, row in enumerate(rows):
            if len(row) < columns:
                row += (start + np.flatnonzero(classes == number)[: columns - len(row)]).tolist()
        if all(len(row) == columns for row in rows):
            break
    return {name: row for name, row in zip(names, rows, strict=True) if row}
