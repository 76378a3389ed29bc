"""Finds the one object of a photograph on a plain ground, and cuts it out centred, without rulers and scales beside it."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stylegan_tf.data.decode import Decoded, decode_image_file
from stylegan_tf.data.sources.base import UnusableImage
from stylegan_tf.data.sources.image_names import has_image_ending

_WORK_SIDE = 512  # pixels; objects are found on a reduced copy, 10 ms on a core
_BORDER = 0.04  # of the sides: this much round the picture is taken for ground
_LEAST_AREA = 0.004  # of the picture; smaller parts are no objects
_SPECK_AREA = 0.0001  # smaller parts are dust
_FAINT_CONTRAST = 3.0  # units of Lab; what differs so little is no object, but not left beside one either
_PLAIN_LIMIT = 14.0  # median deviation of border pixels from a smooth ground, in units of Lab
_LEAST_CONTRAST = 7.0  # units of Lab between ground and object, whatever Otsu says
_LIGHTNESS_WEIGHT = 0.6  # shadows differ from the ground in lightness only: they count less


class Segment(NamedTuple):
    """An object in a picture.

    `mask` and `others` are bool [H, W]: the object; other things on the ground. `ground` float [3, 3] gives the colour of
    the ground as a slope: RGB = (1, x, y) @ ground, with x and y from -1 to 1 over the picture.
    """

    mask: np.ndarray
    others: np.ndarray
    ground: np.ndarray


class SegmentCrop:
    """Cuts the object out of images; called with a decoded image and its name.

    Args:
        margin: ground kept around the object, as part of its longer side.
        mask_dir: folder of masks (not black: object), named like the images with any image ending, `_mask` allowed after
            the stem; None finds objects by their colour.
    """

    def __init__(self, margin: float = 0.1, mask_dir: str | os.PathLike | None = None):
        self.margin = margin
        self._masks = None if mask_dir is None else _index_masks(Path(mask_dir))

    def __call__(self, decoded: Decoded, name: str) -> Decoded:
        """The cut-out, a square with the object in its middle.

        Raises:
            UnusableImage: no object, a ground that is not plain, or no mask.
        """
        pixels = decoded.pixels
        segment = find_object(pixels) if self._masks is None else _masked_segment(pixels, self._masks, name)
        pixels = cut_out(decoded.pixels, segment, self.margin)
        return Decoded(pixels, decoded.kind, pixels.shape[:2], (*decoded.notes, "object cut out"))


def find_object(pixels: np.ndarray) -> Segment:
    """Finds the object of uint8 [H, W, C] by its difference from the ground, which the border of the picture shows.

    Raises:
        UnusableImage: nothing stands out, or the ground is not plain.
    """
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(_rgb(pixels), size, interpolation=cv2.INTER_AREA)
    if pixels.shape[2] == 4 and pixels[:, :, 3].min() == 0:
        foreground = (cv2.resize(pixels[:, :, 3], size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
        faint, ground = foreground, np.zeros((3, 3))
    else:
        foreground, faint, ground = _foreground(small)
    mask = _choose(_components(foreground))
    others = _others(foreground | faint, mask)

    def full_size(part: np.ndarray) -> np.ndarray:
        return cv2.resize(part.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR) > 127

    return Segment(full_size(mask), full_size(others), ground)


def cut_out(pixels: np.ndarray, segment: Segment, margin: float) -> np.ndarray:
    """A square of the picture with the object in its middle; other things in it are painted over with the ground."""
    import cv2

    rows, columns = np.flatnonzero(segment.mask.any(axis=1)), np.flatnonzero(segment.mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = int(np.ceil(max(bottom - top, right - left) * (1 + 2 * margin)))
    top, left = int(top + bottom - side) // 2, int(left + right - side) // 2
    height, width = pixels.shape[:2]
    square = _painted_ground(segment.ground, (top, left), side, pixels.shape)
    if pixels.shape[2] == 4 and pixels[:, :, 3].min() == 0:
        square[:, :, 3] = 0
    inner = (slice(max(top, 0), min(top + side, height)), slice(max(left, 0), min(left + side, width)))
    place = (slice(inner[0].start - top, inner[0].stop - top), slice(inner[1].start - left, inner[1].stop - left))

    # Others are painted over a little beyond their outline, softly, but never where the object is.
    grow = 2 * max(2, side // 150) + 1
    cover = cv2.dilate(segment.others[inner].astype(np.uint8), np.ones((grow, grow), np.uint8))
    cover = cv2.GaussianBlur(cover.astype(np.float32), (grow, grow), 0) * ~segment.mask[inner]
    part = pixels[inner].astype(np.float32)
    part += cover[..., None] * (square[place] - part)
    square[place] = part
    return np.rint(square).astype(np.uint8)


def _painted_ground(ground: np.ndarray, corner: tuple[int, int], side: int, shape: tuple[int, ...]) -> np.ndarray:
    """The ground alone in a square at `corner` (top, left), which may reach out of the picture: float32 [side, side, C]."""
    height, width, channels = shape
    y = np.clip((np.arange(side) + corner[0]) / max(height - 1, 1) * 2 - 1, -1, 1)[:, None, None]
    x = np.clip((np.arange(side) + corner[1]) / max(width - 1, 1) * 2 - 1, -1, 1)[None, :, None]
    square = np.full((side, side, channels), 255, np.float32)
    rgb = np.clip(ground[0] + x * ground[1] + y * ground[2], 0, 255)
    square[:, :, :3] = rgb if channels >= 3 else (rgb @ (0.299, 0.587, 0.114))[..., None]
    return square


def _rgb(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels.repeat(3, axis=2))


def _foreground(small: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What differs from the ground clearly, and what does faintly (uint8 [h, w], 0 or 1); the ground as in `Segment`."""
    import cv2

    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) * np.float32((_LIGHTNESS_WEIGHT, 1, 1))
    height, width = small.shape[:2]
    band_y, band_x = max(2, round(_BORDER * height)), max(2, round(_BORDER * width))
    border = np.ones((height, width), bool)
    border[band_y:-band_y, band_x:-band_x] = False

    # Light falls off across a table: the ground is a slope, fitted to the border without what lies on it.
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y], axis=-1)
    trusted = border & (np.linalg.norm(lab - np.median(lab[border], axis=0), axis=-1) < 2 * _PLAIN_LIMIT)
    for _ in range(2):
        if trusted.sum() < 0.3 * border.sum():
            raise UnusableImage("ground is not plain", "less than a third of the border has one colour")
        slope = np.linalg.lstsq(terms[trusted], lab[trusted], rcond=None)[0]
        deviation = np.linalg.norm(lab - terms @ slope, axis=-1)
        noise = float(np.median(deviation[trusted]))
        trusted = border & (deviation < max(3 * noise, 2.0))
    if noise > _PLAIN_LIMIT:
        raise UnusableImage("ground is not plain", f"its colour wanders by {noise:.0f} units of Lab")
    levels = np.clip(deviation * 4, 0, 255).astype(np.uint8)
    otsu = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0] / 4
    # Otsu splits a strongly coloured scale from a pale leaf; half of it still keeps the leaf.
    threshold = max(0.5 * otsu, 4 * noise, _LEAST_CONTRAST)
    faint = cv2.medianBlur((deviation > max(3 * noise, _FAINT_CONTRAST)).astype(np.uint8), 5)
    ground = np.linalg.lstsq(terms[trusted], small[trusted].astype(np.float64), rcond=None)[0]
    return (deviation > threshold).astype(np.uint8), faint, ground


def _components(foreground: np.ndarray) -> np.ndarray:
    """Numbers of the connected parts, int32 [h, w], 0 for ground; specks removed, holes filled."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    cleaned = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, disc)
    cleaned |= foreground & cv2.dilate(cleaned, disc)  # thin stalks that the opening cut next to something large
    contours = cv2.findContours(cleaned, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    filled = np.zeros_like(cleaned)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return cv2.connectedComponents(filled, connectivity=8)[1]


def _choose(labelled: np.ndarray) -> np.ndarray:
    """Mask of the object among the connected parts: bool [h, w]."""
    import cv2

    parts = {number: labelled == number for number in range(1, labelled.max() + 1)}
    parts = {number: part for number, part in parts.items() if part.sum() >= _SPECK_AREA * labelled.size}
    scores = {number: part.sum() * _likeness(part) * _centrality(part) for number, part in parts.items()}
    large = [number for number, part in parts.items() if part.sum() >= _LEAST_AREA * labelled.size]
    if not large:
        raise UnusableImage("no object found", "nothing of some size stands out from the ground")
    best = max(large, key=scores.get)
    mask = parts.pop(best)
    # Leaflets and fragments close to the object belong to it, and those close to them, where they do not look like a scale.
    reach = 2 * max(3, round(0.02 * max(labelled.shape))) + 1
    while True:
        near = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
        joined = [number for number, part in parts.items() if part[near].any() and _likeness(part) > 0.5]
        if not joined:
            return mask
        for number in joined:
            mask = mask | parts.pop(number)


def _others(foreground: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What is neither ground nor object, with the gaps between the marks of a ruler closed: bool [h, w]."""
    import cv2

    halo = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8))  # soft edges and small shadows stay the object's
    gap = 2 * max(2, round(0.02 * max(mask.shape))) + 1
    rest = np.pad(foreground & (1 - halo), gap)
    return (cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))[gap:-gap, gap:-gap] > 0) & (halo == 0)


def _likeness(part: np.ndarray) -> float:
    """How much a part looks like an object and not like a ruler, a scale or a label: 0 to 1."""
    import cv2

    contour = max(cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
    _, sides, _ = cv2.minAreaRect(contour)
    rectangle = (sides[0] + 1) * (sides[1] + 1)
    fullness = part.sum() / rectangle  # 1 for rectangles, pi / 4 for ellipses
    likeness = 1.0
    if fullness > 0.9:
        likeness *= 0.15
    elif fullness > 0.85:
        likeness *= 0.5
    edges = (part[0].mean(), part[-1].mean(), part[:, 0].mean(), part[:, -1].mean())
    return likeness * (0.3 if max(edges) > 0.25 else 1.0)


def _centrality(part: np.ndarray) -> float:
    """1 for a part in the middle of the picture, down to 0.4 at its edge."""
    height, width = part.shape
    rows, columns = np.nonzero(part)
    return 1 - 1.2 * max(abs(rows.mean() / height - 0.5), abs(columns.mean() / width - 0.5))


def _index_masks(folder: Path) -> dict[str, Path]:
    """Mask files by their path in the folder without ending and without `_mask`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and has_image_ending(path.name):
            found[path.relative_to(folder).with_suffix("").as_posix().removesuffix("_mask")] = path
    return found


def _masked_segment(pixels: np.ndarray, masks: dict[str, Path], name: str) -> Segment:
    """The object as a mask file shows it; all around it is taken for other things, and painted over."""
    import cv2

    stem = os.path.splitext(name)[0]
    path = masks.get(stem) or masks.get(stem.rpartition("/")[2])
    if path is None:
        raise UnusableImage("no mask", "no file of this name in the mask folder")
    drawn = decode_image_file(path.read_bytes()).pixels
    drawn = drawn[:, :, 3] if drawn.shape[2] == 4 and drawn[:, :, 3].min() < 128 else drawn[:, :, :3].max(axis=2)
    height, width = pixels.shape[:2]
    if abs(drawn.shape[0] * width - drawn.shape[1] * height) > max(height, width) * max(drawn.shape):
        raise UnusableImage("no mask", f"mask of {drawn.shape[1]}x{drawn.shape[0]} for an image of {width}x{height}")
    mask = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_LINEAR) > 127
    if mask.sum() < _LEAST_AREA * mask.size / 10:
        raise UnusableImage("no object found", "the mask is empty")
    around = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    rgb = _rgb(pixels)
    ground = np.zeros((3, 3))
    ground[0] = np.median(rgb[~around], axis=0) if not around.all() else 255.0
    return Segment(mask, ~around, ground)
