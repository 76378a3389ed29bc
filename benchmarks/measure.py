"""Timing shared by the benchmarks: warm-up, repetitions, and the JSON line that they print."""

import json
import os
import resource
import statistics
import time
from collections.abc import Callable

import psutil


def process_age_sec() -> float:
    """Seconds since this process was started, imports included."""
    return time.time() - psutil.Process(os.getpid()).create_time()


def repeat(run: Callable[[], object], *, repeats: int, warmup: int = 2) -> list[float]:
    """Seconds of each of `repeats` runs after `warmup` that are not counted."""
    for _ in range(warmup):
        run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def summary(seconds: list[float], images: int) -> dict[str, float]:
    """Median, smallest and largest images a second."""
    rates = [images / sec for sec in seconds]
    return {"images_per_sec": statistics.median(rates), "images_per_sec_min": min(rates), "images_per_sec_max": max(rates)}


def print_result(result: dict) -> None:
    """Prints one JSON line with the peak memory of the process and of the GPU, which `result` holds afterwards."""
    from stylegan_tf.training.devices import peak_gpu_memory_gb

    result["peak_rss_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    result["peak_gpu_gb"] = max(result.get("peak_gpu_gb", 0.0), peak_gpu_memory_gb())
    result["cores"] = os.cpu_count()
    print(json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in result.items()}), flush=True)
