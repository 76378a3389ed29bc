"""Images in databases: LSUN's LMDB, HDF5 files of the progressive GAN, and sets of tensorflow-datasets."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf import command_line
from stylegan_tf.array_files import read_npy
from stylegan_tf.data.sources.base import NumberedNames, Source, UnusableImage
from stylegan_tf.errors import MissingFileError, UserError

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_datasets as tfds


class LsunSource(Source):
    """The first `max_images` entries of an LMDB of image files, in the order of their keys; no labels."""

    def __init__(self, lmdb_dir: str | Path, max_images: int | None = None):
        super().__init__()
        try:
            import lmdb
        except ImportError:
            raise UserError("LSUN needs the package lmdb: pip install lmdb") from None
        self.title = f"LSUN in {lmdb_dir}"
        path = Path(lmdb_dir)
        if not (path / "data.mdb").is_file():
            raise UserError(f"{path} is not an LMDB folder: it contains no data.mdb. Unzip the file that LSUN's download.py downloaded.")
        try:
            self._database = lmdb.open(str(path), readonly=True, lock=False, readahead=False, create=False, max_readers=256)
            with self._database.begin() as transaction:
                self._keys = []
                for key in transaction.cursor().iternext(keys=True, values=False):
                    if max_images is not None and len(self._keys) >= max_images:
                        break
                    self._keys.append(bytes(key))
        except lmdb.Error as error:
            raise UserError(f"{lmdb_dir} cannot be read as LMDB: {error}") from None
        self._error = lmdb.Error
        self.names = [key.decode("utf-8", "backslashreplace") for key in self._keys]

    def read(self, index: int) -> bytes:
        """Content of an image file."""
        try:
            with self._database.begin() as transaction:  # read transactions are cheap, and each thread needs its own
                content = transaction.get(self._keys[index])
        except self._error as error:
            raise UnusableImage("damaged in the archive", str(error)) from error
        return content or b""

    def close(self) -> None:
        """Closes the database."""
        self._database.close()


class Hdf5Source(Source):
    """Images [n, C, H, W] of the HDF5 dataset with the largest width whose name starts with `data`.

    Labels come from NAME-labels.npy beside the file.
    """

    is_checked = True

    def __init__(self, path: str | Path):
        super().__init__()
        import h5py

        path = Path(path)
        if not path.is_file():
            raise MissingFileError(f"There is no file {path}.")
        try:
            self._file = h5py.File(path, "r")
            found = [value for key, value in self._file.items() if key.startswith("data") and getattr(value, "ndim", 0) == 4]
        except (OSError, RuntimeError, KeyError) as error:
            raise UserError(f"{path} cannot be read as HDF5: {error}") from None
        if not found:
            raise UserError(
                f"{path} contains no images: expected a dataset named `data...` of [n, C, H, W]. It contains: {', '.join(self._file)}"
            )
        self._images = max(found, key=lambda images: images.shape[3])
        if self._images.dtype != np.uint8 or self._images.shape[1] not in (1, 3, 4):
            raise UserError(f"{path}: images must be bytes [n, 1, 3 or 4, H, W]. Received: {self._images.dtype} {list(self._images.shape)}")
        self.title = f"{self._images.name.lstrip('/')} in {path}"
        self.names = NumberedNames(len(self._images))
        self.labels = _labels_beside(path, len(self.names))

    def read(self, index: int) -> np.ndarray:
        """uint8 [H, W, C]."""
        try:
            return np.ascontiguousarray(self._images[index].transpose(1, 2, 0))
        except (OSError, RuntimeError) as error:
            raise UnusableImage("damaged in the archive", str(error)) from error

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class TfdsSource(Source):
    """All images of one split of a set of tensorflow-datasets.

    Their files are copied to a temporary file as they are, so that they can be read in any order.

    Args:
        name: of the set, such as "oxford_flowers102" or "mnist:3.0.1".
        split: in the notation of tensorflow-datasets: "train", "train+test", "train[:10%]".
        data_dir: folder of prepared sets; None for the library's default.
        image_key, label_key: features; None for the only image, and `label` if there is one.

    Raises:
        UserError: no such set, split or feature, or it cannot be prepared.
    """

    def __init__(
        self,
        name: str,
        *,
        split: str = "train",
        data_dir: str | None = None,
        image_key: str | None = None,
        label_key: str | None = None,
    ):
        super().__init__()
        command_line.import_tensorflow()
        import tensorflow_datasets as tfds

        self.title = f"{name} ({split})"
        try:
            builder = tfds.builder(name, data_dir=data_dir)
            builder.download_and_prepare()
            features = builder.info.features
            image_key = image_key or _only_image(features, name)
            label_key = label_key or ("label" if "label" in features else None)
            dataset = builder.as_dataset(split=split, decoders={image_key: tfds.decode.SkipDecoding()}, shuffle_files=False)
        except ModuleNotFoundError as error:  # tensorflow-datasets 4.9.10 does not declare its dependency on importlib_resources
            raise UserError(f"tensorflow-datasets needs the package {error.name}: pip install {error.name}") from None
        except UserError:
            raise
        except Exception as error:  # the library passes on all errors of its readers and downloaders
            raise UserError(f"tensorflow-datasets cannot load {name} ({split}): {str(error).strip()[:500]}") from None
        names = getattr(features[label_key], "names", None) if label_key else None
        self.class_names = tuple(names or ())
        self._copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._copy_images(dataset, image_key, label_key)

    def read(self, index: int) -> bytes:
        """Content of an image file."""
        start, stop = self._offsets[index], self._offsets[index + 1]
        content = os.pread(self._copy.fileno(), int(stop - start), int(start))
        if len(content) != stop - start:
            raise UnusableImage("file cannot be read", "the temporary file is truncated")
        return content

    def close(self) -> None:
        """Closes the temporary file, which deletes it."""
        self._copy.close()

    def _copy_images(self, dataset: "tf.data.Dataset", image_key: str, label_key: str | None) -> None:
        """Writes all image files one after another into the temporary file."""
        offsets, labels = [0], []
        for example in dataset.as_numpy_iterator():
            content = example[image_key]
            if not isinstance(content, bytes):
                raise UserError(f"Feature {image_key} of {self.title} is not an image file. Choose another one with --image-key.")
            self._copy.write(content)
            offsets.append(offsets[-1] + len(content))
            if label_key:
                labels.append(np.asarray(example[label_key]))
        self._copy.flush()
        self._offsets = np.array(offsets, np.int64)
        self.names = NumberedNames(len(offsets) - 1)
        if labels:
            self.labels = np.array(labels)


def _labels_beside(path: Path, count: int) -> np.ndarray | None:
    """Labels of the original's HDF5 sets, [n, label_size] or class numbers; None if there is no file of labels."""
    file = path.with_name(f"{path.stem}-labels.npy")
    if not file.is_file():
        return None
    try:
        labels = read_npy(file)
    except UserError as error:
        raise UserError(f"{file} is not a .npy array of numbers: {error}") from None
    if labels.ndim not in (1, 2) or labels.dtype.kind not in "biuf" or len(labels) != count:
        raise UserError(f"{file} must contain {count} labels. Received: {labels.dtype} {list(labels.shape)}")
    return labels


def _only_image(features: "tfds.features.FeaturesDict", name: str) -> str:
    """Key of the image feature."""
    import tensorflow_datasets as tfds

    found = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
    if len(found) != 1:
        raise UserError(f"{name} has {'several' if found else 'no'} image features. Choose with --image-key among: {', '.join(features)}")
    return found[0]
