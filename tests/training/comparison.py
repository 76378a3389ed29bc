"""Whether two runs are the same to the last bit."""

import json

import numpy as np


def lines(path):
    """Records of a .jsonl file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_same_run(one, other):
    """Weights, moments, pictures and statistics are equal to the last bit; only times may differ."""
    from stylegan_tf import snapshot

    states = [snapshot.load_state(path / "training-state.pkl") for path in (one, other)]
    assert_same(*(state["weights"] for state in states))
    assert_same(*(state["trainer"] for state in states))
    assert states[0]["position"] == states[1]["position"]
    assert sorted(file.name for file in one.glob("*.p??")) == sorted(file.name for file in other.glob("*.p??"))
    for picture in one.glob("*.png"):
        assert picture.read_bytes() == (other / picture.name).read_bytes(), picture.name
    stats = [[without_times(line) for line in lines(path / "stats.jsonl")] for path in (one, other)]
    assert stats[0] == stats[1]


def assert_same(a, b, name=""):
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key], f"{name}/{key}")
    else:
        np.testing.assert_array_equal(a, b, err_msg=name)


def without_times(record):
    return {name: value for name, value in record.items() if "sec" not in name and not name.endswith("_gb")}
