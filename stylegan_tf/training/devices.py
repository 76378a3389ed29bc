"""The devices of a run: strategy, precision, determinism, memory, and decisions that several machines take together."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from stylegan_tf import devices, nvidia
from stylegan_tf.devices import Compilation
from stylegan_tf.display import say
from stylegan_tf.errors import UserError
from stylegan_tf.settings import RunSettings
from stylegan_tf.training.cluster import Cluster, read_cluster, wait_for_others


@dataclass(frozen=True)
class Devices:
    """What a run computes on."""

    strategy: tf.distribute.Strategy  # the tf.distribute strategy, also for a single device
    num_devices: int  # replicas over all machines
    num_workers: int  # machines (processes) that train together
    policy: str  # Keras dtype policy of the networks: float32, mixed_bfloat16 or mixed_float16
    xla: Compilation  # how the steps are compiled (`devices.resolve_xla`)
    is_chief: bool  # whether this process writes the run folder: the first of several machines does
    description: str  # for the log, such as "2 x GPU (NVIDIA H100), mixed_bfloat16"
    memory_gb: float | None = None  # of the smallest GPU, 1e9 bytes; None on a CPU or where it is unknown
    notes: tuple[str, ...] = ()  # sentences for the user before training: a GPU that is not used, or not fully

    @property
    def has_gpus(self) -> bool:
        """Whether the replicas are on GPUs."""
        return " GPU " in self.description


class Workers:
    """Sums over the workers of a run, so that all of them take the same decisions.

    All workers must call the same methods in the same order.
    """

    def __init__(self, devices: Devices):
        self._strategy = devices.strategy
        self.is_chief = devices.is_chief
        self.is_single = devices.num_workers == 1
        self._replicas_here = devices.num_devices // devices.num_workers

    def sum(self, values: Sequence[float]) -> list[float]:
        """Sums of the values over all workers."""
        if self.is_single:
            return list(values)
        return [float(value) / self._replicas_here for value in self._reduce(tf.constant(list(values), tf.float32))]

    def any(self, is_true: bool, is_at_update: bool) -> bool:
        """Whether the condition is true on any worker. With several workers, False between two updates of the schedule."""
        if self.is_single:
            return is_true
        return is_at_update and self.sum([float(is_true)])[0] > 0

    @tf.function(autograph=False)
    def _reduce(self, values: tf.Tensor) -> tf.Tensor:
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, self._strategy.run(tf.identity, (values,)), axis=None)


def open_devices(settings: RunSettings) -> Devices:
    """Opens all visible GPUs or `num_gpus` of them, the CPU if there is none, on all machines that TF_CONFIG names.

    Must be called before TensorFlow is used otherwise: it sets seeds, determinism and memory growth.

    Raises:
        UserError: more GPUs are requested than there are, TF_CONFIG is not valid, or another machine did not start in time.
    """
    if settings.is_deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(settings.seed)
    cluster = read_cluster(os.environ.get("TF_CONFIG"))
    num_workers = 1 if cluster is None else len(cluster.addresses)
    gpus = _visible_gpus(settings.num_gpus)
    if cluster is not None:
        wait_for_others(cluster, settings.worker_minutes * 60, say)
    strategy = _strategy(cluster, gpus, settings.num_gpus)
    capabilities = devices.visible_capabilities()
    policy, xla = devices.resolve_precision(settings.precision, capabilities), devices.resolve_xla(settings, capabilities)
    xla = "foreground" if xla == "background" and num_workers > 1 else xla
    is_chief = cluster is None or cluster.is_chief
    num_devices = strategy.num_replicas_in_sync
    name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "unknown") if gpus else ""
    kind = f"GPU ({name})" if gpus else f"CPU ({os.cpu_count()} cores)"
    machines = f" on {num_workers} machines" if num_workers > 1 else ""
    compiled = "" if xla == "off" else ", XLA"
    description = f"{num_devices} x {kind}{machines}, {policy}{compiled}, TensorFlow {tf.__version__}"
    driver = None if settings.num_gpus == 0 else nvidia.read_driver()
    cards = devices.used_cards(driver, capabilities)
    notes = devices.notes(cards) if gpus else [note for note in [devices.unseen_gpu(driver, tf.sysconfig.get_build_info())] if note]
    notes += ["Training uses the CPU, some hundred times slower. To use it without this message: --gpus 0"] if notes and not gpus else []
    memory_gb = min((card.memory_gb for card in cards), default=None)
    return Devices(strategy, num_devices, num_workers, policy, xla, is_chief, description, memory_gb, tuple(notes))


def peak_gpu_memory_gb() -> float:
    """Largest peak of all visible GPUs in GB since the last call, 0 on a CPU."""
    peak = 0.0
    for device in tf.config.list_logical_devices("GPU"):
        name = device.name.removeprefix("/device:")
        peak = max(peak, tf.config.experimental.get_memory_info(name)["peak"] / 1e9)
        tf.config.experimental.reset_memory_stats(name)
    return peak


def find_gpus(num_gpus: int | None) -> list[tf.config.PhysicalDevice]:
    """All GPUs that TensorFlow finds, or the first `num_gpus` of them.

    Raises:
        UserError: there are fewer.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if num_gpus is not None and num_gpus > len(gpus) and not _logical_cpus(num_gpus):
        have = f"there are {len(gpus)}" if gpus else "there is none. Omit --gpus to train on the CPU"
        reason = None if gpus else devices.unseen_gpu(nvidia.read_driver(), tf.sysconfig.get_build_info())
        raise UserError(f"--gpus {num_gpus} is more than the number of visible GPUs: {have}.{f' {reason}' if reason else ''}")
    return gpus[:num_gpus]


def _visible_gpus(num_gpus: int | None) -> list[tf.config.PhysicalDevice]:
    """Makes the GPUs to use visible, with memory that grows as needed."""
    gpus = find_gpus(num_gpus)
    with contextlib.suppress(RuntimeError):  # a process that has used its GPUs before, such as a notebook, keeps their settings
        tf.config.set_visible_devices(gpus, "GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    return gpus


def _logical_cpus(num_gpus: int | None) -> list[str]:
    """Names of `num_gpus` logical CPU devices, if a test has split the CPU into so many."""
    names = [f"CPU:{i}" for i in range(len(tf.config.list_logical_devices("CPU")))] if num_gpus and num_gpus > 1 else []
    return names[:num_gpus] if num_gpus and len(names) >= num_gpus > 1 else []


def _strategy(cluster: Cluster | None, gpus: list[tf.config.PhysicalDevice], num_gpus: int | None) -> tf.distribute.Strategy:
    if cluster is not None:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(len(gpus))])
    if gpus:
        return tf.distribute.OneDeviceStrategy("GPU:0")
    logical_cpus = _logical_cpus(num_gpus)
    if logical_cpus:
        return tf.distribute.MirroredStrategy(logical_cpus)
    return tf.distribute.OneDeviceStrategy("CPU:0")
