"""Speed, memory and disk of dataset_tool.py on 256x256 images.

    python -m benchmarks.dataset_tool
    python -m benchmarks.dataset_tool --images ../shared/data/apple_leaves --num-images 3000

Makes a folder of PNGs (and one of JPEGs) of the images, runs the program on them as a user does, and prints one JSON line a
case: "pass through" (PNGs of the right size into PNG records), "encode anew" (PNGs that are resized), "jpeg to png",
"jpeg to jpeg", "raw". `cpu_sec` and `images_per_cpu_sec` hold on a machine that others use too; asserts nothing.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from stylegan_tf.data.leaves import draw_leaf

ROOT = Path(__file__).parents[1]
RESOLUTION = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", help="folder of photographs to take; else drawn leaves with grain")
    parser.add_argument("--num-images", type=int, default=1000)
    parser.add_argument("--workers", type=int, help="threads of the program; else its default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make_sources(folder, options.images, options.num_images)
        cases = {
            "pass through": ["png"],
            "encode anew": ["larger"],
            "jpeg to png": ["jpg"],
            "jpeg to jpeg": ["jpg", "--encoding", "jpeg"],
            "raw": ["png", "--encoding", "raw"],
        }
        for name, (source, *flags) in cases.items():
            measured = measure(
                folder / source, folder / "set", [*flags, *(["--workers", str(options.workers)] if options.workers else [])]
            )
            print(json.dumps({"case": name, "images": options.num_images, **measured}), flush=True)


def make_sources(folder: Path, images: str | None, count: int) -> None:
    """Folders png and jpg (256x256) and larger (300x280 PNGs)."""
    for name in ("png", "jpg", "larger"):
        (folder / name).mkdir()
    paths = sorted(path for path in Path(images).rglob("*") if path.suffix.lower() in (".jpg", ".png")) if images else []
    for index in range(count):
        if paths:
            picture = Image.open(paths[index * len(paths) // count % len(paths)]).convert("RGB").resize((RESOLUTION, RESOLUTION))
        else:
            grain = np.random.RandomState(index).normal(0, 3, (RESOLUTION, RESOLUTION, 3))
            picture = Image.fromarray(np.clip(draw_leaf(0, index, RESOLUTION)[0] + grain, 0, 255).astype(np.uint8))
        picture.save(folder / "png" / f"{index:06d}.png", compress_level=3)
        picture.save(folder / "jpg" / f"{index:06d}.jpg", quality=90)
        picture.resize((300, 280)).save(folder / "larger" / f"{index:06d}.png", compress_level=1)


def measure(source: Path, target: Path, flags: list[str]) -> dict[str, float]:
    """Runs the program once."""
    command = [sys.executable, str(ROOT / "dataset_tool.py"), "create_from_images", str(target), str(source)]
    command += ["--resolution", str(RESOLUTION), "--labels", "none", "--overwrite", *flags]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, errors = process.communicate()
    elapsed_sec = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(errors.decode())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_sec = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    count = len(os.listdir(source))
    size = sum(path.stat().st_size for path in target.glob("*.tfrecords"))
    raw = count * sum(side * side * 3 for side in (4, 8, 16, 32, 64, 128, 256))
    return {
        "images_per_sec": round(count / elapsed_sec, 1),
        "images_per_cpu_sec": round(count / cpu_sec, 1),
        "cpu_sec": round(cpu_sec, 2),
        "peak_mb": round(after.ru_maxrss / 1024),
        "of_raw": round(size / raw, 3),
        "of_source": round(size / sum(path.stat().st_size for path in source.iterdir()), 2),
    }


if __name__ == "__main__":
    main()
