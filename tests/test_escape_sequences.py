"""Escape sequences in what comes from files do not reach the terminal, whichever program shows it."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

import generate
import train
from metrics import evaluate, program, report, sources
from metrics.intervals import Estimate
from metrics.result import Result
from stylegan_tf import command_line, safe_pickle, snapshot
from stylegan_tf.legacy import __main__ as legacy
from stylegan_tf.legacy import unpickler
from stylegan_tf.progress_bar import track
from stylegan_tf.training.run_dir import create
from tests.inference.small_network import small_discriminator, small_generator
from tests.test_train import run, tiny_dataset  # noqa: F401  fixtures

EVIL = "\x1b]0;owned\x07\x1b[31m\nforged"
SHOWN = r"\x1b]0;owned\x07\x1b[31m\x0aforged"


@pytest.fixture(scope="module", name="network")
def network_with_evil_names(tmp_path_factory):
    G, D = small_generator(label_size=2), small_discriminator(label_size=2)
    path = tmp_path_factory.mktemp(f"run{EVIL}") / f"network{EVIL}.pkl"
    dataset = {"class_names": [EVIL, "b"], "name": EVIL, "digest": EVIL, "path": EVIL}
    snapshot.save_networks(path, snapshot.Networks(G, D, G, dataset=dataset))
    return path


def shown(capsys, main, *arguments, code=0):
    """What a program prints, where no control character is among it."""
    capsys.readouterr()
    assert command_line.run(main, [str(argument) for argument in arguments]) == code
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert all(character == "\n" or character.isprintable() for character in text), text
    assert "\nforged" not in text  # a name must not add lines of its own
    return text


def test_generate(network, tmp_path, monkeypatch, capsys):
    images = ("images", "--seeds", "1", "--outdir", tmp_path / EVIL)
    assert SHOWN in shown(capsys, generate.main, *images, "--network", network)
    assert SHOWN in shown(capsys, generate.main, *images, "--network", network, "--class", "7", code=2)
    assert SHOWN in shown(capsys, generate.main, *images, "--network", tmp_path / EVIL / "none", code=2)
    folder = tmp_path / "results" / f"00000-{EVIL}"
    folder.mkdir(parents=True)
    shutil.copy(network, folder / "network-final.pkl")
    monkeypatch.chdir(tmp_path)
    assert f"--network results/00000-{SHOWN}" in shown(capsys, generate.main, *images)


@pytest.mark.parametrize("field", ["format_version", "library_version", "model", "G_settings", "weights", "label_examples"])
def test_fields_of_snapshots(network, tmp_path, capsys, field):
    value = safe_pickle.read_pickle(network)
    if field == "weights":
        value["G_ema"] = {EVIL: np.zeros(3, np.float32), **value["G_ema"]}
    elif field == "label_examples":
        value["dataset"]["label_examples"] = EVIL
    elif field == "library_version":
        value |= {"format_version": 99, field: EVIL}
    else:
        value[field] = {EVIL: EVIL} if field == "G_settings" else EVIL
    safe_pickle.write_pickle(tmp_path / "bad.pkl", value)
    shown(capsys, generate.main, "images", "--network", tmp_path / "bad.pkl", "--seeds", "1", code=2)


def test_metrics(network, tmp_path, monkeypatch, capsys):
    estimate = Estimate(1.0, None, None)
    result = Result(EVIL, {EVIL: estimate}, f"network{EVIL}", 7, {EVIL: EVIL}, {"name": EVIL, "digest": EVIL}, "key", 1.0)
    monkeypatch.setattr(
        sources, "open_image_set", lambda path, _: SimpleNamespace(channels=3, label_size=2, level=lambda _: None, path=path)
    )
    monkeypatch.setattr(evaluate, "prepare", lambda *_: None)
    monkeypatch.setattr(evaluate, "evaluate", lambda *_, on_result, **__: on_result(result))
    monkeypatch.setattr(report, "write_overview", lambda folder: [folder / "scores.md"])
    arguments = ("fid10", "--network", network, "--data", tmp_path)
    assert f"network{SHOWN}: {SHOWN} 1.0000" in shown(capsys, _scores, *arguments)
    run_folder = tmp_path / EVIL
    run_folder.mkdir()
    shutil.copy(network, run_folder / "network-snapshot-000001.pkl")
    assert f"wrote {tmp_path}/{SHOWN}" in shown(capsys, _scores, "fid10", "--network", run_folder, "--data", tmp_path, "--all")
    assert SHOWN in shown(capsys, _scores, "fid10", "--network", network, code=2)  # the data that the file names do not exist


def _scores(arguments):
    return program._main(arguments, None, "")


def test_train(run, tmp_path, tiny_dataset, network, capsys):  # noqa: F811
    folder = tmp_path / EVIL / "tiny"
    shutil.copytree(tiny_dataset, folder)
    source = tmp_path / f"{EVIL}.pkl"
    shutil.copy(network, source)
    outdir = tmp_path / "results"
    options = ("--outdir", outdir, *run.new, "--data", folder)
    text = shown(capsys, train.main, *options)
    assert SHOWN in text
    log = (outdir / "00000-stylegan-tiny-cpu" / "log.txt").read_text()
    assert SHOWN in log
    assert EVIL not in log
    assert SHOWN in shown(capsys, train.main, *options, "--dry-run")
    assert SHOWN in shown(capsys, train.main, *options, "--init-from", source, "--set", "transfer.min_share=0")


def test_log_lines(tmp_path, capsys):
    folder = create(tmp_path, "x")
    folder.log(f"Weights from {EVIL}", f"class {EVIL}")
    expected = f"Weights from {SHOWN}\nclass {SHOWN}\n"
    assert (capsys.readouterr().out, (folder / "log.txt").read_text()) == (expected, expected)
    folder.close()


def test_legacy_info(tmp_path, monkeypatch, capsys):
    network = unpickler.OfficialNetwork(EVIL, EVIL, {EVIL: EVIL}, {EVIL: np.zeros(3)})
    monkeypatch.setattr(legacy, "read_networks", lambda path: [network])
    (tmp_path / "x.pkl").write_bytes(b"an official pickle")
    assert SHOWN in shown(capsys, legacy.main, "info", tmp_path / "x.pkl")
    monkeypatch.undo()
    assert SHOWN in shown(capsys, legacy.main, "info", f"{EVIL}.pkl", code=2)


def test_progress(capsys):
    assert list(track([1], 1, EVIL)) == [1]
    assert SHOWN in capsys.readouterr().err
