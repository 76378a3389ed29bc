"""Profiles of TensorFlow: written for one run, read, and summed by operation (CPU) or by kernel and class of kernels (GPU)."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

# Classes of CUDA kernels by their names, the first that fits: of cuDNN, cuBLAS, TensorFlow's and XLA's own.
KERNELS = {
    "copies": r"memcpy|memset",
    "reductions": r"reduc|biasgrad|cub::|welford",
    "convolutions and products": r"conv|gemm|wgrad|dgrad|xmma|cutlass|nvjet|winograd|cudnn",
    "moves": r"transpose|swapdimension|pad|concat|split|slice|tile|gather|pooling",
    "random numbers": r"random|philox|rng",
}
REST = "elementwise"


def write(run: Callable[[], object], folder: str) -> tuple[XSpace, Path]:
    """Profiles one run; returns what was recorded and the folder it is in."""
    with tf.profiler.experimental.Profile(folder):
        run()
    newest = max(Path(folder).rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
    return XSpace.FromString(newest.read_bytes()), newest.parent


def operations(space: XSpace) -> Counter[str]:
    """Milliseconds of TensorFlow's operations on the host by type; several may run at once."""
    totals: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name, _, operation = plane.event_metadata[event.metadata_id].name.rpartition(":")
                # "scope/name:Operation"; C++ scopes have two colons, and a traced function holds the others
                if name and not name.endswith(":") and "__inference" not in operation:
                    totals[operation] += event.duration_ps / 1e9
    return totals


def kernels(space: XSpace) -> Counter[str]:
    """Milliseconds of the kernels on all GPUs by name; empty without a GPU. Lines of XLA's and TensorFlow's names repeat them."""
    totals: Counter[str] = Counter()
    for plane in space.planes:
        if plane.name.startswith("/device:GPU"):
            for line in plane.lines:
                if line.name.startswith("Stream"):
                    for event in line.events:
                        totals[plane.event_metadata[event.metadata_id].name] += event.duration_ps / 1e9
    return totals


def by_class(times: Counter[str]) -> Counter[str]:
    """Milliseconds by class of kernels."""
    totals: Counter[str] = Counter()
    for name, milliseconds in times.items():
        totals[next((kind for kind, words in KERNELS.items() if re.search(words, name, re.IGNORECASE)), REST)] += milliseconds
    return totals


def print_profile(run: Callable[[], object], folder: str, count: int = 10) -> None:
    """Profiles one run, and prints what it spends most time in."""
    space, place = write(run, folder)
    on_gpu = kernels(space)
    print(f"Profile in {place}.")
    if on_gpu:
        _print(by_class(on_gpu), len(KERNELS) + 1)
    _print(on_gpu or operations(space), count)


def _print(totals: Counter[str], count: int) -> None:
    everything = sum(totals.values())
    for name, milliseconds in totals.most_common(count):
        print(f"{name[:60]:60s} {milliseconds:10.1f} ms {100 * milliseconds / everything:5.1f} %")
