"""Images in databases: LSUN's LMDB, HDF5 files of the progressive GAN, and sets of tensorflow-datasets."""

import itertools
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf import command_line
from stylegan_tf.array_files import read_npy
from stylegan_tf.data.sources.base import MAX_FILE_BYTES, MAX_ITEMS, Source, UnusableImage, check_items, is_bomb, numbered_names
from stylegan_tf.data.sources.lmdb_file import LmdbFile
from stylegan_tf.display import visible
from stylegan_tf.errors import MissingFileError, UserError

if TYPE_CHECKING:
    import h5py
    import tensorflow as tf
    import tensorflow_datasets as tfds


class LsunSource(Source):
    """The first `max_images` entries of an LMDB of image files, in the order of their keys; no labels."""

    def __init__(self, lmdb_dir: str | Path, max_images: int | None = None):
        super().__init__()
        self.title = f"LSUN in {lmdb_dir}"
        path = Path(lmdb_dir)
        if not (path / "data.mdb").is_file():
            raise UserError(f"{path} is not an LMDB folder: it contains no data.mdb. Unzip the file that LSUN's download.py downloaded.")
        self._database = LmdbFile(path / "data.mdb")
        self._entries = list(itertools.islice(self._database.entries(), min(max_images or MAX_ITEMS + 1, MAX_ITEMS + 1)))
        check_items(len(self._entries), self.title)
        self.names = [entry.key.decode("utf-8", "backslashreplace") for entry in self._entries]

    def read(self, index: int) -> bytes:
        """Content of an image file."""
        entry = self._entries[index]
        if entry.size > MAX_FILE_BYTES:
            raise UnusableImage("file too large", f"{entry.size >> 20} MB")
        content = self._database.read(entry)
        if len(content) != entry.size:
            raise UnusableImage("damaged in the archive", f"{len(content)} bytes, {entry.size} expected")
        return content

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
            keys = [key for key in self._file if key.startswith("data") and isinstance(self._file.get(key, getlink=True), h5py.HardLink)]
            found = [self._file[key] for key in keys]
            found = [images for images in found if isinstance(images, h5py.Dataset) and images.ndim == 4]
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise UserError(f"{path} cannot be read as HDF5: {error}") from None
        if not found:
            listing = ", ".join(visible(key, 40) for key in itertools.islice(self._file, 20))
            raise UserError(f"{path} contains no images: expected a dataset named `data...` of [n, C, H, W]. It contains: {listing}")
        self._images = max(found, key=lambda images: images.shape[3])
        if self._images.dtype != np.uint8 or self._images.shape[1] not in (1, 3, 4):
            raise UserError(f"{path}: images must be bytes [n, 1, 3 or 4, H, W]. Received: {self._images.dtype} {list(self._images.shape)}")
        check_hdf5(self._images, path)
        check_items(len(self._images), path)
        self.title = f"{self._images.name.lstrip('/')} in {path}"
        self.names = numbered_names(len(self._images))
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
        self.names = numbered_names(len(offsets) - 1)
        if labels:
            self.labels = np.array(labels)


def check_hdf5(values: "h5py.Dataset", path: Path) -> None:
    """Refuses an array that expands far beyond its size, or that lies in other files.

    Raises:
        UserError: more than 200 times what is stored, compressed in pieces of more than 512 MB, virtual or external, or damaged.
    """
    shape = f"{visible(values.name)} of {list(values.shape)}"
    try:
        is_elsewhere, stored, chunks = values.is_virtual or values.external, values.id.get_storage_size(), values.chunks
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{path}: {shape} is damaged: {visible(error)}.") from None
    if is_elsewhere:
        raise UserError(f"{path}: {shape} is stored in other files. Copy it into one file first.")
    if is_bomb(values.nbytes, stored):
        raise UserError(f"{path}: {shape} has {values.nbytes:,} bytes, but only {stored:,} are stored.")
    piece = math.prod(chunks or values.shape[1:]) * values.dtype.itemsize
    if piece > MAX_FILE_BYTES:
        raise UserError(f"{path}: {shape} can only be read in pieces of {piece:,} bytes; at most {MAX_FILE_BYTES:,} are read at once.")


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
