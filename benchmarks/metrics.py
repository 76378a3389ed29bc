"""Speed and memory of scores: features, path lengths, Fréchet distance, neighbours; prints one JSON line and asserts nothing.

    python benchmarks/metrics.py
    python benchmarks/metrics.py --only frechet
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from stylegan_tf import command_line

FEATURES = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"one case: {', '.join(CASES)}")
    parser.add_argument("--resolution", type=int, default=64, help="of the images")
    parser.add_argument("--num-images", type=int, default=128, help="images a timed run")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each case; the median is printed")
    arguments = parser.parse_args()
    command_line.import_tensorflow()
    results = {"cores": os.cpu_count(), "resolution": arguments.resolution, "num_images": arguments.num_images}
    for name, case in CASES.items():
        if arguments.only in (None, name):
            results |= case(arguments)
    results["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(results))


def median_sec(function: Callable[[], object], repeats: int) -> float:
    """Median time of some runs after one that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.monotonic()
        function()
        times.append(time.monotonic() - start)
    return statistics.median(times)


def images(arguments) -> np.ndarray:
    side = arguments.resolution
    return np.random.default_rng(0).integers(0, 256, (arguments.num_images, side, side, 3), np.uint8)


def features(arguments, precision: str) -> dict:
    from metrics import weights
    from metrics.extractors.inception import Inception

    network = Inception(weights.load_inception(), precision=precision)
    batches = np.array_split(images(arguments), max(1, arguments.num_images // 32))
    sec = median_sec(lambda: [network(batch).numpy() for batch in batches], arguments.repeats)
    return {f"features_{precision}_per_sec": round(arguments.num_images / sec, 1)}


def paths(arguments) -> dict:
    from metrics import weights
    from metrics.extractors.lpips import Lpips

    distance = Lpips(weights.load_lpips())
    batch = images(arguments)[:32].astype(np.float32) / 127.5 - 1
    sec = median_sec(lambda: distance(batch, batch[::-1]).numpy(), arguments.repeats)
    return {"lpips_pairs_per_sec": round(len(batch) / sec, 1)}


def frechet(arguments) -> dict:
    from metrics.feature_stats import moments_of
    from metrics.frechet import frechet_distance

    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(FEATURES, FEATURES)).astype(np.float32) / 45
    first, second = (rng.normal(size=(4096, FEATURES)).astype(np.float32) @ mixing for _ in range(2))
    moments = [moments_of([first]), moments_of([second])]
    sec = median_sec(lambda: frechet_distance(*moments), arguments.repeats)
    add_sec = median_sec(lambda: moments_of([first]), arguments.repeats)
    return {"frechet_sec": round(sec, 2), "moments_per_sec": round(len(first) / add_sec)}


def neighbours(arguments) -> dict:
    from metrics.kernel_inception_distance import kernel_distance
    from metrics.precision_recall import manifold_samples

    rng = np.random.default_rng(0)
    reals, fakes = rng.normal(size=(2, 4000, FEATURES)).astype(np.float32)
    pr_sec = median_sec(lambda: manifold_samples(reals, fakes, 3), arguments.repeats)
    kid_sec = median_sec(lambda: kernel_distance(fakes, reals), arguments.repeats)
    return {"pr_4k_sec": round(pr_sec, 2), "kid_4k_sec": round(kid_sec, 2)}


CASES = {
    "float32": lambda arguments: features(arguments, "float32"),
    "bfloat16": lambda arguments: features(arguments, "bfloat16"),
    "paths": paths,
    "frechet": frechet,
    "neighbours": neighbours,
}

if __name__ == "__main__":
    main()
