"""Speed, memory and disk of dataset_tool.py on 256x256 images.

    python -m benchmarks.dataset_tool
    python -m benchmarks.dataset_tool --images photos/apple_leaves --num-images 3000

Makes a folder of PNGs (and one of JPEGs) of the images, runs the program on them as a user does, start of the process included,
and prints one JSON line with the cases "pass through" (PNGs of the right size into PNG records), "encode anew" (PNGs of the right
size that are not deflated), "resize" (PNGs of another size), "jpeg to png", "jpeg to jpeg", "raw".
`images_per_cpu_sec` holds on a machine that others use too; asserts nothing.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from stylegan_tf import command_line
from stylegan_tf.data.sources.leaves import draw_leaf

ROOT = Path(__file__).parents[1]
RESOLUTION = 256
CASES = {
    "pass through": ["png"],
    "encode anew": ["stored"],
    "resize": ["larger"],
    "jpeg to png": ["jpg"],
    "jpeg to jpeg": ["jpg", "--encoding", "jpeg"],
    "raw": ["png", "--encoding", "raw"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", help="folder of photographs (default: drawn leaves with grain)")
    parser.add_argument("--num-images", type=int, default=1000)
    parser.add_argument("--workers", type=int, help="threads (default: that of the program)")
    parser.add_argument("--repeats", type=int, default=8, help="timed runs of each case after a warm-up")
    parser.add_argument("--only", choices=list(CASES), help="run only this case")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make_sources(folder, options.images, options.num_images)
        workers = ["--workers", str(options.workers)] if options.workers else []
        results = {"num_images": options.num_images, "repeats": options.repeats, "cores": os.cpu_count()}
        for name, (source, *flags) in CASES.items():
            if options.only in (None, name):
                results[name] = measure(folder / source, folder / "set", [*flags, *workers], options.repeats)
    print(json.dumps(results))


def make_sources(folder: Path, images: str | None, count: int) -> None:
    """Folders png, stored (PNGs that are not deflated) and jpg (256x256), and larger (300x280 PNGs)."""
    for name in ("png", "stored", "jpg", "larger"):
        (folder / name).mkdir()
    paths = sorted(path for path in Path(images).rglob("*") if path.suffix.lower() in (".jpg", ".png")) if images else []
    for index in range(count):
        if paths:
            picture = Image.open(paths[index * len(paths) // count % len(paths)]).convert("RGB").resize((RESOLUTION, RESOLUTION))
        else:
            grain = np.random.RandomState(index).normal(0, 3, (RESOLUTION, RESOLUTION, 3))
            picture = Image.fromarray(np.clip(draw_leaf(0, index, RESOLUTION)[0] + grain, 0, 255).astype(np.uint8))
        picture.save(folder / "png" / f"{index:06d}.png", compress_level=3)
        picture.save(folder / "stored" / f"{index:06d}.png", compress_level=0)
        picture.save(folder / "jpg" / f"{index:06d}.jpg", quality=90)
        picture.resize((300, 280)).save(folder / "larger" / f"{index:06d}.png", compress_level=1)


def measure(source: Path, target: Path, flags: list[str], repeats: int) -> dict[str, float]:
    """Runs the program several times."""
    runs = [run_once(source, target, flags) for _ in range(repeats + 1)][1:]
    count = len(os.listdir(source))
    rates = [count / elapsed_sec for elapsed_sec, _ in runs]
    size = sum(path.stat().st_size for path in target.glob("*.tfrecords"))
    raw = count * sum(side * side * 3 for side in (4, 8, 16, 32, 64, 128, 256))
    return {
        "images_per_sec": round(statistics.median(rates), 1),
        "images_per_sec_min": round(min(rates), 1),
        "images_per_sec_max": round(max(rates), 1),
        "images_per_cpu_sec": round(count / statistics.median(cpu_sec for _, cpu_sec in runs), 1),
        "peak_rss_gb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 3),  # of the cases so far
        "of_raw": round(size / raw, 3),
        "of_source": round(size / sum(path.stat().st_size for path in source.iterdir()), 2),
    }


def run_once(source: Path, target: Path, flags: list[str]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    command = [sys.executable, str(ROOT / "dataset_tool.py"), "create_from_images", str(target), str(source)]
    command += ["--resolution", str(RESOLUTION), "--labels", "none", "--overwrite", *flags]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, errors = process.communicate()
    elapsed_sec = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(errors.decode())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return elapsed_sec, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
