"""Puts the images of a dataset back into files, with their labels beside them."""

import json
import os
from pathlib import Path

import numpy as np

from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.read import decode_record
from stylegan_tf.errors import UserError
from stylegan_tf.files import write_text
from stylegan_tf.images import save_png
from stylegan_tf.parallel import parallel_map
from stylegan_tf.progress_bar import track

LABELS_NAME = "dataset.json"


def extract_images(dataset: Dataset, output_dir: str | os.PathLike, workers: int | None = None) -> int:
    """Writes img00000000.png, img00000001.png, ... in the order of the records, and dataset.json with labels.

    The labels have the form of stylegan2-ada, with `class_names` beside them, so that `create_from_images --shuffle 0` makes
    the same dataset of the folder.

    Returns:
        How many images were written.

    Raises:
        UserError: the folder holds files already or cannot be written, or a record is damaged.
    """
    folder = Path(output_dir)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} is not empty. Give a new folder.")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror}") from None
    level = dataset.level(dataset.resolution)

    def extract(index: int) -> None:
        image = decode_record(level, index)
        try:
            save_png(folder / image_name(index), image)
        except OSError as error:
            raise UserError(f"{folder / image_name(index)} cannot be written: {error.strerror}") from None

    for _ in track(parallel_map(extract, range(dataset.num_images), workers), dataset.num_images, "Extracting"):
        pass
    if dataset.label_size:
        labels = [[image_name(index), _plain(label)] for index, label in enumerate(dataset.labels)]
        content = {"labels": labels, **({"class_names": dataset.class_names} if dataset.class_names else {})}
        write_text(folder / LABELS_NAME, json.dumps(content, ensure_ascii=False) + "\n")
    return dataset.num_images


def image_name(index: int) -> str:
    """File name of an image by its place in the records, as the original writes it."""
    return f"img{index:08d}.png"


def _plain(label: np.ndarray) -> int | list[float]:
    """A class number for a one-hot label, a list of numbers for any other."""
    is_one_hot = np.count_nonzero(label) == 1 and label.max() == 1 and len(label) > 1
    return int(label.argmax()) if is_one_hot else [float(number) for number in label]
