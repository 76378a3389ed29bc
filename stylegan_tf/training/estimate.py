"""The dry run: parameters, memory and time of a run, estimated without training."""

import functools
import math
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from stylegan_tf import models, settings_text
from stylegan_tf.data import Dataset
from stylegan_tf.errors import UserError
from stylegan_tf.loading import runs
from stylegan_tf.models.weights import weight_shapes
from stylegan_tf.progress_bar import format_sec
from stylegan_tf.settings import NetworkSettings, TrainingSettings
from stylegan_tf.training import config_file, forecast, records
from stylegan_tf.training.devices import Devices
from stylegan_tf.training.forecast import Cost
from stylegan_tf.training.schedule import TrainingSchedule

# Cost of an iteration relative to a forward pass of G and D: a step of D with R1 and a step of G, forward and backward.
# 276 GFLOP per image at 64x64 and full width, counted by hand, over 36.7 GFLOP forward.
STEP_FACTOR = 7.5
R1_FACTOR = 2.0  # its part of R1: the gradient by the images, and the derivatives of its square (counted likewise)
# Time of an iteration with R1 that does not depend on its images: hundreds of small operations (demo: 2.0 of 2.9 s per kimg at 8x8;
# digits-cgan, dense networks without R1, minibatch 100: 16 ms in all on two busy cores).
ITERATION_SEC = 0.020
# Nominal speeds of a whole step, FLOP/s: the demo's on two CPU cores at every resolution, and about a tenth of an A100's peak.
CPU_FLOPS, GPU_FLOPS = 0.10e12, 15e12
# Speed of a whole step relative to that of its convolutions.
EFFICIENCY = 0.8
# The same on GPUs without XLA. On an H200 at 256x256 in bfloat16, where the largest convolution reaches 330 TFLOP/s, a step reaches 66;
# with XLA it reaches 285.
EFFICIENCY_ON_GPUS_WITHOUT_XLA = 0.2
# Copies of the activations of an image in memory at the peak of a step of D with R1 (fitted to 3.6 GB at 64x64, batch 8).
ACTIVATION_COPIES = 12
# Copies of a float32 image that the augmentation before D holds at that peak: what it adds at 128x128, batch 32, on a CPU. By kind, or
# by pipe where it moves or filters images.
AUGMENT_COPIES = {"none": 0, "diffaugment": 16, "ada": 4, "blit": 13, **dict.fromkeys(("geom", "bg", "bgc"), 109),
                  **dict.fromkeys(("bgcf", "bgcfn", "bgcfnc"), 114)}  # fmt: skip
BENCHMARK_SEC, MIN_REPEATS = 0.3, 10  # for each resolution
# A forecast from a few convolutions, and one from ticks of the same networks on the same devices, may be wrong by these factors.
SPREAD_OF_BENCHMARK, SPREAD_OF_RUN = 1.6, 1.25
NUM_RUNS_READ, MIN_TICKS = 20, 3  # newest runs among which one of the same networks is looked for, and its least ticks
LONG_SEC = 86400  # a run that takes longer is pointed to smaller presets


def describe(settings: TrainingSettings, dataset: Dataset, devices: Devices, outdir: str | Path) -> list[str]:
    """Parameters, memory and time of a run on the devices of this machine, as lines.

    Args:
        outdir: folder of earlier runs, whose speed is used if one of them had the same networks and devices.
    """
    resolution = settings.data.resolution
    counts = count_weights(settings, dataset)
    schedule = TrainingSchedule(settings.schedule, resolution, devices.num_devices)
    cost, basis, spread = _known_cost(settings, devices, outdir) or _benchmarked_cost(settings, schedule, devices)
    all_weights, moments = sum(counts.values()), 2 * (counts["G"] + counts["D"])
    lines = [
        f"devices           {devices.description}",
        f"dataset           {dataset.path}: {dataset.num_images} images {dataset.resolution}x{dataset.resolution}x{dataset.channels}",
        f"parameters        G {counts['G']:,}  D {counts['D']:,}",
        f"on disk           {4 * all_weights / 1e6:.0f} MB per snapshot, {4 * (all_weights + moments) / 1e6:.0f} MB per state",
    ]
    peak_gb, fitting = 0.0, {}
    total_kimg = settings.schedule.total_kimg
    parts = forecast.phases(schedule, 0.0, total_kimg)
    for size in dict.fromkeys(part.resolution for part in parts):
        kimg = sum(part.end_kimg - part.start_kimg for part in parts if part.resolution == size)
        sec = sum((part.end_kimg - part.start_kimg) * cost(part.kind) for part in parts if part.resolution == size)
        minibatch, limit = schedule.minibatch_at(size)
        part_size = min(-(-minibatch // devices.num_devices), limit or minibatch)
        memory_gb = memory_bytes(settings, size, part_size, counts, devices.policy) / 1e9
        peak_gb = max(peak_gb, memory_gb)
        if devices.memory_gb is not None and memory_gb > devices.memory_gb:
            fitting[size] = largest_part(settings, size, part_size, min(settings.least_part(minibatch), part_size), counts, devices)
        lines.append(
            f"{f'{size}x{size}':<17} {kimg:g} kimg, minibatch {minibatch} ({part_size} at once on a device), "
            f"about {memory_gb:.1f} GB per device, about {format_sec(sec)}"
        )
    total_sec = sum((part.end_kimg - part.start_kimg) * cost(part.kind) for part in parts)
    total_sec += len(parts) * forecast.TRACE_SEC + forecast.count_ticks(schedule, 0.0, total_kimg) * forecast.TICK_SEC
    lines.append(f"time              {format_sec(total_sec / spread)} to {format_sec(total_sec * spread)}, {basis}")
    lines.append(f"memory            about {peak_gb:.1f} GB per device, within a factor of 2")
    if any(fitting.values()):
        advice = " ".join(f"--set schedule.max_minibatch_per_device_by_resolution.{size}={part}" for size, part in fitting.items() if part)
        lines.append(f"A GPU has only {devices.memory_gb:.1f} GB. Same results with less memory: {advice}")
    if too_large := ", ".join(f"{size}x{size}" for size, part in fitting.items() if not part):
        shorter = "--set run.precision=mixed_float16, " if devices.policy == "float32" else ""
        advice = f"Try {shorter}narrower networks, or a lower --set data.resolution."
        lines.append(f"A GPU of {devices.memory_gb:.1f} GB is too small for {too_large}. {advice}")
    if total_sec > LONG_SEC:
        lines.append(
            "This takes more than a day. Shorter: --total-kimg, a lower --set data.resolution, narrower networks (--preset leaves64 "
            "takes hours on 2 CPU cores, --preset demo minutes), or no --preset: the settings are then chosen for this machine."
        )
    return [*lines, *devices.notes]


def largest_part(settings: TrainingSettings, resolution: int, part: int, least: int, counts: dict[str, int], devices: Devices) -> int:
    """Half of `part`, or a quarter, and so on: what fits into the memory of a GPU; 0 if less than `least` images would."""
    while part >= least and memory_bytes(settings, resolution, part, counts, devices.policy) / 1e9 > devices.memory_gb:
        part //= 2
    return part if part >= least else 0


def expected_cost(settings: TrainingSettings, devices: Devices, outdir: str | Path) -> Cost:
    """Seconds per kimg of each phase, as an earlier run in `outdir` measured them, or the nominal ones."""
    known = _known_cost(settings, devices, outdir)
    return known[0] if known else nominal_cost(settings, devices)


def nominal_cost(settings: TrainingSettings, devices: Devices) -> Cost:
    """Seconds per kimg of each phase of a run, up to the speed of the machine (see `forecast.Forecast`)."""
    flops = GPU_FLOPS if devices.has_gpus else CPU_FLOPS
    return _cost(settings, devices, lambda size: step_factor(settings) * forward_flops(settings, size) / flops)


def _cost(settings: TrainingSettings, devices: Devices, image_sec: Callable[[int], float]) -> Cost:
    """The cost of phases from the time that one image takes on one device, by resolution."""
    schedule = TrainingSchedule(settings.schedule, settings.data.resolution, devices.num_devices)
    iteration_sec = ITERATION_SEC * step_factor(settings) / STEP_FACTOR

    @functools.cache
    def cost(kind: tuple[int, bool]) -> float:
        size, is_fading = kind
        minibatch, limit = schedule.minibatch_at(size)
        on_device = -(-minibatch // devices.num_devices)
        rounds = -(-on_device // min(on_device, limit or on_device))
        sec = rounds * iteration_sec + on_device * image_sec(size)
        return 1000 * sec / minibatch * (forecast.FADING_COST if is_fading else 1.0)

    return cost


def _known_cost(settings: TrainingSettings, devices: Devices, outdir: str | Path) -> tuple[Cost, str, float] | None:
    """The cost that the newest run of the same networks on the same devices measured, what it rests on, and its spread."""
    for path in list(reversed(runs(outdir)))[:NUM_RUNS_READ]:
        try:
            found = config_file.read(path)
        except UserError:
            continue
        if found.devices != devices.description or _cost_settings(found.settings) != _cost_settings(settings):
            continue
        ticks = [record for record in records.read(path) if "tick" in record]
        if len(ticks) < MIN_TICKS:
            continue
        schedule = TrainingSchedule(found.settings.schedule, found.settings.data.resolution, devices.num_devices)
        cost = forecast.measured_cost(schedule, ticks, nominal_cost(settings, devices))
        return cost, f"from the {len(ticks)} ticks of {path}", SPREAD_OF_RUN
    return None


def _cost_settings(settings: TrainingSettings) -> dict[str, object]:
    """What the time of an iteration depends on."""
    plain = settings_text.to_plain(settings)
    schedule, loss = plain["schedule"], plain["loss"]
    names = ("minibatch_base", "minibatch_by_resolution", "max_minibatch_per_device", "max_minibatch_per_device_by_resolution")
    return {
        **{name: plain[name] for name in ("model", "G", "D", "augment")},
        **{name: schedule[name] for name in names},
        **{name: loss[name] for name in ("regulariser", "lazy_interval", "D_steps")},
        "resolution": settings.data.resolution,
    }


def _benchmarked_cost(settings: TrainingSettings, schedule: TrainingSchedule, devices: Devices) -> tuple[Cost, str, float]:
    """The cost from the speed of the run's convolutions on this machine, what it rests on, and its spread."""
    sizes = [2**i for i in range(2, settings.data.resolution.bit_length())]
    efficiency = EFFICIENCY_ON_GPUS_WITHOUT_XLA if devices.has_gpus and devices.xla == "off" else EFFICIENCY
    speeds = {size: measured_flops(settings, size, devices) * efficiency for size in sizes[1:]}
    speeds[4] = speeds.get(8, CPU_FLOPS)

    def image_sec(resolution: int) -> float:
        costs = _flops_by_side(settings, resolution)
        return step_factor(settings) * sum(flops / speeds[side] for side, flops in costs.items())

    has_convolutions = _feature_maps(settings, settings.D)(4) > 0
    source = f"{len(speeds) - 1} convolutions timed on this machine" if has_convolutions else "the usual time of an iteration"
    basis = f"from {source}; earlier runs of these networks would make it more certain"
    return _cost(settings, devices, image_sec), basis, SPREAD_OF_BENCHMARK


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


def step_factor(settings: TrainingSettings) -> float:
    """Cost of an iteration relative to a forward pass of G and D, with the penalties in every `loss.lazy_interval`-th step."""
    share = 1 / settings.loss.lazy_interval if settings.loss.regulariser else 0.0
    return STEP_FACTOR - R1_FACTOR * (1 - share)


def forward_flops(settings: TrainingSettings, resolution: int) -> float:
    """Floating-point operations of a forward pass of G and D for one image, without the mapping and 1x1 convolutions."""
    return sum(_flops_by_side(settings, resolution).values())


def _flops_by_side(settings: TrainingSettings, resolution: int) -> dict[int, float]:
    """The same by the side of the feature maps."""
    flops = dict.fromkeys((2**i for i in range(2, resolution.bit_length())), 0.0)
    for network in (settings.G, settings.D):
        feature_maps = _feature_maps(settings, network)
        flops[4] += 2.0 * 16 * 9 * feature_maps(4) ** 2
        for size in list(flops)[1:]:
            fine, coarse = feature_maps(size), feature_maps(size // 2)
            # One 3x3 convolution at this size, and one that changes the size (fused: 16 taps at the smaller side).
            flops[size] += 2.0 * (size**2 * 9.0 * fine * fine + (size // 2) ** 2 * 16.0 * fine * coarse)
    return flops


def memory_bytes(settings: TrainingSettings, resolution: int, part: int, counts: dict[str, int], policy: str) -> float:
    """Memory of a device in bytes: weights, averages, gradients and moments in float32, and the activations of `part` images.

    Args:
        resolution: of the images being trained.
        part: images that a device computes at once.
        counts: returned by `count_weights`.

    The factors were fitted on a CPU; the peak on a GPU has not been measured.
    """
    networks = [_feature_maps(settings, network) for network in (settings.G, settings.D)]
    activations = 0.0
    size = 4
    while size <= resolution:
        activations += 2.0 * size**2 * sum(feature_maps(size) for feature_maps in networks)
        size *= 2
    bytes_each = 4 if policy == "float32" else 2
    weights = 4.0 * (4 * counts["G"] + 4 * counts["D"] + counts["G_ema"])
    kind, pipe = settings.augment.kind, settings.augment.pipe
    augmented = AUGMENT_COPIES[pipe if kind == "ada" and pipe in AUGMENT_COPIES else kind] * resolution**2 * 3 * 4.0
    return weights + (ACTIVATION_COPIES * activations * bytes_each + augmented) * part + 0.5e9


def measured_flops(settings: TrainingSettings, resolution: int, devices: Devices) -> float:
    """Floating-point operations per second of this device in a convolution of the run: the fastest of those in 0.3 s or more.

    The fastest of ten or more, because other programs only ever slow a convolution down. A GPU computes several before the host waits.
    Dense networks have no convolution: the nominal speed.
    """
    width = _feature_maps(settings, settings.D)(resolution)
    if not width:
        return GPU_FLOPS if devices.has_gpus else CPU_FLOPS
    dtype = {"mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}.get(devices.policy, tf.float32)
    most, pixels, in_flight = (32, 2**27, 10) if devices.has_gpus else (8, 2**22, 1)
    batch = max(1, min(most, pixels // (resolution**2 * width)))
    images = tf.zeros([batch, resolution, resolution, width], dtype)
    kernel = tf.zeros([3, 3, width, width], dtype)
    convolve = tf.function(lambda x: tf.reduce_sum(tf.nn.conv2d(x, kernel, 1, "SAME")), autograph=False)
    float(convolve(images))
    end, times = time.perf_counter() + BENCHMARK_SEC, []
    while len(times) < MIN_REPEATS or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(in_flight):
            last = convolve(images)
        float(last)
        times.append((time.perf_counter() - start) / in_flight)
    return 2.0 * 9 * resolution**2 * width**2 * batch / min(times)


def _feature_maps(settings: TrainingSettings, network: NetworkSettings) -> Callable[[int], int]:
    """A function from side to number of feature maps, for a network of the run."""
    return functools.partial(models.find(settings.model).feature_maps, network, resolution=settings.data.resolution or 1024)
