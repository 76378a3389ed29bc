"""Hours that the paper's run takes on one GPU, counted from its operations, its memory traffic and the GPU's data sheet.

    python -m benchmarks.paper_run

The model is time = operations / (share of the peak) + bytes / bandwidth. Its constants were measured on one H200 in training at
256x256, full width, batch 32, bfloat16; for every other card and resolution the hours are calculated. Prints a table in Markdown.
"""

import argparse
from typing import NamedTuple

from benchmarks.workload import Workload

RESOLUTIONS = (256, 512, 1024)
# Hours on one V100 as the original release states them, float32.
ORIGINAL_HOURS = {256: 358, 512: 597, 1024: 988}
PASSES = 15  # over the layers of one network: 4 of G and 11 of D an image, both of about the same size
FLOAT32_SHARE = 0.85  # of the peak, in products without matrix units: fits the original's times, see ORIGINAL_ACCESSES
MATRIX_SHARE = 0.41  # of the peak, in products on matrix units: 17.6 TFLOP in 43 ms on an H200
# Times that each value of a layer is moved in a pass, if every kernel moved memory as fast as the data sheet says. Measured as the rest
# of an iteration beyond its products: 121 images/s without XLA, 518 with it.
ACCESSES = 69
FUSED_ACCESSES = 6
ORIGINAL_ACCESSES = 25  # of the original's own program, which had kernels of its own: reproduces its times within 12 %


class Gpu(NamedTuple):
    """A GPU as its maker's data sheet has it: dense peak, without sparsity."""

    name: str
    peak_tflops: float
    bandwidth_tbs: float  # terabytes a second
    share: float = MATRIX_SHARE
    value_bytes: int = 2


V100_FLOAT32 = Gpu("V100, float32", 15.7, 0.9, FLOAT32_SHARE, 4)
H100 = Gpu("H100 SXM, bfloat16", 989, 3.35)
GPUS = [
    V100_FLOAT32,
    Gpu("V100, float16", 125, 0.9),
    Gpu("L4, bfloat16", 121, 0.3),
    Gpu("RTX 3090, bfloat16", 71, 0.94),
    Gpu("RTX 4090, bfloat16", 165, 1.01),
    Gpu("A100 80 GB, bfloat16", 312, 2.04),
    H100,
    Gpu("H200, bfloat16", 989, 4.8),
]


def values_moved(size: int) -> float:
    """Values that the layers of one network put out for one image: two layers a resolution."""
    workload = Workload(resolution=size)
    return float(sum(2 * side**2 * workload.features(side) for side in workload.sides()))


def run_totals(resolution: int) -> tuple[float, float]:
    """Operations, and values put out by layers, of the paper's 25,000 kimg, growth from 8x8 included."""
    from config import paper_schedule
    from stylegan_tf.training import forecast
    from stylegan_tf.training.schedule import TrainingSchedule

    settings = paper_schedule()
    phases = forecast.phases(TrainingSchedule(settings, resolution), 0.0, settings.total_kimg)
    images = [(phase.resolution, 1000 * (phase.end_kimg - phase.start_kimg)) for phase in phases]
    flops = sum(count * Workload(resolution=size).training_flops() for size, count in images)
    return flops, sum(count * PASSES * values_moved(size) for size, count in images)


def hours(gpu: Gpu, totals: tuple[float, float], accesses: int) -> float:
    """Hours of a run with these totals."""
    flops, values = totals
    return (flops / (gpu.share * gpu.peak_tflops * 1e12) + values * gpu.value_bytes * accesses / (gpu.bandwidth_tbs * 1e12)) / 3600


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    totals = {resolution: run_totals(resolution) for resolution in RESOLUTIONS}
    print("| GPU | " + " | ".join(f"{r}x{r}" for r in RESOLUTIONS) + " |\n| --- " + "| --- " * len(RESOLUTIONS) + "|")
    print("| the original on a V100, as stated | " + " | ".join(f"{ORIGINAL_HOURS[r]} h" for r in RESOLUTIONS) + " |")
    for gpu in GPUS:
        cells = [" to ".join(f"{hours(gpu, totals[r], times):.0f}" for times in (FUSED_ACCESSES, ACCESSES)) for r in RESOLUTIONS]
        print(f"| {gpu.name} | " + " | ".join(f"{cell} h" for cell in cells) + " |")
    print("\nPetaFLOP of the run: " + ", ".join(f"{r}x{r} {totals[r][0] / 1e15:,.0f}" for r in RESOLUTIONS))


if __name__ == "__main__":
    main()
