"""Memory of a training process over all stages of growth, passed through several times: what a stage leaves behind would add up.

    python -m benchmarks.growth
    python -m benchmarks.growth --resolution 64 --cycles 2

Prints one line a cycle and one JSON line; asserts nothing.
"""

import argparse
import sys

import numpy as np
import psutil

from stylegan_tf import command_line

ITERATIONS = 6  # a stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=32, help="resolution in pixels")
    parser.add_argument("--fmap-base", type=int, default=1024, help="fmap_base of G and D")
    parser.add_argument("--fmap-max", type=int, default=64, help="largest number of feature maps of a layer")
    parser.add_argument("--batch", type=int, default=16, help="minibatch")
    parser.add_argument("--cycles", type=int, default=3, help="passes through all stages")
    options = parser.parse_args()
    command_line.import_tensorflow()

    from benchmarks import measure
    from benchmarks.workload import Workload
    from stylegan_tf import models
    from stylegan_tf import resolution as growth
    from stylegan_tf.training.step import Trainer

    growth.check_resolution(options.resolution)
    workload = Workload(options.resolution, options.fmap_base, options.fmap_max, options.batch)
    trainer = Trainer(models.find("stylegan"), workload.settings(), **workload.networks())
    highest = growth.log2(options.resolution) - 3.0  # the lod of 8x8
    lods = [lod / 2 for lod in range(int(2 * highest), -1, -1)]  # every resolution, and the fade into the next
    print(f"MB after {ITERATIONS} iterations at lod {', '.join(map(str, lods))}")
    cycles = []
    for _ in range(options.cycles):
        cycles.append([memory_after_stage(trainer, workload, lod) for lod in lods])
        print(*(f"{megabytes:7.0f}" for megabytes in cycles[-1]), flush=True)
    measure.print_result({**vars(options), "peak_mb_by_cycle": [round(max(cycle)) for cycle in cycles],
                          "mb_a_stage": (max(cycles[-1]) - max(cycles[-2])) / len(lods) if len(cycles) > 1 else None})  # fmt: skip


def memory_after_stage(trainer, workload, lod: float) -> float:
    """Resident memory in MB after some iterations of a stage that begins as in training: without the traces of the one before."""
    import tensorflow as tf

    side = workload.resolution >> int(lod)
    images = np.random.RandomState(0).randint(0, 256, [workload.batch, side, side, 3], np.uint8)
    batches = iter(tf.data.Dataset.from_tensors((images, np.zeros([workload.batch, 0], np.float32))).repeat())
    trainer.forget_traces()
    for _ in range(ITERATIONS):
        (statistics,) = trainer.run(batches, workload.stage(lod), nimg=0)
        float(statistics["Loss/G"])
    return psutil.Process().memory_info().rss / 1e6


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
