"""Timing shared by the benchmarks: warm-up, repetitions, and the JSON line that they print."""

import json
import os
import resource
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import tensorflow as tf


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


def print_profile(run: Callable[[], object], folder: str, count: int = 10) -> None:
    """Writes a TensorFlow profile of one run, and prints the operations that it spends most time in."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tf.profiler.experimental.Profile(folder):
        run()
    newest = max(Path(folder).rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
    space = xplane_pb2.XSpace.FromString(newest.read_bytes())
    totals: Counter = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name, _, operation = plane.event_metadata[event.metadata_id].name.rpartition(":")
                is_operation = name and not name.endswith(":") and "__inference" not in operation
                if is_operation:  # "scope/name:Operation"; C++ scopes have two colons, and a traced function holds the others
                    totals[operation] += event.duration_ps / 1e9
    everything = sum(totals.values())
    print(f"Profile in {newest.parent}. Operations, several of which may run at once:")
    for operation, milliseconds in totals.most_common(count):
        print(f"{operation:44s} {milliseconds:10.1f} ms {100 * milliseconds / everything:5.1f} %")


def print_result(result: dict) -> None:
    """Prints one JSON line with the process's peak memory in it."""
    result["peak_rss_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    result["cores"] = os.cpu_count()
    print(json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in result.items()}))
