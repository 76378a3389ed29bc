"""What is read from the driver of NVIDIA, with programs in the place of nvidia-smi."""

import os

import pytest

from stylegan_tf import nvidia


@pytest.fixture(name="nvidia_smi")
def program_in_its_place(tmp_path, monkeypatch):
    """A function that puts a shell script in the place of nvidia-smi."""

    def make(script):
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return make


@pytest.fixture(autouse=True)
def no_driver_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(nvidia, "_KERNEL_MODULE", tmp_path / "version")


def test_driver_and_cards(nvidia_smi):
    nvidia_smi("""echo '580.65.06, NVIDIA H200, 9.0, 143771, 512'
echo '580.65.06, NVIDIA GeForce RTX 5090, 12.0, 32607, 0'""")
    driver = nvidia.read_driver()
    assert (driver.version, driver.problem) == ("580.65.06", "")
    assert driver.cards[0] == nvidia.Card("NVIDIA H200", (9, 0), pytest.approx(150.75, abs=0.01), pytest.approx(0.537, abs=0.001))
    assert driver.cards[1].capability == (12, 0)


@pytest.mark.parametrize("script", ["echo 'Failed to initialize NVML: Driver/library version mismatch' >&2; exit 18",
                                    "echo 'Failed to initialize NVML: Driver/library version mismatch'"])  # fmt: skip
def test_a_driver_that_does_not_answer(nvidia_smi, script, tmp_path):
    nvidia_smi(script)
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build")
    assert nvidia.read_driver() == nvidia.Driver("575.57.08", (), "Failed to initialize NVML: Driver/library version mismatch")


def test_answers_that_are_not_understood_are_no_cards(nvidia_smi):
    nvidia_smi("echo '580.1, Card, [N/A], lots, 0'; echo 'surprise'")
    assert nvidia.read_driver().cards == ()


def test_no_driver(monkeypatch):
    monkeypatch.setattr(nvidia.shutil, "which", lambda *_, **__: None)
    assert nvidia.read_driver() is None
    assert nvidia.other_programs() == []


def test_programs_that_hold_memory(nvidia_smi):
    nvidia_smi(f"echo '{os.getpid()}, python3, 4000'; echo '77, /usr/bin/blender, 20000'; echo '78, Xorg, [N/A]'")
    assert nvidia.other_programs() == ["blender (pid 77) 21.0 GB"]
    nvidia_smi("echo '77, /usr/bin/blender, 20000'")  # as in a container, where the numbers of processes are others
    assert nvidia.other_programs() == []
