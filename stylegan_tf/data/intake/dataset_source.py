"""The images of a dataset as the source of another one, in another encoding."""

from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.manifest import FACTORS_NAME
from stylegan_tf.data.sources.base import Source, numbered_names
from stylegan_tf.files import read_bounded

_MAX_FACTORS_BYTES = 1 << 30


class DatasetSource(Source):
    """Images and labels of a dataset, ours or the original's, in the order of its records."""

    is_checked = True

    def __init__(self, dataset: Dataset):
        super().__init__()
        self.title, self.names, self.class_names = str(dataset.path), numbered_names(dataset.num_images), dataset.class_names
        self.labels = dataset.labels if dataset.label_size else None
        self._dataset, self._level = dataset, dataset.level(dataset.resolution)

    def read(self, index):
        """Image `index`, uint8 [R, R, C]; UserError for a damaged record."""
        return self._level.read_image(index)

    def tables(self) -> dict[str, str]:
        """The table of factors, if there is one."""
        path = self._dataset.path / FACTORS_NAME
        return {FACTORS_NAME: read_bounded(path, _MAX_FACTORS_BYTES).decode("utf-8", "backslashreplace")} if path.is_file() else {}
