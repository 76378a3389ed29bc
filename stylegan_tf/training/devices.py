"""Which devices a run uses, and in what precision: strategy, policy, determinism, memory."""

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from stylegan_tf.errors import UserError
from stylegan_tf.settings import RunSettings


@dataclass(frozen=True)
class Devices:
    """What a run computes on.

    Attributes:
        strategy: the tf.distribute strategy, also where there is one device only.
        num_devices: replicas over all machines.
        num_workers: machines (processes) that train together.
        policy: Keras dtype policy of the networks: float32, mixed_bfloat16 or mixed_float16.
        is_chief: this process writes the run folder (the first one where several machines train together).
        description: for the log, such as "2 GPUs (NVIDIA H100), mixed_bfloat16".
    """

    strategy: tf.distribute.Strategy
    num_devices: int
    num_workers: int
    policy: str
    is_chief: bool
    description: str


def open_devices(settings: RunSettings) -> Devices:
    """Picks all visible GPUs (or the number asked for), the CPU where there is none, or the machines that TF_CONFIG names.

    Must run before anything else uses TensorFlow: it sets seeds, determinism and memory growth.

    Raises:
        UserError: more GPUs asked for than there are, or a TF_CONFIG that cannot be read.
    """
    if settings.is_deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(settings.seed)
    cluster = _cluster()
    num_workers = 1 if cluster is None else _num_workers(cluster)
    gpus = _visible_gpus(settings.num_gpus)
    strategy = _strategy(cluster, gpus, settings.num_gpus)
    policy = resolve_precision(settings.precision, [_details(gpu) for gpu in gpus])
    is_chief = cluster is None or (cluster["task"]["type"], cluster["task"]["index"]) in (("chief", 0), ("worker", 0))
    if cluster and "chief" in cluster["cluster"]:
        is_chief = cluster["task"]["type"] == "chief"
    num_devices = strategy.num_replicas_in_sync
    kind = f"GPU ({_details(gpus[0]).get('device_name', 'unknown')})" if gpus else f"CPU ({os.cpu_count()} cores)"
    machines = f" on {num_workers} machines" if num_workers > 1 else ""
    description = f"{num_devices} x {kind}{machines}, {policy}, TensorFlow {tf.__version__}"
    return Devices(strategy, num_devices, num_workers, policy, is_chief, description)


def resolve_precision(precision: str, gpu_details: list[dict], cpu_flags: str | None = None) -> str:
    """What "auto" means here: bfloat16 on Ampere and later GPUs and on CPUs with AMX, float32 elsewhere.

    Args:
        precision: a setting; anything but "auto" is returned as it is.
        gpu_details: one dict a GPU with its `compute_capability` (major, minor); empty for the CPU.
        cpu_flags: flags of the CPU; read from the system where None.
    """
    if precision != "auto":
        return precision
    if gpu_details:
        is_recent = all(details.get("compute_capability", (0, 0))[0] >= 8 for details in gpu_details)
        return "mixed_bfloat16" if is_recent else "float32"
    flags = _cpu_flags() if cpu_flags is None else cpu_flags
    return "mixed_bfloat16" if "amx_bf16" in flags.split() else "float32"


def peak_gpu_memory_gb() -> float:
    """Largest peak of all visible GPUs in GB since the last call, 0 on a CPU."""
    peak = 0.0
    for device in tf.config.list_logical_devices("GPU"):
        name = device.name.removeprefix("/device:")
        peak = max(peak, tf.config.experimental.get_memory_info(name)["peak"] / 1e9)
        tf.config.experimental.reset_memory_stats(name)
    return peak


def _visible_gpus(num_gpus: int | None) -> list:
    """The physical GPUs to use, made visible, with memory that grows as needed."""
    gpus = tf.config.list_physical_devices("GPU")
    if num_gpus is not None and num_gpus > len(gpus) and not _logical_cpus(num_gpus):
        have = f"there are {len(gpus)}" if gpus else "there is none: leave --gpus out to train on the CPU"
        raise UserError(f"--gpus {num_gpus} asks for more GPUs than are visible; {have}.")
    gpus = gpus[: len(gpus) if num_gpus is None else num_gpus]
    tf.config.set_visible_devices(gpus, "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return gpus


def _logical_cpus(num_gpus: int | None) -> list[str]:
    """Names of logical CPU devices, where a test has split the CPU into several and asks for that many."""
    names = [f"CPU:{i}" for i in range(len(tf.config.list_logical_devices("CPU")))] if num_gpus and num_gpus > 1 else []
    return names[:num_gpus] if num_gpus and len(names) >= num_gpus > 1 else []


def _strategy(cluster: dict | None, gpus: list, num_gpus: int | None) -> tf.distribute.Strategy:
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


def _cluster() -> dict | None:
    """TF_CONFIG of a run on several machines, None where there is one."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return None
    try:
        config = json.loads(text)
        workers = _num_workers(config)
        config["task"]["type"], config["task"]["index"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG cannot be read ({error}). Expected such as "
            '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}.'
        ) from error
    return config if workers > 1 else None


def _num_workers(config: dict) -> int:
    return sum(len(config["cluster"].get(kind, [])) for kind in ("chief", "worker"))


def _details(gpu) -> dict:
    return tf.config.experimental.get_device_details(gpu)


def _cpu_flags() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if platform.system() != "Linux" or not cpuinfo.exists():
        return ""
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("flags"):
            return line.partition(":")[2]
    return ""
