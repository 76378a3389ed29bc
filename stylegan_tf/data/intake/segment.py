"""Segmentation: finds the one object of a photograph on a uniform background, apart from rulers and scales beside it."""

from typing import NamedTuple

import numpy as np

from stylegan_tf.data.sources.base import UnusableImage

_WORK_SIDE = 400  # pixels; objects are found on a reduced copy
_BORDER = 0.04  # share of the sides: this strip around the picture is assumed to be background
_MIN_AREA = 0.004  # share of the picture; smaller parts are not objects
_SPECK_AREA = 0.0001  # share of the picture; smaller parts are dust
_FAINT_CONTRAST = 3.0  # Lab units; a part that differs by so little is not an object, but is removed if it lies beside one
_UNIFORM_LIMIT = 14.0  # maximum median deviation of border pixels from a colour gradient, in Lab units
_MIN_CONTRAST = 7.0  # Lab units between background and object, whatever threshold Otsu's method gives
_LIGHTNESS_WEIGHT = 0.6  # less than 1, because shadows differ from the background in lightness only


class Segment(NamedTuple):
    """An object in a picture.

    `mask` and `others` are bool [H, W]: the object, and other things on the background. `background` float [3, 3] is the
    background colour as a gradient: RGB = (1, x, y) @ background, with x and y from -1 to 1 over the picture.
    """

    mask: np.ndarray
    others: np.ndarray
    background: np.ndarray


def find_object(pixels: np.ndarray) -> Segment:
    """Finds the object of uint8 [H, W, C] by its difference from the background colour, which is measured at the border.

    Raises:
        UnusableImage: nothing differs from the background, or the background is not uniform.
    """
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(as_rgb(pixels), size, interpolation=cv2.INTER_AREA)
    if pixels.shape[2] == 4 and pixels[:, :, 3].min() == 0:
        foreground = (cv2.resize(pixels[:, :, 3], size, interpolation=cv2.INTER_AREA) > 127).astype(np.uint8)
        faint, background = foreground, np.zeros((3, 3))
    else:
        foreground, faint, background = _foreground(small)
    mask = _choose(_components(foreground))
    others = _others(foreground, faint, mask)

    def full_size(part: np.ndarray) -> np.ndarray:
        return cv2.resize(part.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR) > 127

    return Segment(full_size(mask), full_size(others), background)


def as_rgb(pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]: without alpha, grey repeated."""
    return np.ascontiguousarray(pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels.repeat(3, axis=2))


def _foreground(small: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels that differ clearly and faintly from the background (uint8 [h, w], 0 or 1), and the background of `Segment`."""
    import cv2

    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) * np.float32((_LIGHTNESS_WEIGHT, 1, 1))
    height, width = small.shape[:2]
    band_y, band_x = max(2, round(_BORDER * height)), max(2, round(_BORDER * width))
    border = np.ones((height, width), bool)
    border[band_y:-band_y, band_x:-band_x] = False

    # Light falls off across a table: the background is a gradient, fitted to the border without the things that lie on it.
    x, y = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None], np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    rows, columns = np.nonzero(border)
    terms = np.stack([np.ones(len(rows)), x[0, columns, 0], y[rows, 0, 0]], axis=1)  # [n, 3], one row per border pixel
    at_border = lab[border]
    trusted = np.linalg.norm(at_border - np.median(at_border, axis=0), axis=1) < 2 * _UNIFORM_LIMIT
    for _ in range(2):
        if trusted.mean() < 0.3:
            raise UnusableImage("background not uniform", "less than a third of the border has one colour")
        slope = np.linalg.lstsq(terms[trusted], at_border[trusted], rcond=None)[0]
        deviation = np.linalg.norm(at_border - terms @ slope, axis=1)
        noise = float(np.median(deviation[trusted]))
        trusted = deviation < max(3 * noise, 2.0)
    if noise > _UNIFORM_LIMIT:
        raise UnusableImage("background not uniform", f"varies by {noise:.0f} Lab units")
    slope = slope.astype(np.float32)
    difference = lab - slope[0] - x * slope[1] - y * slope[2]
    deviation = np.sqrt(np.square(difference, out=difference).sum(axis=2))
    levels = np.clip(deviation * 4, 0, 255).astype(np.uint8)
    otsu = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0] / 4
    # Beside a strongly coloured scale, Otsu's threshold excludes a pale leaf; half of it still includes the leaf.
    threshold = max(0.5 * otsu, 4 * noise, _MIN_CONTRAST)
    faint = cv2.medianBlur((deviation > max(3 * noise, _FAINT_CONTRAST)).astype(np.uint8), 5)
    background = np.linalg.lstsq(terms[trusted], small[border][trusted].astype(np.float64), rcond=None)[0]
    return (deviation > threshold).astype(np.uint8), faint, background


def _components(foreground: np.ndarray) -> np.ndarray:
    """Numbers of the connected parts, int32 [h, w], 0 for the background; specks removed, holes filled."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    cleaned = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, disc)
    cleaned |= foreground & cv2.dilate(cleaned, disc)  # thin stalks that the opening removed next to something large
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
    score = {number: _object_score(part) for number, part in parts.items()}
    large = [number for number in parts if areas[number] >= _MIN_AREA * labelled.size]
    if not large:
        raise UnusableImage("no object found", "nothing large enough differs from the background")
    best = max(large, key=lambda number: areas[number] * score[number] * _centrality(parts[number]))
    mask = parts.pop(best)
    parts = {number: part for number, part in parts.items() if score[number] > 0.5}
    # Leaflets and fragments close to the object belong to it, and those close to them, unless they resemble a scale.
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

    The gaps between the marks of a ruler are closed. Folds and shadows are not included: they are faint, or touch the object, and are
    not rectangles.
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
    found = np.zeros(mask.shape, bool)
    for number in np.flatnonzero(areas >= _SPECK_AREA * mask.size).tolist():
        part = labelled == number
        if number and (_fullness(part) > 0.8 or (clear[number] > 0.5 * areas[number] and number not in touching)):
            found |= part
    return found


def _fullness(part: np.ndarray) -> float:
    """Share of the smallest rectangle around a part that it fills: 1 for rectangles, pi / 4 for ellipses."""
    import cv2

    contour = max(cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
    sides = cv2.minAreaRect(contour)[1]
    return part.sum() / ((sides[0] + 1) * (sides[1] + 1))


def _object_score(part: np.ndarray) -> float:
    """Score for a part being an object and not a ruler, a scale or a label: 0 to 1."""
    fullness = _fullness(part)
    score = 0.15 if fullness > 0.9 else 0.5 if fullness > 0.85 else 1.0
    edges = (part[0].mean(), part[-1].mean(), part[:, 0].mean(), part[:, -1].mean())
    return score * (0.3 if max(edges) > 0.25 else 1.0)


def _centrality(part: np.ndarray) -> float:
    """1 for a part in the middle of the picture, down to 0.4 at its edge."""
    height, width = part.shape
    rows, columns = np.nonzero(part)
    return 1 - 1.2 * max(abs(rows.mean() / height - 0.5), abs(columns.mean() / width - 0.5))
