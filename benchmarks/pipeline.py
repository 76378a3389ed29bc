"""Speed and memory of feeding records to training.

    python -m benchmarks.pipeline
    python -m benchmarks.pipeline --images ~/photographs --resolution 256

Prints one JSON line; asserts nothing.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import psutil

from benchmarks import measure
from stylegan_tf import command_line
from stylegan_tf.data import DatasetWriter, make_pipeline, open_dataset

ENCODINGS = ("raw", "png", "jpeg")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of photographs (default: random images)")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--num-images", type=int, default=512, help="number of different images")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=8, help="timed runs of each case")
    parser.add_argument("--only", choices=ENCODINGS, help="run only this encoding")
    arguments = parser.parse_args()

    images = photographs(arguments) if arguments.images else made_up_images(arguments.num_images, arguments.resolution)
    results = {"resolution": arguments.resolution, "num_images": len(images), "batch_size": arguments.batch_size}
    with tempfile.TemporaryDirectory() as folder:
        for encoding in ENCODINGS:
            if arguments.only in (None, encoding):
                results[encoding] = reading_speed(arguments, images, Path(folder), encoding)
    measure.print_result(results)


def photographs(arguments: argparse.Namespace) -> np.ndarray:
    paths = [path for path in sorted(arguments.images.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    step = max(1, len(paths) // arguments.num_images)
    size = (arguments.resolution, arguments.resolution)
    found = [cv2.resize(cv2.imread(str(path)), size, interpolation=cv2.INTER_AREA) for path in paths[::step][: arguments.num_images]]
    return np.stack(found)[..., ::-1]


def made_up_images(num_images: int, resolution: int) -> np.ndarray:
    """Clouds with noise at every scale and a little grain, about as hard to compress as photographs."""
    rng = np.random.default_rng(0)
    images = np.zeros((num_images, resolution, resolution, 3), np.float32)
    for side in [1 << level for level in range(2, resolution.bit_length())]:
        for image in images:
            noise = rng.normal(size=(side, side, 3)).astype(np.float32) * (2.5 + 120 / side)
            image += cv2.resize(noise, (resolution, resolution), interpolation=cv2.INTER_CUBIC)
    return np.clip(images + 128, 0, 255).astype(np.uint8)


def reading_speed(arguments: argparse.Namespace, images: np.ndarray, folder: Path, encoding: str) -> dict:
    """Images/s out of the training pipeline, and the memory it takes beside TensorFlow."""
    with DatasetWriter(folder / encoding, resolution=arguments.resolution, channels=3, encoding=encoding) as writer:
        writer.add_many(images)
    command_line.import_tensorflow()
    import tensorflow as tf

    list(tf.data.Dataset.range(4).map(lambda number: number + 1))
    before = resident_mb()
    batches = iter(
        make_pipeline(
            open_dataset(folder / encoding), resolution=arguments.resolution, batch_size=arguments.batch_size, seed=0, mirror=True
        )
    )
    seconds_wanted, speeds, most, total = 1.0, [], 0.0, 0
    start_cpu = time.process_time()
    for _ in range(arguments.repeats + 1):
        num_images, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds_wanted:
            next(batches)
            num_images += arguments.batch_size
        speeds.append((time.perf_counter() - start) / num_images)
        total += num_images
        most = max(most, resident_mb())
    # Processor time of all threads says more than the clock where others use the machine.
    cpu_ms = (time.process_time() - start_cpu) / total * 1e3
    found = {**measure.summary(speeds[1:], 1), "cpu_ms_per_image": cpu_ms, "memory_mb": most - before}
    return {name: round(value, 3) for name, value in found.items()}


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
