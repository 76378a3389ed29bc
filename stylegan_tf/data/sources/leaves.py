"""The embedded dataset as a source: leaves drawn when they are asked for, and the table of their factors."""

import csv
import io

import numpy as np

from stylegan_tf.data.leaves import CLASS_NAMES, FACTOR_RANGES, draw_factors, draw_leaf
from stylegan_tf.data.sources.base import Source
from stylegan_tf.errors import UserError
from stylegan_tf.resolution import check_resolution


class LeavesSource(Source):
    """`num_images` drawn leaves; labels are their species."""

    is_checked = True

    def __init__(self, num_images: int, resolution: int, seed: int):
        super().__init__()
        check_resolution(resolution)
        if num_images < 1 or seed < 0:
            raise UserError(f"Leaves need 1 image or more and a seed of 0 or above. Received: {num_images} images, seed {seed}")
        self.title, self.resolution, self.seed = "drawn leaves", resolution, seed
        self.names = [f"leaf{index:08d}" for index in range(num_images)]
        self.class_names = CLASS_NAMES
        self.labels = np.arange(num_images) % len(CLASS_NAMES)

    def read(self, index: int) -> np.ndarray:
        """Draws leaf `index`."""
        return draw_leaf(self.seed, index, self.resolution)[0]

    def tables(self) -> dict[str, str]:
        """The table of factors."""
        return {"factors.csv": self.factor_table()}

    def factor_table(self) -> str:
        """CSV text, a row an image in the order of the records: its number, species, and what it was drawn from."""
        text = io.StringIO()
        names = [*FACTOR_RANGES, "count"]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["image", "species", *names])
        for index in range(len(self.names)):
            species, factors = draw_factors(self.seed, index)
            writer.writerow([index, CLASS_NAMES[species], *(round(factors[name], 6) for name in names)])
        return text.getvalue()
