"""What `auto` chooses on which devices, and why TensorFlow does not see a GPU, for machines that are simulated."""

import platform
import shlex
import sys

import pytest

from stylegan_tf import devices, nvidia
from stylegan_tf.settings import RunSettings

PASCAL, VOLTA, TURING, AMPERE, HOPPER, BLACKWELL, RTX_50 = (6, 1), (7, 0), (7, 5), (8, 0), (9, 0), (10, 0), (12, 0)


@pytest.mark.parametrize(
    ("capabilities", "cpu_flags", "policy"),
    [
        ([AMPERE], "", "mixed_bfloat16"),
        ([AMPERE, TURING], "", "float32"),  # the oldest GPU decides
        ([(0, 0)], "amx_bf16", "float32"),  # the CPU's flags do not matter where a GPU computes
        ([], "avx2 amx_bf16 avx512f", "mixed_bfloat16"),
        ([], "avx2 avx512_bf16", "float32"),
    ],
)
def test_auto_precision(capabilities, cpu_flags, policy):
    assert devices.resolve_precision("auto", capabilities, cpu_flags) == policy


def test_a_requested_precision_is_used():
    assert devices.resolve_precision("mixed_float16", [], "") == "mixed_float16"


@pytest.mark.parametrize(
    ("xla", "capabilities", "is_deterministic", "chosen"),
    [
        ("auto", [], False, "off"),  # CPUs compile for minutes and gain nothing
        ("auto", [PASCAL], False, "off"),
        ("auto", [VOLTA], False, "background"),
        ("auto", [HOPPER], False, "background"),
        ("auto", [HOPPER], True, "foreground"),  # the change to compiled steps would depend on the clock
        ("auto", [AMPERE, AMPERE], False, "foreground"),
        ("auto", [HOPPER, PASCAL], False, "off"),
        ("auto", [BLACKWELL], False, "off"),  # tensorflow #111958
        ("auto", [RTX_50], False, "off"),
        ("on", [RTX_50], False, "foreground"),
        ("on", [], False, "foreground"),
        ("off", [HOPPER], False, "off"),
    ],
)
def test_where_xla_is_used(xla, capabilities, is_deterministic, chosen):
    assert devices.resolve_xla(RunSettings(xla=xla, is_deterministic=is_deterministic), capabilities) == chosen


PIP = f"{shlex.quote(sys.executable)} -m pip"  # of the environment in use, active or not
CUDA, CPU_BUILD = {"is_cuda_build": True}, {"is_cuda_build": False}
CARD = nvidia.Card("NVIDIA L4", (8, 9), 24.0, 1.0)
SEEN = nvidia.Driver("580.65.06", (CARD,))


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"environment": {"CUDA_VISIBLE_DEVICES": ""}}, "CUDA_VISIBLE_DEVICES= hides all GPUs. Try: unset CUDA_VISIBLE_DEVICES"),
        ({"environment": {"CUDA_VISIBLE_DEVICES": "-1"}}, "CUDA_VISIBLE_DEVICES=-1 hides all GPUs"),
        ({"environment": {"CUDA_VISIBLE_DEVICES": "3"}}, "CUDA_VISIBLE_DEVICES=3 may name none of them"),
        ({"system": "Windows", "build": CPU_BUILD}, "Use Ubuntu in WSL 2"),
        ({"build": CPU_BUILD}, f"built for CPUs only. Try: {PIP} uninstall -y tensorflow tensorflow-cpu tensorflow-intel && {PIP} install"),
        ({"driver": nvidia.Driver("470.256.02", (CARD,))}, "the driver 470.256.02 is too old; CUDA 12 needs 525 or later"),
        ({"driver": nvidia.Driver("580.1", (), "Failed to initialize NVML.")}, "Failed to initialize NVML. Restart the machine"),
        ({"driver": nvidia.Driver("580.1", (), "the program nvidia-smi is missing")}, "is missing. Restart the machine"),
        ({"driver": nvidia.Driver("580.1", (), "the program nvidia-smi is missing")}, "In a container: docker run --gpus all"),
        ({"driver": nvidia.Driver("580.1", (nvidia.Card("Tesla M40", (5, 2), 12.0, 0.0),))}, "compute capability 6.0 and later"),
        ({"missing": lambda: ["libcudnn.so.9"]}, f"libraries of CUDA 12 are missing (libcudnn.so.9). Try: {devices.INSTALL}"),
        ({}, "the reason is not known. To print TensorFlow's own messages: TF_CPP_MIN_LOG_LEVEL=0"),
    ],
)  # fmt: skip
def test_why_a_gpu_is_not_seen(case, reason):
    machine = {"driver": SEEN, "build": CUDA, "environment": {}, "system": "Linux", "missing": list, **case}
    told = devices.unseen_gpu(machine.pop("driver"), machine.pop("build"), **machine)
    assert told.startswith("This machine has ")
    assert reason in told


def test_no_command_where_tensorflow_is_built_for_cpus_only(monkeypatch):
    """Installing it again would change nothing on ARM."""
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert devices.unseen_gpu(SEEN, CPU_BUILD, environment={}, system="Linux").endswith("(GPUs need x86-64).")


def test_a_machine_without_a_driver_gets_no_message():
    assert devices.unseen_gpu(None, CUDA) is None


def test_cards_that_xla_has_no_code_for_are_named():
    new = nvidia.Card("NVIDIA GeForce RTX 5090", RTX_50, 34.2, 0.5)
    (note,) = devices.notes([new, new, CARD])
    assert "no code for NVIDIA GeForce RTX 5090 (compute capability 12.0; tensorflow #111958): run.xla=auto is off." in note
    assert "the driver compiles them at the first start, which can take half an hour" in note


def test_cards_that_are_not_in_use_are_not_remarked_on(monkeypatch):
    new = nvidia.Card("NVIDIA GeForce RTX 5090", RTX_50, 34.2, 0.5)
    both = nvidia.Driver("580.65.06", (CARD, new))
    assert devices.used_cards(both, [CARD.capability]) == [CARD]
    assert devices.used_cards(both, []) == devices.used_cards(None, [HOPPER]) == []
    monkeypatch.setattr(nvidia, "read_driver", lambda: both)
    monkeypatch.setattr(devices, "missing_libraries", list)
    for seen, last in {CARD.capability: "run.xla          auto is on", RTX_50: devices.notes([new])[0]}.items():
        monkeypatch.setattr(devices, "visible_capabilities", lambda seen=seen: [seen])
        assert devices.describe()[-1] == last


def test_the_program_lists_what_was_found(monkeypatch):
    monkeypatch.setattr(nvidia, "read_driver", lambda: SEEN)
    monkeypatch.setattr(devices, "visible_capabilities", lambda: [CARD.capability])
    monkeypatch.setattr(devices, "missing_libraries", list)
    lines = devices.describe()
    assert "driver           580.65.06" in lines
    assert "GPU 0            NVIDIA L4, compute capability 8.9, 24.0 GB, of which 1.0 GB are in use" in lines
    assert "CUDA libraries   all found" in lines
    assert lines[-3:] == ["TensorFlow uses  1 GPU", "run.precision    auto is mixed_bfloat16", "run.xla          auto is on"]


def test_the_program_on_a_machine_without_a_gpu(monkeypatch):
    monkeypatch.setattr(nvidia, "read_driver", lambda: None)
    monkeypatch.setattr(devices, "visible_capabilities", list)
    lines = devices.describe()
    assert lines[3:6] == ["driver           no NVIDIA driver found", "CUDA libraries   not needed", "TensorFlow uses  the CPU"]
    assert lines[-1] == "run.xla          auto is off"
