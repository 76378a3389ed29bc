"""Image sets of tensorflow-datasets: their files as they are stored, put aside on disk to be read in any order."""

import os
import tempfile
from typing import Any

import numpy as np

from stylegan_tf import command_line
from stylegan_tf.data.sources.base import Source, UnusableImage
from stylegan_tf.errors import UserError


class TfdsSource(Source):
    """All images of one split.

    Args:
        name: of the set, such as "oxford_flowers102" or "mnist:3.0.1".
        split: as tensorflow-datasets writes it: "train", "train+test", "train[:10%]".
        data_dir: where prepared sets lie; None takes the library's own place.
        image_key, label_key: features; None takes the only image, and `label` where there is one.

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
        except ModuleNotFoundError as error:  # tensorflow-datasets 4.9.10 needs importlib_resources and does not ask for it
            raise UserError(f"tensorflow-datasets needs the package {error.name}: pip install {error.name}") from None
        except UserError:
            raise
        except Exception as error:  # the library raises whatever its readers and downloaders raise
            raise UserError(f"tensorflow-datasets cannot give {name} ({split}): {str(error).strip()[:500]}") from None
        names = getattr(features[label_key], "names", None) if label_key else None
        self.class_names = tuple(names or ())
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._fill(dataset, image_key, label_key)

    def read(self, index: int) -> bytes:
        """Content of an image file."""
        start, stop = self._offsets[index], self._offsets[index + 1]
        content = os.pread(self._spool.fileno(), int(stop - start), int(start))
        if len(content) != stop - start:
            raise UnusableImage("file cannot be read", "the temporary file was cut")
        return content

    def close(self) -> None:
        """Lets go of the temporary file."""
        self._spool.close()

    def _fill(self, dataset: Any, image_key: str, label_key: str | None) -> None:
        """Puts all image files one after another into the temporary file."""
        offsets, labels = [0], []
        for example in dataset.as_numpy_iterator():
            content = example[image_key]
            if not isinstance(content, bytes):
                raise UserError(f"Feature {image_key} of {self.title} is no image file. Name another one with --image-key.")
            self._spool.write(content)
            offsets.append(offsets[-1] + len(content))
            if label_key:
                labels.append(np.asarray(example[label_key]))
        self._spool.flush()
        self._offsets = np.array(offsets, np.int64)
        self.names = [f"img{index:08d}" for index in range(len(offsets) - 1)]
        if labels:
            self.labels = np.array(labels)


def _only_image(features: Any, name: str) -> str:
    """Key of the image feature."""
    import tensorflow_datasets as tfds

    found = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
    if len(found) != 1:
        raise UserError(f"{name} has {'several' if found else 'no'} image features. Choose with --image-key among: {', '.join(features)}")
    return found[0]
