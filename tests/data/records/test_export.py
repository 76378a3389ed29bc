"""Contact sheets show every class, wherever its images are in the dataset."""

import numpy as np

from stylegan_tf.data import DatasetWriter, open_dataset
from stylegan_tf.data.records.export import contact_sheet


def test_a_class_whose_images_come_last_has_a_row(tmp_path, monkeypatch):  # only the first 200,000 labels were looked at
    monkeypatch.setattr("stylegan_tf.data.records.export._LABELS_AT_ONCE", 4)
    classes = np.array([0] * 9 + [1, 0, 1, 1, 1, 2])
    with DatasetWriter(tmp_path / "set", resolution=8, channels=3, class_names=["cat", "dog", "fish", "none of it"]) as writer:
        writer.add_many((np.full((8, 8, 3), 50 + 60 * number, np.uint8), int(number)) for number in classes)
    sheet = contact_sheet(open_dataset(tmp_path / "set"), columns=3, cell=8)
    cells = sheet[4 + 4 :: 12, -8 - 2 * 12 :: 12, 0]  # the middle of every cell, beside the captions
    assert cells.tolist() == [[50] * 3, [110] * 3, [170, 255, 255]]
