"""Outlines of the leaf species of the built-in dataset: polygons with veins, in the leaf's own coordinates.

A leaf is upright: x runs from left to right with the midrib at 0, y from the base (0) to the tip (about 1).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Shape(NamedTuple):
    """One leaf before it is bent, rotated and coloured. All points are float [n, 2] arrays of (x, y)."""

    blades: list[np.ndarray]  # outlines of blades or leaflets
    shaded: list[np.ndarray]  # the half of every blade away from the light
    veins: list[tuple[np.ndarray, float]]  # (points, relative width at the start); width falls to a third towards the end
    pale: list[np.ndarray]  # polygons of a paler mark, as on clover
    petiole: np.ndarray


class Species(NamedTuple):
    """Appearance of a species: its outline function and its colours (RGB, 0 to 1)."""

    name: str
    outline: Callable[[dict], Shape]
    base_color: tuple  # near the base of the blade
    tip_color: tuple
    vein_color: tuple
    max_bend: float  # radians that the midrib turns from base to tip
    counts: tuple  # lowest and highest number of lobes, teeth or leaflets on a side


def _mirrored(right: np.ndarray) -> np.ndarray:
    """Closes a right half (base to tip) with its mirror image."""
    return np.concatenate([right, right[::-1] * (-1, 1)])


def _half(right: np.ndarray) -> np.ndarray:
    """The right half alone, closed along the midrib."""
    midrib = np.stack([np.zeros(12), np.linspace(right[-1, 1], right[0, 1], 12)], axis=1)
    return np.concatenate([right, midrib])


def _line(*points: tuple, steps: int = 10) -> np.ndarray:
    """A quadratic curve through its first, towards its second, to its third point (or a straight line)."""
    points = np.array(points, np.float64)
    t = np.linspace(0.0, 1.0, steps)[:, None]
    if len(points) == 2:
        return points[0] * (1 - t) + points[1] * t
    return points[0] * (1 - t) ** 2 + points[1] * 2 * t * (1 - t) + points[2] * t**2


def _side_veins(starts: np.ndarray, reach: Callable, *, rise: float) -> list:
    """Pairs of curved veins that leave the midrib at heights `starts` and end `reach(height)` away from it."""
    veins = []
    for y in starts:
        x = reach(y)
        right = _line((0, y), (0.55 * x, y + 0.35 * rise * x), (x, y + rise * x), steps=6)
        veins += [(right, 0.55), (right * (-1, 1), 0.55)]
    return veins


def _smooth(points: list, steps: int = 8) -> np.ndarray:
    """A Catmull-Rom curve through points, the first and last of which lie on the midrib."""
    p = np.array(points, np.float64)
    p = np.concatenate([[p[1] * (-1, 1)], p, [p[-2] * (-1, 1)]])  # the mirror image extends the curve beyond both ends
    t = np.arange(steps)[:, None] / steps
    spans = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        spans.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate([*spans, p[-2:-1]])


def _petiole(length: float, *, base: float = 0.0) -> np.ndarray:
    """The stalk, downwards from a point slightly inside the blade."""
    return np.array([(0.0, base + 0.03), (0.0, base - 0.5 * length), (0.0, base - length)])


def _simple(right: np.ndarray, veins: list, petiole: float) -> Shape:
    """A leaf of one blade from its right half."""
    midrib = _line((0, 0), (0, 0.97 * right[-1, 1]))
    return Shape([_mirrored(right)], [_half(right)], [(midrib, 1.0), *veins], [], _petiole(petiole))


def oak(f: dict) -> Shape:
    """Round lobes with deep bays, widest above the middle."""
    count, high = f["count"], 0.76 / f["count"]
    points, veins = [(0.0, 0.0), (0.03, 0.02), (0.05, 0.07)], []
    for lobe in range(count):
        low = 0.09 + high * lobe
        reach = f["aspect"] * ((0.29, 0.39, 0.35) if count == 3 else (0.25, 0.35, 0.38, 0.29))[lobe]
        bay = reach * (0.62 - 0.36 * f["margin"])
        points += [(0.72 * reach, low + 0.28 * high), (reach, low + 0.62 * high), (0.92 * reach, low + 0.98 * high)]
        points += [(0.55 * reach, low + 0.98 * high), (bay, low + 0.96 * high)]
        vein = _line((0, low - 0.02), (0.5 * reach, low + 0.3 * high), (0.86 * reach, low + 0.76 * high), steps=6)
        veins += [(vein, 0.55), (vein * (-1, 1), 0.55)]
    points += [(0.15 * f["aspect"], 0.90), (0.11 * f["aspect"], 0.98), (0.0, 1.0)]
    return _simple(_smooth(points), veins, 0.16 * f["petiole"])


def maple(f: dict) -> Shape:
    """Five pointed fingers with teeth on their shoulders."""
    deep = 0.74 - 0.32 * f["margin"]  # how far from the centre the bays end, as a share of the finger's length
    centre = np.array([0.0, 0.30])
    fingers = [(0.0, 0.70), (52.0, 0.66 * f["aspect"]), (108.0, 0.46 * f["aspect"])]  # degrees off the midrib, length

    def at(degrees: float, radius: float) -> np.ndarray:
        return centre + radius * np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])

    points = [at(180, 0.20)]
    for finger, bay_angle in ((2, 80.0), (1, 27.0), (0, None)):
        degrees, length = fingers[finger]
        spread = (15.0, 13.0, 12.0)[finger]
        tooth = ((1.35, 0.58), (0.95, 0.82), (0.42, 0.72))  # angle to the finger in spreads, share of its length
        points += [at(degrees + spread * turn, part * length) for turn, part in tooth] + [at(degrees, length)]
        if bay_angle is not None:
            points += [at(degrees - spread * turn, part * length) for turn, part in ((0.42, 0.72), (0.95, 0.82), (1.2, 0.58))]
            points += [at(bay_angle, 0.45 * deep * (length + fingers[finger - 1][1]))]
    right = np.array(points)
    veins = []
    for degrees, length in fingers[1:]:
        finger = _line((0.0, 0.14), tuple(at(degrees, 0.2 * length)), tuple(at(degrees, 0.92 * length)))
        veins += [(finger, 0.85), (finger * (-1, 1), 0.85)]
        for part in (0.45, 0.62):
            start = at(degrees, part * length)
            for turn in (-9, 9):
                twig = _line(tuple(start), tuple(at(degrees + turn, (part + 0.2) * length)), steps=3)
                veins += [(twig, 0.4), (twig * (-1, 1), 0.4)]
    veins += _side_veins(np.array([0.55, 0.68]), lambda y: 0.10, rise=1.3)
    midrib = _line((0, 0.12), (0, 0.97))
    return Shape([_mirrored(right)], [_half(right)], [(midrib, 1.0), *veins], [], _petiole(0.26 * f["petiole"], base=0.1))


def willow(f: dict) -> Shape:
    """A long narrow blade."""
    t = np.linspace(0.0, 1.0, 80)
    right = np.stack([0.118 * f["aspect"] * np.sin(np.pi * t**0.8) ** 0.8 + 0.004, t], axis=1)
    reach = 0.075 * f["aspect"]
    veins = _side_veins(np.linspace(0.12, 0.8, f["count"]), lambda y: reach * np.sin(np.pi * y**0.8) ** 0.8, rise=1.1)
    return _simple(right, veins, 0.10 * f["petiole"])


def ginkgo(f: dict) -> Shape:
    """A fan with a waved rim and a notch in its middle."""
    half_angle = np.radians(56.0 * f["aspect"])
    theta = np.linspace(half_angle, 0.0, 90)  # from the right corner of the fan to its middle
    rim = 0.90 - 0.10 * (theta / half_angle) ** 2 + 0.014 * np.sin(2 * np.pi * f["count"] * theta / half_angle)
    rim -= 0.36 * f["margin"] * np.exp(-((theta / 0.085) ** 2))
    fan = np.stack([rim * np.sin(theta), rim * np.cos(theta)], axis=1)
    corner = fan[0]
    side = _line((0.012, 0.0), (0.30 * corner[0], 0.62 * corner[1]), tuple(corner))
    right = np.concatenate([side, fan])
    veins = []
    for part in np.linspace(0.08, 0.92, 7):
        angle, length = part * half_angle, 0.86 - 0.1 * part**2 - 0.36 * f["margin"] * (part < 0.1)
        ray = _line((0, 0.02), (0.28 * length * np.sin(angle), 0.42 * length), (length * np.sin(angle), length * np.cos(angle)))
        veins += [(ray, 0.5), (ray * (-1, 1), 0.5)]
    return Shape([_mirrored(right)], [_half(right)], veins, [], _petiole(0.34 * f["petiole"]))


def redbud(f: dict) -> Shape:
    """A heart with a smooth margin and a long tip."""
    bay = 0.15 * f["margin"]
    right = [(0.0, bay), (0.07, 0.05), (0.20, 0.0), (0.35, 0.05), (0.45, 0.20)]
    right += [(0.445, 0.40), (0.35, 0.60), (0.20, 0.77), (0.075, 0.89), (0.0, 1.0)]
    right = _smooth([(x * f["aspect"], y) for x, y in right])
    veins = []
    for end in ((0.36, 0.13), (0.40, 0.40), (0.29, 0.62)):
        ray = _line((0, bay), (0.45 * end[0] * f["aspect"], bay + 0.25 * (end[1] - bay)), (end[0] * f["aspect"], end[1]))
        veins += [(ray, 0.7), (ray * (-1, 1), 0.7)]
    veins += _side_veins(np.array([0.45, 0.60]), lambda y: 0.2 * f["aspect"] * (1.25 - y), rise=0.8)
    midrib = _line((0, bay), (0, 0.96))
    return Shape([_mirrored(right)], [_half(right)], [(midrib, 1.0), *veins], [], _petiole(0.20 * f["petiole"], base=bay - 0.03))


def _leaflet(length: float, width: float) -> np.ndarray:
    """Right half of a small lanceolate leaflet, base at the origin."""
    t = np.linspace(0.0, 1.0, 28)
    return np.stack([width * np.sin(np.pi * t**0.85) ** 0.85, length * t], axis=1)


def _placed(points: np.ndarray, *, origin: tuple, degrees: float) -> np.ndarray:
    """Rotates points clockwise about their base and moves the base to `origin`."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[c, -s], [s, c]]) + origin


def rowan(f: dict) -> Shape:
    """Pairs of leaflets along a stalk, and one at its end."""
    blades, shaded, veins = [], [], [(_line((0, -0.02), (0, 0.68)), 1.3)]
    heights = np.linspace(0.05, 0.60, f["count"])
    width = 0.056 * (4 / f["count"]) ** 1.25 * f["margin"] ** 0.5
    places = [(0.0, 0.64, 0.0, 0.36)]
    for y in heights:
        length = 0.40 * f["aspect"] * (0.80 + 0.45 * np.sin(np.pi * (0.15 + 0.75 * y / 0.60)) - 0.20)
        places += [(0.0, y, 62.0 - 14.0 * y, length), (0.0, y, -62.0 + 14.0 * y, length)]
    for x, y, degrees, length in places:
        right = _leaflet(length, width)
        blades.append(_placed(_mirrored(right), origin=(x, y), degrees=degrees))
        shaded.append(_placed(_half(right), origin=(x, y), degrees=degrees))
        veins.append((_placed(np.array([(0, 0), (0, 0.92 * length)]), origin=(x, y), degrees=degrees), 0.55))
    return Shape(blades, shaded, veins, [], _petiole(0.16 * f["petiole"]))


def elm(f: dict) -> Shape:
    """An oval blade with saw teeth that point forward."""
    count = 2 * f["count"]
    t = np.linspace(0.0, 1.0, 1 + 8 * count)
    width = 0.33 * f["aspect"] * np.sin(np.pi * t**0.80) ** 0.72
    saw = (t * count) % 1.0  # rises along a tooth, falls back at its tip
    teeth = 0.055 * f["margin"] * saw * np.sin(np.pi * np.clip(t, 0.02, 1)) ** 0.5
    right = np.stack([width + teeth, t + 0.6 * teeth], axis=1)
    reach = 0.31 * f["aspect"]
    starts = np.linspace(0.07, 0.76, f["count"])
    veins = _side_veins(starts, lambda y: reach * np.sin(np.pi * (y + 0.06) ** 0.80) ** 0.72, rise=0.62)
    return _simple(right, veins, 0.14 * f["petiole"])


def clover(f: dict) -> Shape:
    """Three heart-shaped leaflets around one point, each with a pale chevron."""
    notch = 0.49 - 0.06 * f["margin"]
    right = [(0.0, 0.0), (0.06, 0.06), (0.18, 0.20), (0.25, 0.34), (0.22, 0.46)]
    right += [(0.11, 0.51), (0.03, notch + 0.025), (0.0, notch)]
    right = _smooth([(x * f["aspect"], y) for x, y in right], steps=6)
    chevron = np.array([(0, 0.24), (0.17, 0.20), (0.20, 0.27), (0, 0.33), (-0.20, 0.27), (-0.17, 0.20)]) * (f["aspect"], 1)
    blades, shaded, veins, pale = [], [], [], []
    centre = (0.0, 0.46)
    for degrees in (112.0, -112.0, 0.0):
        blades.append(_placed(_mirrored(right), origin=centre, degrees=degrees))
        shaded.append(_placed(_half(right), origin=centre, degrees=degrees))
        pale.append(_placed(chevron, origin=centre, degrees=degrees))
        veins.append((_placed(np.array([(0, 0), (0, 0.38)]), origin=centre, degrees=degrees), 0.8))
    return Shape(blades, shaded, veins, pale, np.array([(0, 0.46), (0.0, 0.2), (0.0, 0.06 - 0.10 * f["petiole"])]))


SPECIES = (
    Species("oak", oak, (0.46, 0.36, 0.13), (0.62, 0.44, 0.18), (0.80, 0.68, 0.38), 0.35, (3, 4)),
    Species("maple", maple, (0.88, 0.38, 0.12), (0.76, 0.07, 0.09), (0.98, 0.66, 0.40), 0.20, (5, 5)),
    Species("willow", willow, (0.20, 0.42, 0.52), (0.34, 0.58, 0.66), (0.80, 0.92, 0.94), 1.0, (7, 10)),
    Species("ginkgo", ginkgo, (0.74, 0.74, 0.16), (0.99, 0.83, 0.16), (0.83, 0.66, 0.10), 0.25, (3, 6)),
    Species("redbud", redbud, (0.40, 0.13, 0.36), (0.58, 0.22, 0.52), (0.87, 0.56, 0.74), 0.30, (3, 3)),
    Species("rowan", rowan, (0.05, 0.30, 0.17), (0.11, 0.42, 0.22), (0.50, 0.70, 0.42), 0.50, (3, 4)),
    Species("elm", elm, (0.87, 0.44, 0.08), (0.96, 0.60, 0.14), (0.60, 0.24, 0.04), 0.40, (6, 8)),
    Species("clover", clover, (0.20, 0.58, 0.13), (0.33, 0.72, 0.16), (0.62, 0.88, 0.44), 0.15, (3, 3)),
)
