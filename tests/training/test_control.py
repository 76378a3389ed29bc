"""control.json: what it changes, what it refuses."""

import json

import pytest

from stylegan_tf.training import run_dir
from stylegan_tf.training.control import Control


@pytest.fixture
def folder(tmp_path):
    return run_dir.create(tmp_path, "x")


def ask(folder, value):
    (folder / "control.json").write_text(value if isinstance(value, str) else json.dumps(value))


def test_values_hold_and_orders_are_done_once(folder, capsys):
    control = Control()
    control.read(folder)
    assert control == Control()
    ask(folder, {"G_lrate": 0.0005, "snapshot": True})
    control.read(folder)
    assert (control.values, control.orders) == ({"G_lrate": 0.0005}, {"snapshot"})
    control.settle(folder)
    assert json.loads((folder / "control.json").read_text()) == {"G_lrate": 0.0005}
    control.read(folder)
    assert (control.values, control.orders) == ({"G_lrate": 0.0005}, set())
    ask(folder, {"G_lrate": None, "gamma": 5})
    control.read(folder)
    assert control.values == {"gamma": 5.0}
    printed = capsys.readouterr().out
    assert "G_lrate is 0.0005 from here on" in printed
    assert "G_lrate follows the configuration again" in printed
    assert printed.count("from here on") == 2  # said once each, not at every tick


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"G_rate": 1}, "unknown name 'G_rate'. Known: G_lrate, D_lrate, gamma, snapshot, stop"),
        ({"gamma": -1}, "gamma must be a number from 0 on"),
        ({"gamma": "10"}, "gamma must be a number from 0 on"),
        ({"D_lrate": True}, "D_lrate must be a number"),
        ({"stop": 1}, "stop must be true or false"),
        ([1], "expected an object"),
        ("{", "it is not JSON"),
        (f'{{"gamma": 1{"0" * 400}}}', "it is not JSON of plain numbers"),
        ("[" * 100_000, "it is not JSON of plain numbers"),
    ],
)
def test_what_cannot_be_obeyed_is_moved_away_and_changes_nothing(folder, capsys, asked, message):
    control = Control(values={"gamma": 3.0})
    ask(folder, asked)
    control.read(folder)
    assert control.values == {"gamma": 3.0}
    assert message in capsys.readouterr().out
    assert not (folder / "control.json").exists()
    assert (folder / "control-refused.json").exists()


def test_an_order_that_was_cut_off_is_done_by_the_next_process(folder):
    ask(folder, {"snapshot": True})
    Control().read(folder)  # killed before the snapshot was written
    again = Control()
    again.read(folder)
    assert again.orders == {"snapshot"}


@pytest.mark.parametrize("edited", ["[1]", "{", None])
def test_a_file_that_is_edited_meanwhile_is_left_alone(folder, edited):
    control = Control()
    ask(folder, {"snapshot": True})
    control.read(folder)
    path = folder / "control.json"
    path.unlink() if edited is None else path.write_text(edited)
    control.settle(folder)
    assert (path.read_text() if path.exists() else None) == edited
