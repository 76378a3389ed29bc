"""From images to framed records of every level: the work of one thread of the dataset writer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stylegan_tf.data.records.codecs import encode_images, strip_jpeg
from stylegan_tf.data.records.png import strip_png
from stylegan_tf.data.records.pyramid import pyramid
from stylegan_tf.data.records.tfrecords import Example, encode_example, frame
from stylegan_tf.errors import UserError
from stylegan_tf.resolution import MIN_RESOLUTION

_LARGE = 0.6  # of the raw pixels: photographs take less where they are deflated at all


class Item(NamedTuple):
    """An image on its way into a dataset; see `DatasetWriter.add`."""

    image: np.ndarray
    label: Any = None
    encoded: bytes | None = None


class Records(NamedTuple):
    """Framed records of one level, and the masked CRCs of their payloads."""

    framed: list[bytes]
    checksums: list[int]


class Encoder:
    """Turns images into records of every level, largest first. Holds no state, so that threads may share it."""

    def __init__(self, *, resolution: int, channels: int, encoding: str, quality: int):
        self.resolution, self.channels, self.encoding, self.quality = resolution, channels, encoding, quality

    @property
    def resolutions(self) -> list[int]:
        """Sides of all levels, largest first."""
        return [self.resolution >> level for level in range(self.resolution.bit_length()) if self.resolution >> level >= MIN_RESOLUTION]

    @property
    def image_bytes(self) -> int:
        """Bytes of one image without compression."""
        return self.resolution**2 * self.channels

    def encode(self, items: Sequence[Item]) -> list[Records]:
        """Records of every level.

        Raises:
            UserError: an image of another shape or type.
        """
        if not items:
            return [Records([], []) for _ in self.resolutions]
        for item in items:
            self.check(item.image)
        images = np.stack([item.image for item in items])
        levels = []
        for level, pixels in enumerate(pyramid(images)):
            shape = (self.channels, *pixels.shape[1:3])
            data = self._encode_top(items, pixels) if level == 0 else encode_images(pixels, self.encoding, self.quality)
            levels.append(Records(*frame([encode_example(Example(shape, image_bytes, self.encoding)) for image_bytes in data])))
        return levels

    def check(self, image: np.ndarray) -> None:
        """Raises UserError for an image of another shape or type."""
        expected = (self.resolution, self.resolution, self.channels)
        if not isinstance(image, np.ndarray) or image.shape != expected or image.dtype != np.uint8:
            found = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
            raise UserError(f"Images must be arrays of uint8 {list(expected)}. Received: {found}")

    def _encode_top(self, items: Sequence[Item], pixels: np.ndarray) -> list[bytes]:
        """The largest level: what can pass through as it came, and the rest encoded; of a large PNG the smaller of both."""
        data = [self._passed_through(item) for item in items]
        rest = [place for place, known in enumerate(data) if known is None or self._is_large(known)]
        chosen = pixels if len(rest) == len(items) else pixels[rest]
        for place, encoded in zip(rest, encode_images(chosen, self.encoding, self.quality), strict=True):
            known = data[place]
            data[place] = encoded if known is None or len(encoded) < len(known) else known
        return data

    def _is_large(self, data: bytes) -> bool:
        """Whether a PNG that could pass through was hardly deflated. A JPEG encoded anew would lose."""
        return self.encoding == "png" and len(data) > _LARGE * self.image_bytes

    def _passed_through(self, item: Item) -> bytes | None:
        """The bytes that an image came in, where they can be stored as they are."""
        if not item.encoded or self.encoding == "raw":
            return None
        strip = strip_png if self.encoding == "png" else strip_jpeg
        return strip(item.encoded, self.resolution, self.channels)
