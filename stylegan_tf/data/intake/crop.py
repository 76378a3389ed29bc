"""Crops applied to every image of a source: a fixed square, or a square around the one object of a photograph."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stylegan_tf.data.intake.decode import Decoded, read_picture
from stylegan_tf.data.intake.pillow_files import MAX_PIXELS
from stylegan_tf.data.intake.segment import Segment, as_rgb, find_object
from stylegan_tf.data.sources.base import CropBox, UnusableImage
from stylegan_tf.data.sources.file_names import has_image_ending
from stylegan_tf.errors import UserError

_MIN_MASK = 0.0004  # share of the picture; less counts as an empty mask


Crop = Callable[[Decoded, str], Decoded]  # of an image and its name; may raise UnusableImage


class BoxCrop:
    """Crops the same square out of every image, as the original does with aligned CelebA."""

    def __init__(self, box: CropBox):
        self.left, self.top, self.side = box.centre_x - box.side // 2, box.centre_y - box.side // 2, box.side

    def __call__(self, decoded: Decoded, name: str) -> Decoded:
        """The cropped image.

        Raises:
            UnusableImage: the square extends beyond the image.
        """
        height, width = decoded.pixels.shape[:2]
        right, bottom = self.left + self.side, self.top + self.side
        if self.left < 0 or self.top < 0 or right > width or bottom > height:
            raise UnusableImage(
                "crop outside of the image", f"columns {self.left} to {right}, rows {self.top} to {bottom} of {width}x{height}"
            )
        pixels = decoded.pixels[self.top : bottom, self.left : right]
        return Decoded(pixels, decoded.kind, (self.side, self.side), decoded.notes)


class SegmentCrop:
    """Cuts the one object out of images.

    Args:
        margin: background kept around the object, as a share of its longer side.
        mask_dir: folder of masks (object not black), named like the images, with any image ending and optionally `_mask` after
            the stem; None to find objects by their colour.
        max_pixels: of a mask, see `pillow_files.check_size`.
    """

    def __init__(self, margin: float, mask_dir: str | os.PathLike | None = None, max_pixels: int = MAX_PIXELS):
        self.margin, self.max_pixels = margin, max_pixels
        self._masks = None if mask_dir is None else _index_masks(Path(mask_dir))

    def __call__(self, decoded: Decoded, name: str) -> Decoded:
        """A square with the object in its middle.

        Raises:
            UnusableImage: no object, a background that is not uniform, or no mask.
        """
        pixels = decoded.pixels
        segment = find_object(pixels) if self._masks is None else _masked_segment(pixels, self._masks, name, self.max_pixels)
        pixels = cut_out(decoded.pixels, segment, self.margin)
        return Decoded(pixels, decoded.kind, pixels.shape[:2], (*decoded.notes, "object cut out"))


def cut_out(pixels: np.ndarray, segment: Segment, margin: float) -> np.ndarray:
    """A square with the object in its middle; other things in it are replaced by the background."""
    import cv2

    rows, columns = np.flatnonzero(segment.mask.any(axis=1)), np.flatnonzero(segment.mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = int(np.ceil(max(bottom - top, right - left) * (1 + 2 * margin)))
    if side**2 > MAX_PIXELS:
        raise UnusableImage("too many pixels", f"the object and its margin would become a square of {side}x{side}")
    top, left = int(top + bottom - side) // 2, int(left + right - side) // 2
    height, width = pixels.shape[:2]
    square = _background_square(segment.background, (top, left), side, pixels.shape)
    if pixels.shape[2] == 4 and pixels[:, :, 3].min() == 0:
        square[:, :, 3] = 0
    inner = (slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width)))
    place = (slice(inner[0].start - top, inner[0].stop - top), slice(inner[1].start - left, inner[1].stop - left))

    # Other things are covered slightly beyond their outline, with soft edges, but never where the object is.
    grow = 2 * max(2, side // 150) + 1
    cover = cv2.dilate(segment.others[inner].astype(np.uint8), np.ones((grow, grow), np.uint8))
    cover = cv2.GaussianBlur(cover.astype(np.float32), (grow, grow), 0) * ~segment.mask[inner]
    part = pixels[inner].astype(np.float32)
    part += cover[..., None] * (square[place] - part)
    square[place] = part
    return np.rint(square).astype(np.uint8)


def _background_square(background: np.ndarray, corner: tuple[int, int], side: int, shape: tuple[int, ...]) -> np.ndarray:
    """The background in a square at `corner` (top, left), which may extend beyond the picture: float32 [side, side, C]."""
    height, width, channels = shape
    y = np.clip((np.arange(side) + corner[0]) / max(height - 1, 1) * 2 - 1, -1, 1)[:, None, None]
    x = np.clip((np.arange(side) + corner[1]) / max(width - 1, 1) * 2 - 1, -1, 1)[None, :, None]
    square = np.full((side, side, channels), 255, np.float32)
    rgb = np.clip(background[0] + x * background[1] + y * background[2], 0, 255)
    square[:, :, :3] = rgb if channels >= 3 else (rgb @ (0.299, 0.587, 0.114))[..., None]
    return square


def _index_masks(folder: Path) -> dict[str, Path]:
    """Mask files by their path in the folder, without the ending and `_mask`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and has_image_ending(path.name):
            found[_composed(path.relative_to(folder).with_suffix("").as_posix().removesuffix("_mask"))] = path
    return found


def _composed(name: str) -> str:
    """A name in composed Unicode: macOS decomposes names."""
    return unicodedata.normalize("NFC", name)


def _masked_segment(pixels: np.ndarray, masks: dict[str, Path], name: str, max_pixels: int) -> Segment:
    """The object from a mask file; everything around it counts as other things."""
    import cv2

    stem = _composed(os.path.splitext(name)[0])
    path = masks.get(stem) or masks.get(stem.rpartition("/")[2])
    if path is None:
        raise UnusableImage("no mask", "the mask folder has no file of this name")
    try:
        drawn = read_picture(path, max_pixels=max_pixels)
    except UserError as error:
        raise UnusableImage("no mask", str(error)) from None
    drawn = drawn[:, :, 3] if drawn.shape[2] == 4 and drawn[:, :, 3].min() < 128 else drawn[:, :, :3].max(axis=2)
    height, width = pixels.shape[:2]
    if abs(drawn.shape[0] * width - drawn.shape[1] * height) > max(height, width) * max(drawn.shape):
        raise UnusableImage("no mask", f"mask of {drawn.shape[1]}x{drawn.shape[0]} for an image of {width}x{height}")
    mask = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_LINEAR) > 127
    if mask.sum() < _MIN_MASK * mask.size:
        raise UnusableImage("no object found", "the mask is empty")
    around = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    rgb = as_rgb(pixels)
    background = np.zeros((3, 3))
    background[0] = np.median(rgb[~around], axis=0) if not around.all() else 255.0
    return Segment(mask, ~around, background)
