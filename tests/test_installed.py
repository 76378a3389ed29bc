"""The command `stylegan-tf` of the installed package, in a folder that is not the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MINE = """from stylegan_tf.programs.config import *

def mine():
    return replace(demo(), name="mine")

PRESETS["mine"] = mine
"""


@pytest.fixture(scope="module")
def stylegan_tf(tmp_path_factory):
    """A function that runs `stylegan-tf ARGUMENTS` of an unpacked wheel in a folder; returns exit code and output."""
    if int(metadata.version("setuptools").partition(".")[0]) < 77:  # importing it fails where distutils was imported before
        pytest.skip("building the wheel needs setuptools 77")
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for name in ("stylegan_tf", "metrics"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "config.py", "train.py", "generate.py", "dataset_tool.py"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", site, source]
    subprocess.run(pip, check=True, capture_output=True)
    with zipfile.ZipFile(next(site.glob("*.whl"))) as wheel:
        wheel.extractall(site)

    def run(*arguments, cwd):
        environment = os.environ | {"PYTHONPATH": str(site), "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-c", "import sys; from stylegan_tf.__main__ import main; sys.exit(main())", *arguments]
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


def test_every_program_explains_itself_by_its_installed_name(stylegan_tf, tmp_path):
    for name in ("dataset", "train", "generate", "metrics"):
        code, output = stylegan_tf(name, "--help", cwd=tmp_path)
        assert code == 0, output
        assert f"usage: stylegan-tf {name}" in output
        assert ".py " not in output.replace("config.py", "")
    code, output = stylegan_tf("paint", cwd=tmp_path)
    assert (code, output) == (2, "error: There is no command paint. Commands: dataset, train, generate, metrics.\n")


def test_the_config_of_the_current_folder_replaces_that_of_the_package(stylegan_tf, tmp_path):
    assert "mine" not in stylegan_tf("train", "--help", cwd=tmp_path)[1]
    (tmp_path / "config.py").write_text(MINE)
    output = stylegan_tf("train", "--help", cwd=tmp_path)[1]
    assert "demo" in output
    assert "mine" in output
    (tmp_path / "config.py").write_text("DEBUG = True\n")  # of another program
    code, output = stylegan_tf("train", "--help", cwd=tmp_path)
    assert code == 2
    assert "does not define PRESETS" in output


@pytest.mark.slow
def test_from_an_empty_folder_to_generated_images(stylegan_tf, tmp_path):
    settings = [f"--set={name}" for name in ("schedule.start_resolution=8", "schedule.tick_kimg=0.1", "G.fmap_max=4", "D.fmap_max=4")]
    for arguments, expected in [
        (["dataset", "create_leaves", "leaves", "--resolution", "8", "--num-images", "100"], "leaves"),
        (["train", "--preset", "demo", "--data", "leaves", "--total-kimg", "0.2", *settings], "results/00000-stylegan-leaves-cpu"),
        (["generate", "images", "--seeds", "0-1"], "out/seed0000-class4-redbud.png"),
        (["metrics", "--list"], "leaves"),
    ]:
        code, output = stylegan_tf(*arguments, cwd=tmp_path)
        assert code == 0, output
        assert (tmp_path / expected).exists()
    log = (tmp_path / "results/00000-stylegan-leaves-cpu/log.txt").read_text()
    assert log.startswith("stylegan-tf train --preset demo")
