"""What `make` installs: CUDA's libraries where a driver of NVIDIA is, or as GPU says."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HAS_DRIVER = Path("/proc/driver/nvidia/version").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("options", "has_driver", "extras"),
    [
        (["GPU=1"], False, "[video,gpu]"),
        (["GPU=0"], True, "[video]"),
        ([], True, "[video,gpu]"),
        pytest.param([], False, "[video]", marks=pytest.mark.skipif(HAS_DRIVER, reason="this machine has a driver")),
    ],
)
def test_libraries_of_cuda(options, has_driver, extras, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nexit {0 if has_driver else 9}\n")
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = ["make", "--dry-run", "demo", f"VENV={tmp_path}/venv", *options]
    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert f'--editable ".{extras}"' in printed
