"""Contact sheets show every class, wherever its images are in the dataset; extraction leaves nothing behind if it fails."""

import numpy as np
import pytest

from stylegan_tf.data import DatasetWriter, open_dataset
from stylegan_tf.data.records.export import contact_sheet, extract_images
from stylegan_tf.errors import UserError


def test_a_class_whose_images_come_last_has_a_row(tmp_path, monkeypatch):  # only the first 200,000 labels were looked at
    monkeypatch.setattr("stylegan_tf.data.records.export._LABELS_AT_ONCE", 4)
    classes = np.array([0] * 9 + [1, 0, 1, 1, 1, 2])
    with DatasetWriter(tmp_path / "set", resolution=8, channels=3, class_names=["cat", "dog", "fish", "none of it"]) as writer:
        writer.add_many((np.full((8, 8, 3), 50 + 60 * number, np.uint8), int(number)) for number in classes)
    sheet = contact_sheet(open_dataset(tmp_path / "set"), columns=3, cell=8)
    cells = sheet[4 + 4 :: 12, -8 - 2 * 12 :: 12, 0]  # the middle of every cell, beside the captions
    assert cells.tolist() == [[50] * 3, [110] * 3, [170, 255, 255]]


def test_a_full_disk_leaves_nothing_of_the_extracted_files(tmp_path, monkeypatch):  # the folder was left, half filled
    with DatasetWriter(tmp_path / "set", resolution=8, channels=3) as writer:
        writer.add_many((np.full((8, 8, 3), number, np.uint8), None) for number in range(5))

    def save(path, image):
        path.touch()
        if image.max() == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("stylegan_tf.data.records.export.save_png", save)
    with pytest.raises(UserError, match=r"files/img00000003\.png cannot be written: No space"):
        extract_images(open_dataset(tmp_path / "set"), tmp_path / "files")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
