"""Commands of README.md and docs/ on a small demo network: blocks after <!-- run --> as they are, the others of the README shortened.

Not executed here: `make` (creates a virtual environment), `tensorboard` and `explore` (servers; tests/inference/test_explorer_browser.py
starts the second), `stylegan-tf` (tests/test_installed.py), and commands of other documents on data that are not part of the project.
"""

import dataclasses
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dataset_tool
import generate
import train
from metrics import program as metrics_program
from metrics.networks import weights
from stylegan_tf import command_line, snapshot
from stylegan_tf.data.sources.leaves import CLASS_NAMES
from stylegan_tf.programs import config
from tests.data.sources.test_wellknown import write_idx
from tests.inference.small_network import small_discriminator, small_generator
from tests.legacy.official_files import official_bytes

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARK = "<!-- run -->"
PROGRAMS = {"generate.py": generate.main, "train.py": train.main, "dataset_tool.py": dataset_tool.main}


def marked_blocks(page):
    """The indented blocks after the marks of a page, without their indentation."""
    found = []
    for part in page.read_text(encoding="utf-8").split(MARK)[1:]:
        lines = part.lstrip("\n").split("\n")
        end = next((index for index, line in enumerate(lines) if line and not line.startswith("    ")), None)
        found.append("\n".join(line[4:] for line in lines[:end]).strip())
    return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder with the dataset and the results of the demo, a photograph and an official pickle: what a reader of the documents has."""
    folder = tmp_path_factory.mktemp("checkout")
    dataset_tool.main(["create_leaves", str(folder / "datasets" / "leaves32"), "--resolution", "32", "--num-images", "40"])
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)).save(folder / "photo.jpg")
    options = {"resolution": 32, "label_size": len(CLASS_NAMES)}
    G, D = small_generator(**options), small_discriminator(**options)
    dataset = {"path": "datasets/leaves32", "class_names": list(CLASS_NAMES), "label_examples": None}
    networks = snapshot.Networks(G, D, G, nimg=30_000, dataset=dataset)
    for run in ("00000-stylegan-leaves32-1gpu", "00001-stylegan-leaves32-cpu"):
        (folder / "results" / run).mkdir(parents=True)
        snapshot.save_networks(folder / "results" / run / "network-final.pkl", networks)
    (folder / "karras2019stylegan-ffhq-1024x1024.pkl").write_bytes(official_bytes())
    return folder


def execute(line, *more):
    """Runs a command line of the documents in this process, with `more` arguments."""
    words = [*shlex.split(line, comments=True), *more]
    assert words[0] == "python", line
    if words[1:3] == ["-m", "metrics"]:
        assert metrics_program.run_all(words[3:]) == 0, line
    else:
        assert command_line.run(PROGRAMS[words[1]], words[2:]) == 0, line


def test_marks_stand_before_blocks_and_are_used():
    blocks = [block for page in PAGES for block in marked_blocks(page)]
    assert len(blocks) >= 5
    assert all(blocks)


@pytest.mark.parametrize("page", [page for page in PAGES if MARK in page.read_text(encoding="utf-8")], ids=lambda page: page.name)
def test_marked_blocks_run(page, checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    for block in marked_blocks(page):
        if re.match(r"python |\$ ", block):
            for line in block.splitlines():
                execute(line.removeprefix("$ "))
        else:
            exec(compile(block, str(page), "exec"), {})


# What shortens the README's other commands on the network of the demo.
SHORTENED = {
    "directions": ["--scores", "none", "--num-images", "40"],
    "project": ["--distance", "pixels", "--steps", "3", "--tuning-steps", "2", "--video", "none"],
    "metrics": ["--num-images", "20"],
}


@pytest.mark.slow  # a search, a classifier, Inception and LPIPS
def test_the_other_commands_of_the_readme_run(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [f"python {found}" for found in re.findall(r"`(generate\.py [^`]+)`", text)]
    assert len(lines) >= 8
    if (weights.cache_folder() / "weights" / f"{weights.INCEPTION}.npz").is_file():
        lines += [line.strip() for line in text.splitlines() if re.match(r"    python -m metrics .*--network latest", line)]
    for line in lines:
        command = line.split()[3 if "-m metrics" in line else 2]
        if command != "explore":  # serves until Ctrl+C; tests/inference/test_explorer_browser.py starts it
            execute(line, *SHORTENED.get("metrics" if "-m metrics" in line else command, []))
    for name in ("out/style-mixing-*.png", "out/truncation.png", "out/noise-detail.png", "walk.webp", "proj/projected.npz", "generator"):
        assert list(checkout.glob(name)), name


# What shortens a training run of each preset in the README.
SMALL_RUN = ["--gpus", "0", "--total-kimg", "0.128", "--set", "schedule.tick_kimg=0.064", "--set", "schedule.tick_kimg_by_resolution={}"]
SMALL_DCGAN = ["--set", "G.fmaps=4", "--set", "D.fmaps=4"]
SMALL_STYLEGAN = [f"--set={name}" for name in ("G.fmap_max=4", "D.fmap_max=4", "G.mapping_layers=1", "schedule.start_resolution=64")]


@pytest.mark.slow  # five short runs with real steps, and Inception
def test_the_training_commands_of_the_readme_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STYLEGAN_TF_CACHE", str(weights.cache_folder()))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name, side in (("leaves32", 32), ("corridor", 64)):
        dataset_tool.main(["create_leaves", f"datasets/{name}", "--resolution", str(side), "--num-images", "40"])
    for folder in ("photos/apple_leaves", "PICTURES"):
        Path(folder).parent.mkdir(exist_ok=True)
        dataset_tool.main(["extract", "datasets/corridor", folder])
    Path("digits").mkdir()
    write_idx(tmp_path / "digits" / "train-images-idx3-ubyte.gz", np.zeros((40, 28, 28), np.uint8))
    write_idx(tmp_path / "digits" / "train-labels-idx1-ubyte.gz", np.arange(40, dtype=np.uint8) % 10)
    dataset_tool.main(["create_mnist", "datasets/mnist", "digits"])
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines() if re.match(r"    python (train|dataset_tool)\.py", line)]
    assert len(lines) == 8
    for line in lines:
        if "--resume" in line:
            execute(line, "--total-kimg", "0.192")
        elif "train.py" in line:
            execute(line, *SMALL_RUN, *(SMALL_DCGAN if "dcgan" in line else SMALL_STYLEGAN))
        else:
            execute(line)
    runs = sorted(path.parent.name for path in Path("results").glob("*/network-final.pkl"))
    assert [run.split("-", 1)[1] for run in runs] == [f"stylegan-apple{end}-cpu" for end in ("_leaves", "")] + [
        "dcgan-corridor-cpu",
        "dcgan-mnist-cpu",
    ]
    printed = capsys.readouterr().out
    assert "Resuming at kimg 0.1" in printed
    assert re.search(r"^Preparing 64x64 \(about \d+s\)$", printed, re.MULTILINE)
    if (weights.cache_folder() / "weights" / f"{weights.INCEPTION}.npz").is_file():
        execute(next(line.strip() for line in text.splitlines() if "--images PICTURES" in line))

    demo = config.demo()
    few = dataclasses.replace(demo.schedule, total_kimg=0.1, if_too_short="rescale")
    monkeypatch.setattr(config, "demo", lambda: dataclasses.replace(demo, schedule=few))
    (block,) = re.findall(r"(?:^    .*\n)*^    run = train\(.*\n", text, re.M)
    exec("\n".join(line[4:] for line in block.splitlines()), {})
    assert "'kimg': 0.1" in capsys.readouterr().out
