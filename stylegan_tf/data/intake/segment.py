"""Finds the one object of a photograph on a plain ground, and tells it from rulers and scales beside it."""

from typing import NamedTuple

import numpy as np

from stylegan_tf.data.sources.base import UnusableImage

_WORK_SIDE = 400  # pixels; objects are found on a reduced copy
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


def find_object(pixels: np.ndarray) -> Segment:
    """Finds the object of uint8 [H, W, C] by its difference from the ground, which the border of the picture shows.

    Raises:
        UnusableImage: nothing stands out, or the ground is not plain.
    """
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(as_rgb(pixels), size, interpolation=cv2.INTER_AREA)
    if pixels.shape[2] == 4 and pixels[:, :, 3].min() == 0:
        foreground = (cv2.resize(pixels[:, :, 3], size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
        faint, ground = foreground, np.zeros((3, 3))
    else:
        foreground, faint, ground = _foreground(small)
    mask = _choose(_components(foreground))
    others = _others(foreground, faint, mask)

    def full_size(part: np.ndarray) -> np.ndarray:
        return cv2.resize(part.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR) > 127

    return Segment(full_size(mask), full_size(others), ground)


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """Colours without alpha, grey repeated: uint8 [H, W, 3]."""
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
    x, y = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None], np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    rows, columns = np.nonzero(border)
    terms = np.stack([np.ones(len(rows)), x[0, columns, 0], y[rows, 0, 0]], axis=1)  # [n, 3], one row a pixel of the border
    at_border = lab[border]
    trusted = np.linalg.norm(at_border - np.median(at_border, axis=0), axis=1) < 2 * _PLAIN_LIMIT
    for _ in range(2):
        if trusted.mean() < 0.3:
            raise UnusableImage("ground is not plain", "less than a third of the border has one colour")
        slope = np.linalg.lstsq(terms[trusted], at_border[trusted], rcond=None)[0]
        deviation = np.linalg.norm(at_border - terms @ slope, axis=1)
        noise = float(np.median(deviation[trusted]))
        trusted = deviation < max(3 * noise, 2.0)
    if noise > _PLAIN_LIMIT:
        raise UnusableImage("ground is not plain", f"its colour wanders by {noise:.0f} units of Lab")
    slope = slope.astype(np.float32)
    difference = lab - slope[0] - x * slope[1] - y * slope[2]
    deviation = np.sqrt(np.square(difference, out=difference).sum(axis=2))
    levels = np.clip(deviation * 4, 0, 255).astype(np.uint8)
    otsu = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0] / 4
    # Otsu splits a strongly coloured scale from a pale leaf; half of it still keeps the leaf.
    threshold = max(0.5 * otsu, 4 * noise, _LEAST_CONTRAST)
    faint = cv2.medianBlur((deviation > max(3 * noise, _FAINT_CONTRAST)).astype(np.uint8), 5)
    ground = np.linalg.lstsq(terms[trusted], small[border][trusted].astype(np.float64), rcond=None)[0]
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

    areas = np.bincount(labelled.ravel())
    areas[0] = 0
    parts = {number: labelled == number for number in np.flatnonzero(areas >= _SPECK_AREA * labelled.size).tolist()}
    likeness = {number: _likeness(part) for number, part in parts.items()}
    large = [number for number in parts if areas[number] >= _LEAST_AREA * labelled.size]
    if not large:
        raise UnusableImage("no object found", "nothing of some size stands out from the ground")
    best = max(large, key=lambda number: areas[number] * likeness[number] * _centrality(parts[number]))
    mask = parts.pop(best)
    parts = {number: part for number, part in parts.items() if likeness[number] > 0.5}
    # Leaflets and fragments close to the object belong to it, and those close to them, where they do not look like a scale.
    reach = 2 * max(3, round(0.02 * max(labelled.shape))) + 1
    while True:
        near = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
        joined = [number for number in np.unique(labelled[near]).tolist() if number in parts]
        if not joined:
            return mask
        for number in joined:
            mask = mask | parts.pop(number)


def _others(foreground: np.ndarray, faint: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Rulers, scales, labels and other things beside the object: bool [h, w].

    The gaps between the marks of a ruler are closed. Folds and shadows stay: they are faint, or touch the object, and are
    no rectangles.
    """
    import cv2

    halo = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8))
    gap = 2 * max(2, round(0.02 * max(mask.shape))) + 1
    rest = np.pad((foreground | faint) & (1 - halo), gap)
    closed = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))[gap:-gap, gap:-gap] & (1 - halo)
    labelled = cv2.connectedComponents(closed, connectivity=8)[1]
    areas = np.bincount(labelled.ravel())
    clear = np.bincount(labelled.ravel(), weights=foreground.ravel())
    touching = set(np.unique(labelled[cv2.dilate(halo, np.ones((3, 3), np.uint8)) > 0]).tolist())
    painted = np.zeros(mask.shape, bool)
    for number in np.flatnonzero(areas >= _SPECK_AREA * mask.size).tolist():
        part = labelled == number
        if number and (_fullness(part) > 0.8 or (clear[number] > 0.5 * areas[number] and number not in touching)):
            painted |= part
    return painted


def _fullness(part: np.ndarray) -> float:
    """Share that a part takes of the smallest rectangle around it: 1 for rectangles, pi / 4 for ellipses."""
    import cv2

    contour = max(cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
    sides = cv2.minAreaRect(contour)[1]
    return part.sum() / ((sides[0] + 1) * (sides[1] + 1))


def _likeness(part: np.ndarray) -> float:
    """How much a part looks like an object and not like a ruler, a scale or a label: 0 to 1."""
    fullness = _fullness(part)
    likeness = 0.15 if fullness > 0.9 else 0.5 if fullness > 0.85 else 1.0
    edges = (part[0].mean(), part[-1].mean(), part[:, 0].mean(), part[:, -1].mean())
    return likeness * (0.3 if max(edges) > 0.25 else 1.0)


def _centrality(part: np.ndarray) -> float:
    """1 for a part in the middle of the picture, down to 0.4 at its edge."""
    height, width = part.shape
    rows, columns = np.nonzero(part)
    return 1 - 1.2 * max(abs(rows.mean() / height - 0.5), abs(columns.mean() / width - 0.5))
