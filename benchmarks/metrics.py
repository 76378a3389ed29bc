"""Speed and memory of scores: features, path lengths, Fréchet distance, neighbours.

    python -m benchmarks.metrics
    python -m benchmarks.metrics --only frechet

Prints one JSON line; asserts nothing.
"""

import argparse
import statistics
import sys
from collections.abc import Callable

import numpy as np

from benchmarks.options import add_profile
from stylegan_tf import command_line

FEATURES = 2048
INCEPTION_FLOPS = 11.4e9  # an image at 299x299, 2 a multiply-add


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(CASES), help="run only this case")
    parser.add_argument("--resolution", type=int, default=64, help="resolution of the images")
    parser.add_argument("--num-images", type=int, default=64, help="images in each timed run")
    parser.add_argument("--repeats", type=int, default=8, help="timed runs of each case after a warm-up")
    add_profile(parser)  # of the features
    options = parser.parse_args()
    command_line.import_tensorflow()
    from benchmarks import measure

    results = {"resolution": options.resolution, "num_images": options.num_images}
    for name, case in CASES.items():
        if options.only in (None, name):
            results[name] = case(options)
    measure.print_result(results)


def seconds(run: Callable[[], object], options) -> dict[str, float]:
    """Median, smallest and largest time."""
    from benchmarks import measure

    found = measure.repeat(run, repeats=options.repeats, warmup=1)
    return {"sec": round(statistics.median(found), 3), "sec_min": round(min(found), 3), "sec_max": round(max(found), 3)}


def rates(run: Callable[[], object], options, count: int) -> dict[str, float]:
    """Median, smallest and largest number a second."""
    from benchmarks import measure

    found = measure.summary(measure.repeat(run, repeats=options.repeats, warmup=1), count)
    return {name: round(value, 2) for name, value in found.items()}


def images(options) -> np.ndarray:
    side = options.resolution
    return np.random.default_rng(0).integers(0, 256, (options.num_images, side, side, 3), np.uint8)


def features(options, precision: str) -> dict:
    from benchmarks import ceiling, profiles
    from metrics.evaluate import whole_float32
    from metrics.features.inception import Inception
    from metrics.networks import weights

    network = Inception(weights.load_inception(), precision=precision)
    batches = np.array_split(images(options), max(1, options.num_images // 32))

    def run():
        for batch in batches:
            network(batch).numpy()

    with whole_float32():  # as scores are computed
        found = rates(run, options, options.num_images)
    if options.profile:
        profiles.print_profile(run, options.profile)
    reached = ceiling.tflops_at(32, 35, 192, precision)
    share = found["images_per_sec"] * INCEPTION_FLOPS / 1e12 / reached["ceiling"]
    return {
        **found,
        "nominal_flops_per_image": INCEPTION_FLOPS,
        "ceiling_tflops": round(reached["ceiling"], 4),
        "share_of_ceiling": round(share, 3),
    }


def paths(options) -> dict:
    from metrics.features.lpips import Lpips
    from metrics.networks import weights

    distance = Lpips(weights.load_lpips())
    batch = images(options)[:32].astype(np.float32) / 127.5 - 1
    return rates(lambda: distance(batch, batch[::-1]).numpy(), options, len(batch))


def frechet(options) -> dict:
    from metrics.features.moments import frechet_distance, moments_of

    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(FEATURES, FEATURES)).astype(np.float32) / 45
    first, second = (rng.normal(size=(4096, FEATURES)).astype(np.float32) @ mixing for _ in range(2))
    moments = [moments_of([first]), moments_of([second])]
    return {
        "distance": seconds(lambda: frechet_distance(*moments), options),
        "moments_of_4096": seconds(lambda: moments_of([first]), options),
    }


def neighbours(options) -> dict:
    from metrics.kernel_inception_distance import kernel_distance
    from metrics.precision_recall import manifold_samples

    rng = np.random.default_rng(0)
    reals, fakes = rng.normal(size=(2, 4000, FEATURES)).astype(np.float32)
    of_precision = seconds(lambda: manifold_samples(reals, fakes, 3), options)
    return {"precision_recall_4000": of_precision, "kernel_distance_4000": seconds(lambda: kernel_distance(fakes, reals), options)}


CASES = {
    "float32": lambda options: features(options, "float32"),
    "bfloat16": lambda options: features(options, "bfloat16"),
    "paths": paths,
    "frechet": frechet,
    "neighbours": neighbours,
}

if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
