"""control.json: its values, its commands, and files that are not valid."""

import json

import pytest

from stylegan_tf.training import run_dir
from stylegan_tf.training.control import Control


@pytest.fixture
def folder(tmp_path):
    return run_dir.create(tmp_path, "x")


def write(folder, value):
    (folder / "control.json").write_text(value if isinstance(value, str) else json.dumps(value))


def test_values_persist_and_commands_are_executed_once(folder, capsys):
    control = Control()
    control.read(folder)
    assert control == Control()
    write(folder, {"G_lrate": 0.0005, "snapshot": True})
    control.read(folder)
    assert (control.values, control.commands) == ({"G_lrate": 0.0005}, {"snapshot"})
    control.remove_commands(folder)
    assert json.loads((folder / "control.json").read_text()) == {"G_lrate": 0.0005}
    control.read(folder)
    assert (control.values, control.commands) == ({"G_lrate": 0.0005}, set())
    write(folder, {"G_lrate": None, "gamma": 5})
    control.read(folder)
    assert control.values == {"gamma": 5.0}
    printed = capsys.readouterr().out
    assert "G_lrate changes from the schedule's value to 0.0005\n" in printed
    assert "G_lrate changes from 0.0005 to the schedule's value\n" in printed
    assert printed.count("changes from") == 3  # logged once each, not at every tick


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"G_rate": 1}, "unknown name 'G_rate'. Known: G_lrate, D_lrate, gamma, snapshot, stop"),
        ({"gamma": -1}, "gamma must be a number from 0 to 1e+09"),
        ({"gamma": "10"}, "gamma must be a number from 0 to 1e+09"),
        ({"D_lrate": True}, "D_lrate must be a number"),
        ({"stop": 1}, "stop must be true or false"),
        ([1], "expected an object"),
        ("{", "not JSON"),
        (f'{{"gamma": 1{"0" * 400}}}', "gamma must be a number from 0 to 1e+09"),
        ("[" * 60_000, "not JSON"),
    ],
)
def test_a_file_that_is_not_valid_is_renamed_and_changes_nothing(folder, capsys, content, message):
    control = Control(values={"gamma": 3.0})
    write(folder, content)
    control.read(folder)
    assert control.values == {"gamma": 3.0}
    assert message in capsys.readouterr().out
    assert not (folder / "control.json").exists()
    assert (folder / "control-refused.json").exists()


def test_a_command_that_was_interrupted_is_executed_by_the_resumed_run(folder):
    write(folder, {"snapshot": True})
    Control().read(folder)  # killed before the snapshot was written
    again = Control()
    again.read(folder)
    assert again.commands == {"snapshot"}


@pytest.mark.parametrize("edited", ["[1]", "{", None])
def test_a_file_that_is_edited_meanwhile_is_not_changed(folder, edited):
    control = Control()
    write(folder, {"snapshot": True})
    control.read(folder)
    path = folder / "control.json"
    path.unlink() if edited is None else path.write_text(edited)
    control.remove_commands(folder)
    assert (path.read_text() if path.exists() else None) == edited
