"""Speed and memory of writing records and of feeding them to training.

    python -m benchmarks.pipeline
    python -m benchmarks.pipeline --images ~/photographs --resolution 256

Prints one JSON line; asserts nothing.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from stylegan_tf import command_line
from stylegan_tf.data import DatasetWriter, make_pipeline, open_dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of photographs (default: made-up ones)")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--num-images", type=int, default=512, help="different images")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=8, help="timed runs of each case")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="one case: raw, png, jpeg, write_png, write_png_pass_through, write_raw, write_jpeg")
    arguments = parser.parse_args()

    images = photographs(arguments) if arguments.images else made_up_images(arguments.num_images, arguments.resolution)
    results = {"resolution": arguments.resolution, "num_images": len(images), "cores": os.cpu_count(), "batch_size": arguments.batch_size}
    with tempfile.TemporaryDirectory() as folder:
        for case, measure in cases(arguments, images, Path(folder)).items():
            if arguments.only in (None, case):
                results[case] = measure()
    results["peak_rss_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3)
    print(json.dumps(results))


def cases(arguments: argparse.Namespace, images: np.ndarray, folder: Path) -> dict[str, Callable[[], dict]]:
    """What can be measured, by name."""
    files = [cv2.imencode(".png", image[:, :, ::-1])[1].tobytes() for image in images]
    writing = {
        "write_png_pass_through": lambda: writing_speed(arguments, folder, files, "png", pass_through=True),
        "write_png": lambda: writing_speed(arguments, folder, files, "png"),
        "write_jpeg": lambda: writing_speed(arguments, folder, files, "jpeg"),
        "write_raw": lambda: writing_speed(arguments, folder, files, "raw"),
    }
    reading = {name: lambda name=name: reading_speed(arguments, images, folder, name) for name in ("raw", "png", "jpeg")}
    return {**writing, **reading}


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


def writing_speed(arguments: argparse.Namespace, folder: Path, files: list[bytes], encoding: str, pass_through: bool = False) -> dict:
    """Images/s from PNG files in memory to a dataset, decoding included."""

    def item(file: bytes) -> tuple:
        image = np.ascontiguousarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1])
        return image, None, file if pass_through else None

    speeds, start_cpu = [], time.process_time()
    for _ in range(arguments.repeats + 1):
        start = time.perf_counter()
        with DatasetWriter(folder / "written", resolution=arguments.resolution, channels=3, encoding=encoding, overwrite=True) as writer:
            writer.add_many(((lambda file=file: item(file)) for file in files), workers=arguments.workers)
        speeds.append(len(files) / (time.perf_counter() - start))
    cpu = cpu_per_image(start_cpu, len(speeds) * len(files))
    size = sum(path.stat().st_size for path in (folder / "written").iterdir())
    return {**summary(speeds[1:]), **cpu, "bytes_per_raw_byte": round(size / (len(files) * arguments.resolution**2 * 3 * 4 / 3), 3)}


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
        speeds.append(num_images / (time.perf_counter() - start))
        total += num_images
        most = max(most, resident_mb())
    return {**summary(speeds[1:]), **cpu_per_image(start_cpu, total), "memory_mb": round(most - before)}


def summary(speeds: list[float]) -> dict:
    values = {"images_per_sec": statistics.median(speeds), "images_per_sec_min": min(speeds), "images_per_sec_max": max(speeds)}
    return {name: round(value, 1) for name, value in values.items()}


def cpu_per_image(start_cpu: float, num_images: int) -> dict:
    """Processor time of all threads, which says more than the clock where others use the machine."""
    return {"cpu_ms_per_image": round((time.process_time() - start_cpu) / num_images * 1e3, 3)}


def resident_mb() -> float:
    """Memory of this process that is in use now, in MB (or the most so far, where /proc is missing)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
