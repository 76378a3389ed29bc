"""The built-in dataset: leaves drawn with OpenCV, labelled by species, with a table of the factors of each leaf."""

import csv
import io

import numpy as np

from stylegan_tf.data.sources.base import Source, check_items
from stylegan_tf.data.sources.leaf_shapes import SPECIES, Shape, Species
from stylegan_tf.errors import UserError
from stylegan_tf.resolution import check_resolution

CLASS_NAMES = tuple(species.name for species in SPECIES)
BACKGROUND = (0.95, 0.94, 0.90)  # the paper of a herbarium sheet

# Every factor is sampled uniformly from its range, `count` (lobes, teeth, leaflets) from the species' own range.
FACTOR_RANGES = {
    "size": (0.86, 0.94),  # longer side, as a share of the frame
    "rotation_deg": (-16.0, 16.0),
    "bend": (-1.0, 1.0),  # curve of the midrib, as a share of the species' limit
    "aspect": (0.88, 1.12),  # width relative to the species' usual width
    "margin": (0.75, 1.15),  # depth of lobes, teeth or notches
    "petiole": (0.6, 1.2),  # length of the stalk
    "hue": (-0.025, 0.025),  # shift of the colour, in turns of the colour circle
    "saturation": (0.85, 1.12),
    "lightness": (0.88, 1.10),
    "veins": (0.45, 0.90),  # contrast
    "light": (0.10, 0.24),  # difference between the lit and the shaded half
    "mottle": (0.02, 0.09),  # strength of irregular spots of colour
}


class LeavesSource(Source):
    """`num_images` drawn leaves; labels are their species."""

    is_checked = True

    def __init__(self, num_images: int, resolution: int, seed: int):
        super().__init__()
        check_resolution(resolution)
        if num_images < 1 or seed < 0:
            raise UserError(f"The number of leaves must be 1 or more and the seed 0 or more. Received: {num_images} images, seed {seed}")
        self.title, self.resolution, self.seed = "drawn leaves", resolution, seed
        check_items(num_images, self.title)
        self.names = [f"leaf{index:08d}" for index in range(num_images)]
        self.class_names = CLASS_NAMES
        self.labels = np.arange(num_images) % len(CLASS_NAMES)

    def read(self, index: int) -> np.ndarray:
        """Draws leaf `index`."""
        return draw_leaf(self.seed, index, self.resolution)[0]

    def tables(self) -> dict[str, str]:
        """The table of factors."""
        return {"factors.csv": self._factor_table()}

    def _factor_table(self) -> str:
        """CSV text, one row per image in the order of the records: number, species, and factors."""
        text = io.StringIO()
        names = [*FACTOR_RANGES, "count"]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["image", "species", *names])
        for index in range(len(self.names)):
            species, factors = draw_factors(self.seed, index)
            writer.writerow([index, CLASS_NAMES[species], *(round(factors[name], 6) for name in names)])
        return text.getvalue()


def draw_factors(seed: int, index: int) -> tuple[int, dict]:
    """Species (int) and factor values (name to float, `count` to int) of one leaf; species alternate by index."""
    species = index % len(SPECIES)
    # Only Generator.random is used, because its stream is the same in every version of NumPy.
    draws = _generator(seed, index).random(len(FACTOR_RANGES) + 1)
    factors = {name: float(low + (high - low) * u) for (name, (low, high)), u in zip(FACTOR_RANGES.items(), draws, strict=False)}
    low, high = SPECIES[species].counts
    factors["count"] = int(low + int(draws[-1] * (high - low + 1)))
    return species, factors


def draw_leaf(seed: int, index: int, resolution: int) -> tuple[np.ndarray, int, dict]:
    """Draws one leaf; the same seed and index give the same leaf at every resolution.

    Args:
        seed: which dataset, 0 or above.
        index: which leaf of it, 0 or above.
        resolution: side in pixels, a power of two from 4 to 1024.

    Returns:
        (uint8 [resolution, resolution, 3] RGB, species as an index into CLASS_NAMES, factor values by name).
    """
    species, factors = draw_factors(seed, index)
    check_resolution(resolution)
    mottle = _generator(seed, index, 1).random((2, 6, 6)).astype(np.float32)
    return _paint(SPECIES[species], factors, mottle, resolution), species, factors


def _generator(seed: int, *position: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64((seed, *position)))


def _paint(species: Species, factors: dict, mottle: np.ndarray, resolution: int) -> np.ndarray:
    """Renders a leaf: uint8 [resolution, resolution, 3]."""
    import cv2

    # Outlines are drawn larger and then reduced; colours are computed at the final size only, which is 16 times less work.
    masks = _masks(species.outline(factors), species, factors, min(max(4 * resolution, 256), 2048))
    blade, shade, pale, veins, petiole = (
        cv2.resize(mask, (resolution, resolution), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255 for mask in masks
    )
    base, tip, vein = (_adjusted(color, factors) for color in (species.base_color, species.tip_color, species.vein_color))
    spots = factors["mottle"] * (cv2.resize(mottle.transpose(1, 2, 0), (resolution, resolution), interpolation=cv2.INTER_CUBIC) - 0.5)

    # From the base's colour to the tip's, along the rotated leaf; spots shift the blend.
    turn = np.radians(factors["rotation_deg"])
    line = (np.arange(resolution, dtype=np.float32) + 0.5) / resolution - 0.5
    along = 0.5 + np.float32(np.sin(turn)) * line[None, :, None] - np.float32(np.cos(turn)) * line[:, None, None] + 4 * spots[..., :1]
    image = base + (tip - base) * along.clip(0, 1)  # [resolution, resolution, 3]
    image *= (1 + 1.6 * spots[..., 1:]) * (1 + factors["light"] * (0.35 - shade))
    image += 0.32 * pale * (np.float32(0.92) - image)
    image += factors["veins"] * veins * (vein - image)

    canvas = np.array(BACKGROUND, np.float32) * (1 - petiole) + petiole * (0.72 * base + 0.28 * vein)
    canvas += blade * (image - canvas)
    return np.rint(canvas.clip(0, 1) * 255).astype(np.uint8)


def _masks(shape: Shape, species: Species, factors: dict, side: int) -> list[np.ndarray]:
    """Coverage of blade, shaded half, pale mark, veins and stalk: uint8 [side, side] each, 0 to 255."""
    import cv2

    lines = [points for points, _ in shape.veins]
    groups = [*shape.blades, shape.petiole, *shape.shaded, *shape.pale, *lines]
    framed = len(shape.blades) + 1  # these must lie in the frame; the others lie inside them
    pixels = _placed_in_frame(groups, framed, species, factors, side)
    blades, petiole, rest = pixels[: framed - 1], pixels[framed - 1], pixels[framed:]
    shaded, pale, veins = (rest[: len(shape.shaded)], rest[len(shape.shaded) : -len(lines)], rest[-len(lines) :])

    def filled(polygons: list) -> np.ndarray:
        mask = np.zeros((side, side), np.uint8)
        for polygon in polygons:  # one at a time: overlapping leaflets must not cut holes into each other
            cv2.fillPoly(mask, [polygon], 255, lineType=cv2.LINE_AA, shift=4)
        return mask

    def stroked(curves: list, widths: list) -> np.ndarray:
        mask = np.zeros((side, side), np.uint8)
        for curve, width in zip(curves, widths, strict=True):
            half = len(curve) // 2
            for part, share in ((curve[: half + 1], 1.0), (curve[half:], 0.55)):
                thickness = max(1, round(share * width * side / 72))
                cv2.polylines(mask, [part], False, 255, thickness, lineType=cv2.LINE_AA, shift=4)
        return mask

    # At the midrib, brightness changes over a few pixels instead of abruptly.
    shade = cv2.blur(filled(shaded), (side // 32 | 1, side // 32 | 1))
    return [filled(blades), shade, filled(pale), stroked(veins, [width for _, width in shape.veins]), stroked([petiole], [1.7])]


def _placed_in_frame(groups: list, framed: int, species: Species, factors: dict, side: int) -> list[np.ndarray]:
    """Bends points along an arc, rotates them and fits the first `framed` groups into the frame.

    Returns int32 pixel coordinates with 4 fractional bits, one array per group.
    """
    points = np.concatenate(groups)
    x, y = points[:, 0], points[:, 1]
    bend, turn = factors["bend"] * species.max_bend, np.radians(factors["rotation_deg"])
    if abs(bend) > 1e-3:
        angle = bend * np.maximum(y, 0)
        stalk = np.minimum(y, 0)  # the stalk below the base is straight
        x, y = (1 - np.cos(angle)) / bend + x * np.cos(angle), np.sin(angle) / bend - x * np.sin(angle) + stalk
    points = np.stack([x * np.cos(turn) + y * np.sin(turn), x * np.sin(turn) - y * np.cos(turn)], axis=1)

    ends = np.cumsum([len(group) for group in groups])
    outline = points[: ends[framed - 1]]
    low, high = outline.min(axis=0), outline.max(axis=0)
    scale = factors["size"] * side / (high - low).max()
    pixels = np.rint((points * scale + side / 2 - scale * (low + high) / 2) * 16).astype(np.int32)
    return np.split(pixels, ends[:-1])


def _adjusted(color: tuple, factors: dict) -> np.ndarray:
    """A colour with the leaf's hue, saturation and lightness: float32 [3], 0 to 1."""
    import colorsys

    hue, saturation, value = colorsys.rgb_to_hsv(*color)
    saturation, value = min(saturation * factors["saturation"], 1.0), min(value * factors["lightness"], 1.0)
    return np.array(colorsys.hsv_to_rgb((hue + factors["hue"]) % 1.0, saturation, value), np.float32)
