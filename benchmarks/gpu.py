"""Everything that is wanted of a GPU that is lent for ten minutes, in the order of importance, ended in time.

    python -m benchmarks.gpu --out out/gpu                                          # on the GPU
    python -m benchmarks.gpu --out out/gpu-small --small --minutes 20                # tries the script on a CPU, in the forms for GPUs

It needs a TensorFlow that finds the GPU (docs/gpus.md), and for the features of FID the metric network (docs/metrics.md; without a
network connection, STYLEGAN_TF_INCEPTION). Every benchmark is a program of its own; what it prints is in OUT/NAME.txt, all JSON lines
are in OUT/results.jsonl. Benchmarks that are done there are not repeated: a second call goes on where the time of the first ended. Prints
a table in Markdown at the end. docs/experiments.md contains the predictions.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks import programs
from stylegan_tf import command_line

HALF = "--precision mixed_bfloat16"
PARALLEL = "--xla_gpu_enable_llvm_module_compilation_parallelism=true"  # off in XLA's sources: one thread makes the code of a program


class Program(NamedTuple):
    """A benchmark to run.

    Attributes:
        name: of its row and files.
        arguments: of `python -m benchmarks.`.
        limit_sec: it is stopped after this time.
        has_cache: whether compiled programs, and XLA's choices of kernels, are kept in a folder and found there.
        xla_flags: further flags of XLA.
    """

    name: str
    arguments: str
    limit_sec: float
    has_cache: bool = False
    xla_flags: str = ""

    def environment(self, folder: Path) -> dict[str, str]:
        """Environment variables that it needs."""
        flags = f"{os.environ.get('XLA_FLAGS', '')} {self.xla_flags}".strip()
        if not self.has_cache:
            return {"XLA_FLAGS": flags}
        cache = (folder / "cache").resolve()
        cache.mkdir(exist_ok=True)
        return {
            "TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={cache}",
            "XLA_FLAGS": f"{flags} --xla_gpu_per_fusion_autotune_cache_dir={cache}".strip(),
        }


def chosen(is_small: bool) -> list[Program]:
    """The most wanted first. `is_small`: networks and images of a size that a CPU computes in seconds."""

    def train(side: int, batch: int, more: str) -> str:
        size = f"--resolution 8 --fmap-max 8 --batch 4 {more}" if is_small else f"--resolution {side} --batch {batch} {more}"
        return f"train_step {size} --repeats {2 if is_small else 6}"

    drawing = "--resolution 16 --fmap-max 8" if is_small else "--resolution 256 --batch 32"
    layers = "layers --side 8 --maps 8 --batch 2 --repeats 1" if is_small else "layers --side 256 --maps 64 --batch 32"
    features = f"metrics --only bfloat16 --num-images {32 if is_small else 2048} --repeats {1 if is_small else 6}"
    return [
        Program("256x256 XLA", train(256, 32, f"{HALF} --xla --profile"), 240, has_cache=True),
        Program("256x256", train(256, 32, f"{HALF} --profile"), 90),
        Program("drawing 256x256 XLA", f"inference {drawing} {HALF} --xla", 90),
        Program("features of FID", features, 90),
        Program("layers 256x256", f"{layers} {HALF}", 60),
        Program("256x256 XLA, parallel", train(256, 32, f"{HALF} --xla"), 240, xla_flags=PARALLEL),
        Program("256x256 XLA, from cache", train(256, 32, f"{HALF} --xla"), 90, has_cache=True),
        Program("64x64 auto", train(64, 64, f"{HALF} --background --stage-change"), 400),
        Program("1024x1024 XLA", train(1024, 8, f"{HALF} --xla"), 300),
        Program("256x256 auto", train(256, 32, f"{HALF} --background --stage-change"), 500),
        Program("drawing 256x256", f"inference {drawing} {HALF}", 45),
        Program("64x64", train(64, 64, HALF), 60),
        Program("layers XLA", f"{layers} {HALF} --xla", 60),
        Program("128x128 XLA", train(128, 32, f"{HALF} --xla"), 200),
        Program("512x512 XLA", train(512, 16, f"{HALF} --xla"), 250),
        Program("256x256 float32", train(256, 32, ""), 90),
        *(
            Program(f"{side}x{side} auto", train(side, batch, f"{HALF} --background --stage-change"), 500)
            for side, batch in ((128, 32), (512, 16), (1024, 8))
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/gpu"), help="folder of the results (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=9.5, help="minutes after which no benchmark starts or continues (default: %(default)s)"
    )
    parser.add_argument("--small", action="store_true", help="tiny networks, to test the script")
    parser.add_argument("--only", metavar="WORD", default="", help="run only benchmarks whose names contain this word")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    lines = map(json.loads, results.read_text().splitlines()) if results.exists() else ()
    rows = {row.pop("name"): row for row in lines if len(row) > 1}
    start = time.monotonic()
    for program in chosen(options.small):
        left = 60 * options.minutes - (time.monotonic() - start)
        is_done = program.name in rows and "stopped_after_sec" not in rows[program.name]
        if left < 20 or options.only not in program.name or is_done:
            continue
        with tempfile.TemporaryDirectory() as profile:  # only its summary is kept
            arguments = program.arguments.replace("--profile", f"--profile {profile}").split()
            environment = {**os.environ, **program.environment(options.out)}
            if options.small:
                environment.setdefault("STYLEGAN_TF_CPU_PATHS", "gpu")
            row, printed = programs.run(arguments, limit_sec=min(program.limit_sec, left), environment=environment)
        (options.out / f"{program.name.replace(' ', '-')}.txt").write_text(printed, encoding="utf-8")
        with open(results, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"name": program.name, **row}) + "\n")
        if row:
            rows[program.name] = row
        ended = "done" if row and "stopped_after_sec" not in row else printed.strip().splitlines()[-1]
        print(f"{time.monotonic() - start:4.0f} s  {program.name}: {ended}", flush=True)
    shown = {name: row | row.get("bfloat16", {}) for name, row in rows.items()}  # of features
    print(programs.table({name: row for name, row in shown.items() if "images_per_sec" in row}))


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
