"""A disk or an output that is full, and closed outputs: one line or nothing, and no half-written file."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from stylegan_tf import snapshot
from tests.inference.small_network import small_discriminator, small_generator

CHECKOUT = Path(__file__).parents[2]
# Files above this size fail as on a full disk (EFBIG); Python and TensorFlow ignore the signal that comes with it.
MAX_BYTES = 6000


@pytest.fixture(scope="module", name="network")
def saved_network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network.pkl"
    G = small_generator(resolution=32)
    snapshot.save_networks(path, snapshot.Networks(G, small_discriminator(resolution=32), G))
    return path


def generate(*arguments, before="", max_bytes=None, **streams):
    limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))) if max_bytes else None
    script = f"import os, sys, generate\nfrom stylegan_tf import command_line\n{before}\nsys.exit(command_line.run(generate.main))"
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=environment, text=True, check=False, preexec_fn=limit, **streams)


@pytest.mark.parametrize(
    "arguments",
    [
        ["images", "--seeds", "0-15", "--grid", "--outdir", "."],
        ["images", "--seeds", "0-255", "--outdir", ".", "--save-latents", "z.npz"],
        ["interpolate", "--output", "walk.gif", "--frames", "20"],
        ["interpolate", "--output", "walk.webp", "--frames", "20"],
        ["interpolate", "--output", "walk.mp4", "--frames", "20"],
        ["export", "--output", "model"],
        ["export", "--output", "model", "--format", "keras"],
        ["export", "--output", "model", "--format", "tflite"],
        ["export", "--output", "model", "--format", "onnx"],
        ["export", "--output", "model", "--format", "web"],
    ],
    ids=" ".join,
)
def test_a_full_disk_is_one_line_and_leaves_nothing(network, tmp_path, arguments):
    if "walk.mp4" in arguments:
        pytest.importorskip("imageio_ffmpeg")
    if "onnx" in arguments or "web" in arguments:
        pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    done = generate(*arguments, "--network", network, before=f"os.chdir({str(tmp_path)!r})", max_bytes=MAX_BYTES)
    messages = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.returncode, len(messages), "Traceback" in done.stderr) == (2, 1, False), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", ["train.py", "dataset_tool.py", "generate.py", "-m metrics", "-m stylegan_tf.legacy"])
def test_a_help_that_cannot_be_written_is_one_line(program):  # argparse hides errors of writing: exit code 0 and no word
    with open("/dev/full", "w") as full:
        command = [sys.executable, *program.split(), "--help"]
        done = subprocess.run(command, cwd=CHECKOUT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: The output cannot be written: No space left on device.\n")


@pytest.mark.slow
@pytest.mark.parametrize("command", [["images", "--seeds", "1"], ["images", "--seeds", "x"]])
def test_outputs_that_are_full_or_closed(network, tmp_path, command):
    is_wrong = "x" in command
    arguments = (*command, "--network", network, "--outdir", tmp_path)
    with open("/dev/full", "w") as full:
        done = generate(*arguments, stderr=full)
        assert done.returncode == 2 * is_wrong
        assert ("1 image of 32x32" in done.stdout) != is_wrong
        done = generate(*arguments, stdout=full)
        assert done.returncode == 2
        assert is_wrong or "error: The output cannot be written: No space left on device." in done.stderr
        assert "Traceback" not in done.stderr
        assert generate(*arguments, stdout=full, stderr=full).returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
def test_closed_outputs(network, tmp_path, closed):
    command = f"exec {sys.executable} generate.py images --seeds 1 --network {network} --outdir {tmp_path} {closed}"
    done = subprocess.run(["bash", "-c", command], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert (tmp_path / "seed0001.png").read_bytes().startswith(b"\x89PNG")
