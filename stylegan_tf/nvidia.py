"""Information from the NVIDIA driver about the GPUs of this machine and the processes that use their memory, without TensorFlow."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stylegan_tf.display import visible

_WSL_FOLDER = "/usr/lib/wsl/lib"  # of the driver's programs in the Linux of Windows, which is not always in PATH
_KERNEL_MODULE = Path("/proc/driver/nvidia/version")
_TIMEOUT_SEC = 20


@dataclass(frozen=True)
class Card:
    """One GPU."""

    name: str  # such as "NVIDIA H100 80GB HBM3"
    capability: tuple[int, int]  # compute capability, (major, minor)
    memory_gb: float  # memory_gb, used_gb: all of its memory, and what all programs hold of it, 1e9 bytes
    used_gb: float

    def __str__(self) -> str:
        major, minor = self.capability
        return f"{self.name}, compute capability {major}.{minor}, {self.memory_gb:.1f} GB, of which {self.used_gb:.1f} GB are in use"


@dataclass(frozen=True)
class Driver:
    """The driver of this machine."""

    version: str  # such as "580.65.06"; "" where it is unknown
    cards: tuple[Card, ...]  # all GPUs, in the driver's order
    problem: str = ""  # why the cards could not be listed; "" where they could


def read_driver() -> Driver | None:
    """The driver and its GPUs; None on a machine without an NVIDIA driver."""
    program = _program()
    module = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", _KERNEL_MODULE.read_text(errors="replace")) if _KERNEL_MODULE.exists() else None
    if program is None and module is None:
        return None
    version = module[0] if module else ""
    if program is None:
        return Driver(version, (), "the program nvidia-smi is missing")
    rows, problem = _query(program, "gpu", "driver_version,name,compute_cap,memory.total,memory.used")
    cards = tuple(card for card in map(_card, rows) if card is not None)
    if not cards:
        return Driver(version, (), problem or "nvidia-smi lists no GPU")
    return Driver(rows[0][0], cards)


def other_programs() -> list[str]:
    """Programs besides this one that hold memory of a GPU, such as "python3 (pid 4321) 20.1 GB"; empty where that is unknown."""
    program = _program()
    rows = _query(program, "compute-apps", "pid,process_name,used_memory")[0] if program else []
    if str(os.getpid()) not in {row[0] for row in rows}:  # a container's own numbers: this process could be any of them
        return []
    megabytes = {(pid, name): used for pid, name, used in rows if pid != str(os.getpid()) and used.isdecimal()}
    return [f"{Path(name).name} (pid {pid}) {int(used) * 2**20 / 1e9:.1f} GB" for (pid, name), used in megabytes.items()]


def _program() -> str | None:
    return shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path=_WSL_FOLDER)


def _query(program: str, what: str, columns: str) -> tuple[list[list[str]], str]:
    """Rows of a table of nvidia-smi that have all columns, and its message where there are none."""
    command = [program, f"--query-{what}={columns}", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_SEC, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], f"nvidia-smi does not answer ({type(error).__name__})"
    rows = [[visible(cell.strip()) for cell in line.split(",")] for line in found.stdout.splitlines()]
    rows = [row for row in rows if len(row) == columns.count(",") + 1]
    return rows, "" if rows else visible((found.stdout + found.stderr).strip().partition("\n")[0])[:200]


def _card(row: list[str]) -> Card | None:
    _, name, capability, total, used = row
    if not re.fullmatch(r"\d+\.\d+", capability) or not total.isdecimal() or not used.isdecimal():
        return None
    major, minor = map(int, capability.split("."))
    return Card(name, (major, minor), int(total) * 2**20 / 1e9, int(used) * 2**20 / 1e9)
