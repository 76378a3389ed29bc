"""LeNets trained on real and generated digits: how the accuracy on test digits depends on how many there are of each."""

if __name__ == "__main__":  # before the imports that take time
    from stylegan_tf import program_start

    program_start.begin(needs_config=True)

import itertools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylegan_tf import command_line, data, lenet_file, lenet_training, loading
from stylegan_tf.argument_parser import Parser
from stylegan_tf.display import say
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path, read_json, write_text
from stylegan_tf.progress_bar import track
from stylegan_tf.seeds import check_random_seed

if TYPE_CHECKING:
    from stylegan_tf.lenet import LeNet
    from stylegan_tf.models.base import Generator

SCHEMES = {
    "together": "real and generated digits shuffled together",
    "checked": "the same, only with generated digits that the classifier recognises as the requested digit",
    "generated_first": "half of the epochs on generated digits, then half on real ones",
    "source_plane": "a second channel: 1 for real and test digits, -1 for generated ones",
}
_BATCH = 100
_CHUNK = 1000  # digits generated at a time
_MOST_DRAWN = 4  # digits generated for each that the quality check must leave
# Of the figures, pixels and colours.
_WIDTH, _HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 30, 60, 70
_INK, _DARK, _LIGHT = (40, 40, 40), (31, 90, 160), (250, 240, 200)
_BANDS = 10
_EXAMPLE = """example:
  python -m studies.added_digits --network RUN --data datasets/mnist --test datasets/mnist-test --classifier document.npz --outdir added
"""


def main(argv: Sequence[str]) -> int:
    """The command."""
    description = "Trains LeNets on subsets of real and generated digits."
    parser = Parser(prog="python -m studies.added_digits", description=description, epilog=_EXAMPLE)
    add = parser.add_argument
    add("--network", required=True, metavar="PATH", help="a conditional snapshot or run folder")
    add("--data", required=True, metavar="DIR", help="dataset of real digits")
    add("--test", required=True, metavar="DIR", help="dataset of test digits")
    add("--classifier", required=True, metavar="FILE", help="LeNet (.npz) of the quality check")
    add("--outdir", required=True, metavar="DIR", help="folder of tables and figures; finished cells in it are not repeated")
    add("--sizes", default="0,600,6000,12000,30000,60000", help="numbers of real and of generated digits (default: %(default)s)")
    add("--epochs", type=int, default=30, help="passes over the digits (default: %(default)s)")
    add("--schemes", default=",".join(SCHEMES), help="schemes, separated by commas (default: %(default)s)")
    add("--seed", type=int, default=0, help="seed of latents, subsets and weights (default: %(default)s)")
    options = parser.parse_args(argv)
    sizes, schemes = _sizes(options.sizes), options.schemes.split(",")
    if unknown := set(schemes) - set(SCHEMES):
        raise UserError(f"Unknown schemes: {', '.join(sorted(unknown))}. There are: {', '.join(SCHEMES)}")
    check_random_seed(options.seed)
    if options.epochs < 2:
        raise UserError(f"--epochs must be 2 or more. Received: {options.epochs}")
    lenet_file.read(options.classifier)
    contents = loading.read(loading.find_snapshot(options.network))
    real, test = (lenet_training.digits(data.open_dataset(path)) for path in (options.data, options.test))
    if contents.shape.label_size != lenet_file.NUM_CLASSES:
        raise UserError(f"{options.network} generates digits without labels. A classifier needs a conditional model.")
    command_line.import_tensorflow()
    from stylegan_tf.snapshot import make_networks

    out = Path(options.outdir)
    out.mkdir(parents=True, exist_ok=True)
    G, count = make_networks(contents).G_ema, max(sizes)
    plain = generated(G, count, seed=options.seed)
    checked = recognised(G, options.classifier, count, seed=options.seed) if "checked" in schemes else plain
    for scheme in schemes:
        fakes = checked if scheme == "checked" else plain
        table = fill(out / f"{scheme}.json", sizes, lambda n, m, scheme=scheme, fakes=fakes: accuracy_of(
            scheme, subset(real, n, options.seed), subset(fakes, m, options.seed), test, epochs=options.epochs, seed=options.seed
        ))  # fmt: skip
        names = [f"{size:,}" for size in sizes]
        with atomic_path(out / f"{scheme}.png") as temporary:
            contour(f"{scheme}: test accuracy, %", names, names, 100 * table, "across: generated digits; up: real digits").save(temporary)
    write_text(out / "table.md", markdown(out, sizes, schemes, options.epochs))
    say(f"wrote {out / 'table.md'}")
    return 0


def _sizes(text: str) -> list[int]:
    """Ascending numbers of digits, two or more."""
    try:
        sizes = sorted({int(part) for part in text.split(",")})
    except ValueError:
        sizes = []
    if len(sizes) < 2 or sizes[0] < 0:
        raise UserError(f"--sizes must be two or more numbers, such as 0,600,6000. Received: {text}")
    return sizes


def fill(path: Path, sizes: Sequence[int], accuracy: Callable[[int, int], float]) -> np.ndarray:
    """The table of one scheme, [real, generated] float64: cells in the file are taken from it, others computed and written at once."""
    try:
        cells = {str(key): float(value) for key, value in read_json(path).items()}
    except (ValueError, AttributeError, TypeError):
        cells = {}
    wanted = [(n, m) for n, m in itertools.product(sizes, sizes) if n + m]
    missing = [(n, m) for n, m in wanted if f"{n}+{m}" not in cells]
    for n, m in track(missing, len(missing), f"{path.stem}: classifiers", unit="classifiers"):
        cells[f"{n}+{m}"] = accuracy(n, m)
        write_text(path, json.dumps(cells, indent=2) + "\n")
    table = np.full((len(sizes), len(sizes)), np.nan)
    for (row, n), (column, m) in itertools.product(enumerate(sizes), enumerate(sizes)):
        if n + m:
            table[row, column] = cells[f"{n}+{m}"]
    return table


def markdown(out: Path, sizes: Sequence[int], schemes: Sequence[str], epochs: int) -> str:
    """Tables of all schemes."""
    parts = [f"# Accuracy on test digits of LeNets trained on real and generated digits, {epochs} epochs\n"]
    for scheme in schemes:
        cells = json.loads((out / f"{scheme}.json").read_text(encoding="utf-8"))
        parts += [f"## {scheme}: {SCHEMES[scheme]}\n", "| real \\ generated | " + " | ".join(f"{m:,}" for m in sizes) + " |"]
        parts.append("| ---: |" + " ---: |" * len(sizes))
        for n in sizes:
            values = [f"{100 * cells[f'{n}+{m}']:.2f} %" if n + m else "" for m in sizes]
            parts.append(f"| {n:,} | " + " | ".join(values) + " |")
        parts.append(f"\n![accuracy by the numbers of real and generated digits]({scheme}.png)\n")
    return "\n".join(parts)


def generated(G: "Generator", count: int, *, seed: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Digits of a conditional generator, every class equally often.

    Args:
        first: number of the first, a multiple of 1,000: each is a function of the seed and its number.

    Returns:
        uint8 [count, 32, 32, 1] and the requested classes, int [count].
    """
    import tensorflow as tf

    from stylegan_tf.images import to_uint8

    images, classes = [], []
    for start in range(first, first + count, _CHUNK):
        rng = np.random.default_rng([seed, start])
        asked = np.arange(_CHUNK) % lenet_file.NUM_CLASSES
        z, labels = rng.standard_normal((_CHUNK, G.z_dim), np.float32), np.eye(lenet_file.NUM_CLASSES, dtype=np.float32)[asked]
        for rows in np.array_split(np.arange(_CHUNK), 10):
            images.append(to_uint8(G.sample(z[rows], labels[rows], noise_seed=tf.constant([seed, start + rows[0]], tf.int32)).numpy()))
        classes.append(asked)
    return (np.concatenate(images)[:count], np.concatenate(classes)[:count]) if count else _nothing()


def recognised(G: "Generator", classifier: str, count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The quality check: the first `count` generated digits that a LeNet classifies as the requested digits; fewer for a poor generator."""
    from stylegan_tf import lenet

    network, found, start = lenet.load(classifier), [_nothing()], 0
    while sum(len(classes) for _, classes in found) < count and start < _MOST_DRAWN * count + _CHUNK:
        images, classes = generated(G, _CHUNK, seed=seed, first=start)
        is_right = np.argmax(network(lenet_training.to_floats(images)), axis=1) == classes
        found.append((images[is_right], classes[is_right]))
        start += _CHUNK
    images, classes = (np.concatenate(parts)[:count] for parts in zip(*found, strict=True))
    if len(images) < count:
        say(f"Quality check: of {start:,} generated digits, {len(images):,} are recognised as the requested digit, fewer than {count:,}.")
    return images, classes


def _nothing() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((0, lenet_file.SIDE, lenet_file.SIDE, 1), np.uint8), np.zeros(0, np.int64)


def subset(digits: tuple[np.ndarray, np.ndarray], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A random sample of digits; smaller samples are parts of larger ones. All of them where there are fewer."""
    chosen = np.random.default_rng([seed, 0x5B]).permutation(len(digits[0]))[:count]
    return digits[0][chosen], digits[1][chosen]


def accuracy_of(
    scheme: str, real: tuple[np.ndarray, np.ndarray], fakes: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], *,
    epochs: int, seed: int,
) -> float:  # fmt: skip
    """Accuracy on test digits of a LeNet trained on real and generated digits by one of `SCHEMES`."""
    from stylegan_tf import lenet

    if scheme == "source_plane":
        real, fakes, test = ((with_plane(images, level), classes) for (images, classes), level in ((real, 255), (fakes, 0), (test, 255)))
    network = lenet.fresh(channels=test[0].shape[-1], seed=seed)
    if scheme == "generated_first" and len(real[0]) and len(fakes[0]):
        phases = [(fakes, epochs // 2), (real, epochs - epochs // 2)]
    else:
        phases = [(tuple(np.concatenate(parts) for parts in zip(real, fakes, strict=True)), epochs)]
    fit(network, phases, seed=seed)
    return lenet_training.accuracy(network, *test)


def with_plane(images: np.ndarray, level: int) -> np.ndarray:
    """Images with a second channel of one level: 255 becomes 1 and 0 becomes -1 in front of the network."""
    return np.concatenate([images, np.full_like(images, level)], axis=-1)


def fit(network: "LeNet", phases: Sequence[tuple[tuple[np.ndarray, np.ndarray], int]], *, seed: int) -> None:
    """Trains on each phase's (images, classes) for its number of epochs, with one Adam at a rate of 0.001 throughout."""
    step = lenet_training.step_of(network, lenet_training.LEARNING_RATE)
    rng = np.random.default_rng([seed, 0xF17])
    for (images, classes), epochs in phases:
        for _ in range(epochs):
            order = rng.permutation(len(images))
            for start in range(0, len(order), _BATCH):
                step(images[order[start : start + _BATCH]], classes[order[start : start + _BATCH]])


def contour(title: str, x_names: Sequence[str], y_names: Sequence[str], values: np.ndarray, note: str = "") -> Image.Image:
    """A table of two variables as bands of colour between its cells, which stand at equal distances, with the values written in.

    Args:
        x_names, y_names: of the columns and of the rows, the first row at the bottom.
        values: [rows, columns], two or more of each; NaN for cells that do not exist, coloured as the lowest.
    """
    from scipy.ndimage import map_coordinates  # a tenth of a second to import

    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    left, top = _LEFT + 40, _TOP + 10
    width, height = _WIDTH - _RIGHT - left - 20, _HEIGHT - _BOTTOM - top - 10
    rows, columns = np.linspace(0, values.shape[0] - 1, height), np.linspace(0, values.shape[1] - 1, width)
    # Bands have equal numbers of cells, not equal widths: one bad row would leave all others in one band.
    cells = np.sort(values[~np.isnan(values)])
    filled = np.where(np.isnan(values), cells[0], values)
    heights = map_coordinates(filled, np.meshgrid(rows, columns, indexing="ij"), order=1)[::-1]
    shares = np.interp(heights, cells, np.linspace(0, 1, len(cells)))
    bands = np.floor(shares * (_BANDS - 1e-9)) / (_BANDS - 1)
    pixels = (np.array(_LIGHT) + np.subtract(_DARK, _LIGHT) * bands[..., None]).astype(np.uint8)
    image.paste(Image.fromarray(pixels), (left, top))
    for row, row_name in enumerate(y_names):
        y = top + height * (1 - row / (values.shape[0] - 1))
        draw.text((left - 30, y), row_name, _INK, font, anchor="rm")
        for column, name in enumerate(x_names):
            x = left + width * column / (values.shape[1] - 1)
            if row == 0:
                draw.text((x, _HEIGHT - _BOTTOM + 5), name, _INK, font, anchor="ma")
            if not np.isnan(values[row, column]):
                text = f"{values[row, column]:.4g}"
                box = draw.textbbox((x, y), text, font, anchor="mm")
                draw.rectangle([box[0] - 3, box[1] - 2, box[2] + 3, box[3] + 2], "white")
                draw.text((x, y), text, _INK, font, anchor="mm")
    draw.text((_LEFT, 20), title, _INK, ImageFont.load_default(20))
    draw.text((_WIDTH - _RIGHT, _HEIGHT - 12), note, _INK, font, anchor="rs")
    return image


if __name__ == "__main__":
    sys.exit(command_line.run(main))
