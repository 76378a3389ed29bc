"""The dry run: parameters, memory and time of a run, estimated without training."""

import functools
import math
import time
from collections.abc import Callable

import tensorflow as tf

from stylegan_tf import models
from stylegan_tf.data import Dataset
from stylegan_tf.models.weights import weight_shapes
from stylegan_tf.progress_bar import format_sec
from stylegan_tf.settings import NetworkSettings, TrainingSettings
from stylegan_tf.training.devices import open_devices
from stylegan_tf.training.schedule import TrainingSchedule

# Cost of an iteration relative to a forward pass of G and D: a step of D with R1 and a step of G, forward and backward.
# 276 GFLOP per image at 64x64 and full width, counted by hand, over 36.7 GFLOP forward.
STEP_FACTOR = 7.5
# Speed of a whole step relative to that of its largest convolution (2 cores: 0.76 images/s at 0.25 TFLOP/s).
EFFICIENCY = 0.8
# Copies of the activations of an image in memory at the peak of a step of D with R1 (fitted to 3.6 GB at 64x64, batch 8).
ACTIVATION_COPIES = 12
BENCHMARK_SEC = 0.5


def describe(settings: TrainingSettings, dataset: Dataset) -> str:
    """Parameters, memory and time of a run on the devices of this machine, as text."""
    devices = open_devices(settings.run)
    resolution = settings.data.resolution
    counts = count_weights(settings, dataset)
    speed = measured_flops(settings, resolution, devices.policy) * EFFICIENCY * devices.num_devices
    schedule = TrainingSchedule(settings.schedule, resolution, devices.num_devices)
    all_weights, moments = sum(counts.values()), 2 * (counts["G"] + counts["D"])
    lines = [
        f"devices           {devices.description}",
        f"dataset           {dataset.path}: {dataset.num_images} images {dataset.resolution}x{dataset.resolution}x{dataset.channels}",
        f"parameters        G {counts['G']:,}  D {counts['D']:,}",
        f"on disk           {4 * all_weights / 1e6:.0f} MB per snapshot, {4 * (all_weights + moments) / 1e6:.0f} MB per state",
    ]
    total_sec = 0.0
    peak_gb = 0.0
    for size, kimg in kimg_by_resolution(schedule, settings.schedule.total_kimg):
        stage_sec = kimg * 1000 * STEP_FACTOR * forward_flops(settings, size) / speed
        minibatch, limit = schedule.minibatch_at(size)
        part = min(-(-minibatch // devices.num_devices), limit or minibatch)
        memory_gb = memory_bytes(settings, size, part, counts, devices.policy) / 1e9
        lines.append(
            f"{size:>4}x{size:<12} {kimg:g} kimg, minibatch {minibatch} ({part} at once on a device), "
            f"about {memory_gb:.1f} GB per device, about {format_sec(stage_sec)}"
        )
        total_sec += stage_sec
        peak_gb = max(peak_gb, memory_gb)
    lines.append(f"total             about {format_sec(total_sec)}, about {peak_gb:.1f} GB per device. Estimates, within a factor of 2.")
    return "\n".join(lines)


def count_weights(settings: TrainingSettings, dataset: Dataset) -> dict[str, int]:
    """Number of trained weights of G, D and G_ema."""
    model = models.find(settings.model)
    label_size = dataset.label_size if settings.data.conditional else 0
    shape = {"resolution": settings.data.resolution, "channels": dataset.channels, "label_size": label_size}
    count_G, count_D = (
        sum(math.prod(weight) for weight in weight_shapes(make, only_trainable=True).values())
        for make in (lambda: model.Generator(settings.G, **shape), lambda: model.Discriminator(settings.D, **shape))
    )
    return {"G": count_G, "D": count_D, "G_ema": count_G}


def kimg_by_resolution(schedule: TrainingSchedule, total_kimg: float) -> list[tuple[int, float]]:
    """The resolutions of a run and the kimg of each, fading in included."""
    resolution = schedule.settings.start_resolution
    spent = []
    left = total_kimg
    fade_kimg = 0.0
    while resolution < schedule.resolution:
        steady_kimg, next_fade_kimg = schedule.durations(resolution)
        spent.append((resolution, min(fade_kimg + steady_kimg, left)))
        left -= spent[-1][1]
        fade_kimg = next_fade_kimg
        resolution *= 2
    return [(size, kimg) for size, kimg in [*spent, (resolution, left)] if kimg > 0]


def forward_flops(settings: TrainingSettings, resolution: int) -> float:
    """Floating-point operations of a forward pass of G and D for one image, without the mapping and 1x1 convolutions."""
    return 2.0 * sum(_multiplications(_feature_maps(settings, network), resolution) for network in (settings.G, settings.D))


def _multiplications(feature_maps: Callable[[int], int], resolution: int) -> float:
    total = 16.0 * 9 * feature_maps(4) ** 2
    size = 8
    while size <= resolution:
        fine, coarse = feature_maps(size), feature_maps(size // 2)
        # One 3x3 convolution at this size, and one that changes the size (fused: 16 taps at the smaller side).
        total += size**2 * 9.0 * fine * fine + (size // 2) ** 2 * 16.0 * fine * coarse
        size *= 2
    return total


def memory_bytes(settings: TrainingSettings, resolution: int, part: int, counts: dict[str, int], policy: str) -> float:
    """Memory of a device in bytes: weights, averages, gradients and moments in float32, and the activations of `part` images.

    Args:
        settings: of the run.
        resolution: of the images being trained.
        part: images that a device computes at once.
        counts: returned by `count_weights`.
        policy: Keras dtype policy.
    """
    networks = [_feature_maps(settings, network) for network in (settings.G, settings.D)]
    activations = 0.0
    size = 4
    while size <= resolution:
        activations += 2.0 * size**2 * sum(feature_maps(size) for feature_maps in networks)
        size *= 2
    bytes_each = 4 if policy == "float32" else 2
    weights = 4.0 * (4 * counts["G"] + 4 * counts["D"] + counts["G_ema"])
    return weights + ACTIVATION_COPIES * activations * part * bytes_each + 0.5e9


def measured_flops(settings: TrainingSettings, resolution: int, policy: str) -> float:
    """Floating-point operations per second of this device in a convolution of the run, measured for half a second."""
    width = _feature_maps(settings, settings.D)(resolution)
    dtype = {"mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}.get(policy, tf.float32)
    batch = max(1, min(8, 2**22 // (resolution**2 * width)))
    images = tf.zeros([batch, resolution, resolution, width], dtype)
    kernel = tf.zeros([3, 3, width, width], dtype)
    convolve = tf.function(lambda x: tf.reduce_sum(tf.nn.conv2d(x, kernel, 1, "SAME")), autograph=False)
    float(convolve(images))
    start, runs = time.perf_counter(), 0
    while time.perf_counter() - start < BENCHMARK_SEC:
        float(convolve(images))
        runs += 1
    return 2.0 * 9 * resolution**2 * width**2 * batch * runs / (time.perf_counter() - start)


def _feature_maps(settings: TrainingSettings, network: NetworkSettings) -> Callable[[int], int]:
    """A function from side to number of feature maps, for a network of the run."""
    return functools.partial(models.find(settings.model).feature_maps, network, resolution=settings.data.resolution or 1024)
