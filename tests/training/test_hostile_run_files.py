"""Files of a run folder that are damaged, replaced or hostile: one line with file and field, or training continues without them."""

import os
import shutil
import struct

import numpy as np
import pytest
import tensorflow as tf

import train
from stylegan_tf import command_line, safe_pickle
from stylegan_tf.errors import UserError
from stylegan_tf.training import records, state_file
from stylegan_tf.training import run as runs
from stylegan_tf.training.control import Control
from stylegan_tf.training.run_dir import RunDir
from stylegan_tf.training.tensorboard import EventWriter, drop_events_after
from tests.training.fake_trainer import FakeTrainer
from tests.training.test_killed import SETTINGS


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory, tiny_dataset):
    """A run folder of 64 images, whose steps were faked."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runs, "make_trainer", lambda networks, settings, *_: FakeTrainer(networks, settings.run.seed))
        new = ["--preset", "demo", "--data", str(tiny_dataset), *SETTINGS, "--total-kimg", "0.064", "--outdir", str(results)]
        assert command_line.run(train.main, new) == 0
    return next(results.iterdir())


@pytest.fixture
def folder(finished_run, tmp_path, monkeypatch):
    """A copy of it."""
    monkeypatch.setattr(runs, "make_trainer", lambda networks, settings, *_: FakeTrainer(networks, settings.run.seed))
    return shutil.copytree(finished_run, tmp_path / finished_run.name)


def resume(folder, capsys):
    """Exit code, output and errors of a resumed run."""
    capsys.readouterr()
    code = command_line.run(train.main, ["--resume", str(folder), "--total-kimg", "0.096"])
    return (code, *capsys.readouterr())


def refused(folder, capsys):
    """The one line with which a run is not resumed, without changing a file."""
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != ".lock"}
    code, _, errors = resume(folder, capsys)
    assert code == 2
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert len(errors) < 600
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != ".lock"}
    return errors


def test_the_unchanged_folder_is_resumed(folder, capsys):
    code, printed, errors = resume(folder, capsys)
    assert code == 0, errors
    assert "Resuming at kimg 0.1" in printed


def place(state, path, value):
    """Sets `state[a][b][...] = value`; deletes the field for a value of `...`."""
    *groups, last = path.split(".")
    for group in groups:
        state = state[group]
    if value is ...:
        del state[last]
    else:
        state[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("position.nimg", ..., "position.nimg is missing"),
        ("position.nimg", -8, "position.nimg must be from 0 to"),
        ("position.nimg", 2**70, "position.nimg must be from 0 to"),
        ("position.nimg", "64", "position.nimg must be a whole number"),
        ("position.nimg", [64], "position.nimg must be a whole number"),
        ("position.update_nimg", 72, "must not be above position.nimg"),
        ("position.num_rollbacks", 10**6, "position.num_rollbacks must be from 0 to 100"),
        ("position.control", {"speed": 2.0}, "position.control must be"),
        ("position.control", {"gamma": float("nan")}, "position.control at gamma"),
        ("position.control", ["gamma"], "position.control must be"),
        ("position.previous_lod", float("inf"), "position.previous_lod must be"),
        ("position.look", 1, "Unknown setting position.look"),
        ("position", [64], "position must be a dictionary"),
        ("meter", ..., "meter must be a dictionary"),
        ("meter.tick", None, "meter.tick must be a whole number"),
        ("meter.total_sec", float("nan"), "meter.total_sec must be"),
        ("meter.sums", {"Loss/D": 1.0}, "meter.sums and meter.counts"),
        ("meter.counts", {"Loss/D": 0}, "meter.counts at Loss/D must be"),
        ("dataset", ..., "dataset must be a dictionary"),
        ("dataset.digest", 5, "dataset.digest must be text"),
        ("dataset.digest", "sha256:0", "its images differ"),
        ("file_sizes", {"../../victim.txt": 0}, "file_sizes must be"),  # would have cut a file outside the folder
        ("file_sizes", {"log.txt": -1}, "file_sizes at log.txt must be"),
        ("file_sizes", None, "file_sizes must be"),
        ("weights", {}, "The weights of G must be a dictionary"),
        ("weights.G", [1], "The weights of G must be a dictionary"),
        ("weights.D", {}, "does not fit the networks"),
        ("weights.G.w_avg", 0.0, "Weight w_avg of G must be an array"),
        ("weights.G.w_avg", np.zeros(3, np.float32), "w_avg of G is (64,)"),
        ("weights.G.w_avg", np.full(64, np.nan, np.float32), "Weight w_avg of G must be an array of finite numbers"),
        ("weights.G.w_avg", np.zeros(64, np.complex64), "Weight w_avg of G must be an array of finite numbers"),
        ("trainer", 3, "trainer must be a dictionary"),
        ("config", "x", "config must be a dictionary"),
        ("state_version", 99, "expected 1 to 2"),
        ("state_version", True, "expected 1 to 2"),
        ("state_version", "x" * 10**6, "expected 1 to 2"),
    ],
)
def test_training_state(folder, capsys, path, value, message):
    content = safe_pickle.read_pickle(folder / "training-state.pkl")
    place(content["state"], path, value)
    safe_pickle.write_pickle(folder / "training-state.pkl", content)
    errors = refused(folder, capsys)
    assert message in errors
    assert str(folder) in errors


@pytest.mark.parametrize("value", [None, 3, [], {"format": "stylegan_tf training state", "format_version": 2, "state": []}])
def test_other_values_in_place_of_a_training_state(folder, capsys, value):
    safe_pickle.write_pickle(folder / "training-state.pkl", value)
    assert "training-state.pkl" in refused(folder, capsys)


CONFIG_CASES = [
    (b"", "not JSON"),
    (b"[]", "settings are missing"),
    (b"null", "settings are missing"),
    (b'"\xff"', "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b" " * (2 << 20), "bytes; at most"),
    (b'{"settings": 5}', "Settings must be a dictionary"),
    (b'{"settings": {"model": "other"}}', "Unknown model 'other'"),
    (b'{"settings": {"model": ["stylegan"]}}', "Unknown model"),
    (b'{"settings": {"name": "x", "speed": 2}}', "Unknown setting speed"),
    (b'{"settings": {"name": "x", "G": {"fmap_max": 1e300}}}', "G.fmap_max must be"),
    (b'{"settings": {"name": "x", "G": {"fmap_max": -1}}}', "G.fmap_max must be"),
    (b'{"settings": {"name": "x", "loss": []}}', "loss must be a dictionary"),
    (b'{"settings": {"name": "x", "optimizer": {"beta1": 0.5, "G": 5}}}', "config.json is not valid"),
    (b'{"settings": {"name": "x", "schedule": {"minibatch_by_resolution": {"8": "many"}}}}', "schedule.minibatch_by_resolution must be"),
    (b'{"settings": {"name": "x"}, "command": "rm -rf"}', "command must be a list of words"),
    (b'{"settings": {}}', "config.json is not valid"),
]


@pytest.mark.parametrize(("content", "message"), CONFIG_CASES)
def test_config(folder, capsys, content, message):
    (folder / "config.json").write_bytes(content)
    errors = refused(folder, capsys)
    assert message in errors
    assert "config.json" in errors


@pytest.mark.parametrize("name", ["config.json", "log.txt", "stats.jsonl", "training-state.pkl", "abort.txt", ".lock", "network-final.pkl"])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_folder_or_pipe_in_place_of_a_file_is_refused(folder, capsys, name, kind):
    path = folder / name
    path.unlink(missing_ok=True)
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    assert name in refused(folder, capsys).replace("Cannot write to", ".lock")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "not JSON"),
        (b"5", "expected an object, found int"),
        (b'{"nimg": "many"}', "nimg must be a number of at least 0, found many"),
        (b'{"nimg": -1}', "nimg must be a number of at least 0, found -1"),
        (b'{"kimg": 1}', "nimg must be a number of at least 0, found nothing"),
        (b'{"nimg": 1, "tick": 1}', "kimg must be a number"),
        (b'{"nimg": 1, "snapshot": "../../victim.pkl"}', "snapshot must be the name of a file"),
        (b'{"nimg": 1, "snapshot": "x.pkl", "Metrics/fid": [1]}', "Metrics/fid must be a number or null"),
        (b'{"nimg": 1, "Loss/D": 1' + b"0" * 400 + b"}", "Loss/D must be a number or null"),
        (b'{"nimg": 1, "Loss/D": "\xff"}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_lines_of_statistics_that_are_not_valid_are_reported_and_ignored(folder, capsys, line, message):
    path = folder / "stats.jsonl"
    first, second = path.read_bytes().splitlines()[:2]
    path.write_bytes(b"\n".join([first, line, second]) + b"\n")
    state = safe_pickle.read_pickle(folder / "training-state.pkl")
    state["state"]["file_sizes"]["stats.jsonl"] = path.stat().st_size
    safe_pickle.write_pickle(folder / "training-state.pkl", state)
    code, printed, errors = resume(folder, capsys)
    assert code == 0, errors
    assert f"{path}, line 2 is ignored: {message}" in printed
    assert "could not be written" not in printed  # the report
    assert [record["nimg"] for record in records.read(RunDir(folder)) if "tick" in record] == [32, 64, 96]


def test_many_bad_lines_are_summarised_and_large_files_ignored(tmp_path, monkeypatch):
    folder, said = RunDir(tmp_path), []
    (tmp_path / "stats.jsonl").write_text("x\n" * 100)
    assert records.read(folder, said.append) == []
    assert len(said) == 6
    assert said[-1].endswith("95 more lines are ignored.")
    monkeypatch.setattr(records, "MAX_BYTES", 100)
    said.clear()
    assert records.read(folder, said.append) == []
    assert "has 200 bytes; at most 100 are read" in said[0]


@pytest.mark.parametrize("kind", ["folder", "pipe", "broken link", "large", "text"])
def test_training_continues_without_a_control_file_that_is_not_valid(tmp_path, capsys, kind):
    folder, control = RunDir(tmp_path), Control(values={"gamma": 3.0})
    path = tmp_path / "control.json"
    make = {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "broken link": lambda: path.symlink_to("nowhere"),
            "large": lambda: path.write_bytes(b" " * 200_000), "text": lambda: path.write_bytes(b"\xff")}[kind]  # fmt: skip
    for _ in range(2):  # a second one is renamed, too
        make()
        control.read(folder)
        assert "control.json is not valid: " in capsys.readouterr().out
        assert not os.path.lexists(path)
        assert control.values == {"gamma": 3.0}
        control._last_message = ""


def test_a_control_file_that_cannot_be_renamed_is_reported_once(tmp_path, capsys, monkeypatch):
    folder, control = RunDir(tmp_path), Control()
    (tmp_path / "control.json").mkdir()
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    for _ in range(3):
        control.read(folder)
    assert capsys.readouterr().out.count("It cannot be renamed (Permission denied) and is ignored") == 1


@pytest.fixture
def event_file(tmp_path):
    writer = EventWriter(tmp_path)
    for nimg in (10, 20, 30):
        writer.scalars({"x": float(nimg)}, nimg)
    writer.close()
    return next(tmp_path.glob("events*"))


def steps(path):
    from tensorflow.core.util.event_pb2 import Event

    return [Event.FromString(record.numpy()).step for record in tf.data.TFRecordDataset(str(path))]


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b"\x01",
        struct.pack("<Q", 2**62) + b"\0" * 12,
        struct.pack("<Q", 2**62) + struct.pack("<I", 0x0F3B3BA1) + b"\0" * 100,
        b"\xff" * 1000,
    ],
)
def test_damaged_ends_of_event_files_are_cut(event_file, tail):
    with open(event_file, "ab") as file:
        file.write(tail)
    drop_events_after(event_file.parent, 20)
    assert steps(event_file) == [0, 10, 20]


def test_records_that_are_not_events_are_dropped(event_file):
    whole = [record.numpy() for record in tf.data.TFRecordDataset(str(event_file))]
    with tf.io.TFRecordWriter(str(event_file)) as writer:
        for record in [*whole[:2], b"\xff\xff\xff", b"not an event", *whole[2:]]:
            writer.write(record)
    drop_events_after(event_file.parent, 100)
    assert steps(event_file) == [0, 10, 20, 30]


def test_a_state_of_version_1_is_upgraded():
    golden = state_file.read(os.path.join(os.path.dirname(__file__), "..", "golden", "run_v1", "training-state.pkl"))
    assert golden["position"] == {
        "nimg": 512, "update_nimg": 448, "iterations_left": 0, "previous_lod": 0.0, "num_rollbacks": 0, "control": {},
    }  # fmt: skip
    meter = {"tick": 1, "start_nimg": 8, "total_sec": 1.0, "maintenance_sec": 0.0, "sums": {"Loss/D": 3.0}, "count": 2, "tick_sec": 0.5}
    older = {**golden, "meter": meter}  # of the first days: one count, and no times of the parts
    checked = state_file._checked_state(state_file._upgraded(older))["meter"]
    assert (checked["counts"], checked["G_sec"]) == ({"Loss/D": 2}, 0.0)


def test_a_state_with_fields_of_other_types_is_refused_whatever_they_are():
    golden = state_file.read(os.path.join(os.path.dirname(__file__), "..", "golden", "run_v1", "training-state.pkl"))
    values = [None, True, -1, 2**100, 1e400, "x", b"x", [], [[]], {}, {1: 2}, (), set(), np.zeros(2), np.float32(1)]
    for part in ("position", "meter", "dataset"):
        for name in golden[part]:
            for value in values:
                changed = {**golden, part: {**golden[part], name: value}}
                try:
                    state_file._checked_state(state_file._upgraded(changed))
                except UserError as error:
                    assert part in str(error)  # noqa: PT017  a value may also be valid
