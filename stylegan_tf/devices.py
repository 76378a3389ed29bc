"""Which devices TensorFlow finds, why it does not see a GPU of the machine, and what the settings "auto" choose on them.

python -m stylegan_tf.devices
"""

import ctypes
import importlib.util
import os
import platform
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from stylegan_tf import command_line, nvidia
from stylegan_tf.argument_parser import Parser
from stylegan_tf.display import say
from stylegan_tf.settings import RunSettings

Capability = tuple[int, int]
Compilation = Literal["off", "foreground", "background"]

PIP = f"{shlex.quote(sys.executable)} -m pip"  # of this environment: `pip` alone may be that of another one
INSTALL = f'{PIP} install "tensorflow[and-cuda]>=2.20,<2.22"'
LEAST_DRIVER = 525  # CUDA 12's
LEAST_CAPABILITY = (6, 0)  # of the kernels in TensorFlow 2.21
# XLA needs 7.0 for its code of matrix products. TensorFlow 2.21 makes PTX 8.5, which has no instructions for 10.0 and later: the
# process would end with an error of LLVM (tensorflow #111958).
XLA_FROM, XLA_BELOW = (7, 0), (10, 0)
# Libraries of CUDA 12 without which TensorFlow 2.21 ignores all GPUs, with the package of each.
LIBRARIES = {
    "libcudart.so.12": "nvidia-cuda-runtime-cu12",
    "libcublas.so.12": "nvidia-cublas-cu12",
    "libcublasLt.so.12": "nvidia-cublas-cu12",
    "libcufft.so.11": "nvidia-cufft-cu12",
    "libcusolver.so.11": "nvidia-cusolver-cu12",
    "libcusparse.so.12": "nvidia-cusparse-cu12",
    "libcudnn.so.9": "nvidia-cudnn-cu12",
}


def resolve_precision(precision: str, capabilities: Sequence[Capability], cpu_flags: str | None = None) -> str:
    """The Keras policy of a precision. "auto" is bfloat16 on Ampere and later GPUs and on CPUs with AMX, float32 elsewhere.

    Args:
        precision: a setting; anything but "auto" is returned as it is.
        capabilities: of the GPUs in use; empty for the CPU.
        cpu_flags: flags of the CPU; None reads them from the system.
    """
    if precision != "auto":
        return precision
    if capabilities:
        return "mixed_bfloat16" if min(capabilities) >= (8, 0) else "float32"
    flags = _cpu_flags() if cpu_flags is None else cpu_flags
    return "mixed_bfloat16" if "amx_bf16" in flags.split() else "float32"


def resolve_xla(settings: RunSettings, capabilities: Sequence[Capability]) -> Compilation:
    """How the steps of a run are compiled with XLA.

    Args:
        capabilities: of the GPUs in use; empty for the CPU.

    Returns:
        "off"; "foreground": training waits until a stage is compiled; or "background": a stage begins without XLA and changes to
        compiled steps as soon as there are some. The iteration at which it changes depends on the clock, so a deterministic run
        waits. So do several devices, whose replicas are traced in threads of TensorFlow's own.
    """
    if settings.xla != "auto":
        return "foreground" if settings.xla == "on" else "off"
    if not capabilities or not all(XLA_FROM <= capability < XLA_BELOW for capability in capabilities):
        return "off"
    return "foreground" if settings.is_deterministic or len(capabilities) > 1 else "background"


def used_cards(driver: nvidia.Driver | None, capabilities: Sequence[Capability]) -> list[nvidia.Card]:
    """The driver's cards of the compute capabilities in use: `CUDA_VISIBLE_DEVICES` and `--gpus` can leave others out."""
    return [card for card in driver.cards if card.capability in capabilities] if driver else []


def notes(cards: Sequence[nvidia.Card]) -> list[str]:
    """What limits these GPUs, for each type of card."""
    found = {card.name: card.capability for card in cards}
    return [f"XLA of TensorFlow 2.21 has no code for {name} (compute capability {major}.{minor}; tensorflow #111958): run.xla=auto is off. "
            "TensorFlow has no compiled kernels for it either: the driver compiles them at the first start, which can take half an hour."
            for name, (major, minor) in found.items() if (major, minor) >= XLA_BELOW]  # fmt: skip


def unseen_gpu(
    driver: nvidia.Driver | None,
    build: Mapping[str, object],
    *,
    environment: Mapping[str, str] = os.environ,
    system: str = platform.system(),
    missing: Callable[[], Sequence[str]] | None = None,
) -> str | None:
    """Why TensorFlow finds no GPU although the machine has one, and what to do about it.

    Args:
        build: `tf.sysconfig.get_build_info()`.
        system: as `platform.system()` names it.
        missing: returns the names of libraries that cannot be loaded; None for `missing_libraries`.

    Returns:
        Sentences for the user; None on a machine without an NVIDIA driver.
    """
    if driver is None:
        return None
    cards = ", ".join(card.name for card in driver.cards) or "an NVIDIA driver"
    reason = _reason(driver, build, environment, system, missing or missing_libraries)
    return f"This machine has {cards}, but TensorFlow finds no GPU: {reason}"


def _reason(driver, build, environment, system, missing) -> str:
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1", "NoDevFiles"):
        return f"CUDA_VISIBLE_DEVICES={hidden} hides all GPUs. Try: unset CUDA_VISIBLE_DEVICES"
    if system == "Windows":
        return "TensorFlow has no GPU support on Windows. Use Ubuntu in WSL 2 (docs/gpus.md)."
    if not build.get("is_cuda_build"):
        if platform.machine().lower() not in ("x86_64", "amd64"):
            return "TensorFlow from PyPI is built for CPUs only on this kind of processor (GPUs need x86-64)."
        return f"this TensorFlow is built for CPUs only. Try: {PIP} uninstall -y tensorflow tensorflow-cpu tensorflow-intel && {INSTALL}"
    if driver.problem:
        mended = "Restart the machine after an update of the driver, or install the driver again. In a container: docker run --gpus all"
        return f"{driver.problem.rstrip('.')}. {mended}"
    if driver.version and int(driver.version.partition(".")[0]) < LEAST_DRIVER:
        return f"the driver {driver.version} is too old; CUDA 12 needs {LEAST_DRIVER} or later. Update the NVIDIA driver."
    if driver.cards and max(card.capability for card in driver.cards) < LEAST_CAPABILITY:
        return "TensorFlow 2.21 has kernels for compute capability 6.0 and later (GeForce GTX 10 and Tesla P100 on) only."
    names = missing()
    if names:
        return f"libraries of CUDA 12 are missing ({', '.join(names)}). Try: {INSTALL}"
    if hidden is not None:
        return f"CUDA_VISIBLE_DEVICES={hidden} may name none of them. Try: unset CUDA_VISIBLE_DEVICES"
    return (
        "the reason is not known. To print TensorFlow's own messages: "
        f"TF_CPP_MIN_LOG_LEVEL=0 {shlex.quote(sys.executable)} -c \"import tensorflow as tf; tf.config.list_physical_devices('GPU')\""
    )


def missing_libraries() -> list[str]:
    """Libraries of CUDA that are neither in the packages of pip beside TensorFlow nor in the search path of the system's loader."""
    package = importlib.util.find_spec("nvidia")
    folders = [Path(place) for place in package.submodule_search_locations or ()] if package else []
    return [name for name in LIBRARIES if not any(any(folder.glob(f"*/lib/{name}")) for folder in folders) and not _can_load(name)]


def visible_capabilities() -> list[Capability]:
    """Compute capabilities of the GPUs that TensorFlow uses."""
    import tensorflow as tf

    details = map(tf.config.experimental.get_device_details, tf.config.get_visible_devices("GPU"))
    return [detail.get("compute_capability", (0, 0)) for detail in details]


def describe() -> list[str]:
    """Devices, driver, libraries, and what `run.precision=auto` and `run.xla=auto` choose, as lines of text."""
    command_line.import_tensorflow()
    import tensorflow as tf

    build, driver = tf.sysconfig.get_build_info(), nvidia.read_driver()
    cuda = f"CUDA {build['cuda_version']}, cuDNN {build['cudnn_version']}" if build.get("is_cuda_build") else "built for CPUs only"
    capabilities, missing = visible_capabilities(), missing_libraries() if driver else []
    lines = [
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores"),
        ("TensorFlow", f"{tf.__version__}, {cuda}"),
        ("kernels for", ", ".join(map(str, build.get("cuda_compute_capabilities", ()))) or "CPUs"),
        ("driver", driver.version or driver.problem if driver else "no NVIDIA driver found"),
        *((f"GPU {number}", str(card)) for number, card in enumerate(driver.cards if driver else ())),
        ("CUDA libraries", f"missing: {', '.join(missing)}" if missing else "all found" if driver else "not needed"),
        ("TensorFlow uses", f"{len(capabilities)} GPU{'' if len(capabilities) == 1 else 's'}" if capabilities else "the CPU"),
        ("run.precision", f"auto is {resolve_precision('auto', capabilities)}"),
        ("run.xla", f"auto is {'off' if resolve_xla(RunSettings(), capabilities) == 'off' else 'on'}"),
    ]
    remarks = notes(used_cards(driver, capabilities))
    remarks += [reason for reason in [unseen_gpu(driver, build)] if reason and not capabilities]
    return [*(f"{name:<16} {value}" for name, value in lines), *remarks]


def _main(arguments: Sequence[str]) -> None:
    description = "Prints which GPUs TensorFlow uses, and why not if it uses none."
    Parser(prog="python -m stylegan_tf.devices", description=description).parse_args(arguments)
    say(*describe())


def _can_load(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _cpu_flags() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if platform.system() != "Linux" or not cpuinfo.exists():
        return ""
    found = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return found[1] if found else ""


if __name__ == "__main__":
    sys.exit(command_line.run(_main))
