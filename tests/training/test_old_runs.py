"""A run folder of version 1 resumes with today's code and ends where version 1 ended."""

import shutil
from pathlib import Path

import numpy as np

from stylegan_tf import command_line, safe_pickle
from stylegan_tf.snapshot_file import read_contents

GOLDEN = Path(__file__).parents[1] / "golden" / "run_v1"
LRATE = 0.002


def test_a_run_of_version_1_is_resumed(tmp_path, capsys):
    import train

    shutil.copytree(GOLDEN, tmp_path / "00000-sgan-leaves8-1gpu")
    run = tmp_path / "00000-sgan-leaves8-1gpu"
    state = safe_pickle.read_pickle(run / "training-state.pkl")
    assert state["format_version"] == 1
    arguments = ["--resume", str(run), "--data", str(run / "leaves8"), "--total-kimg", "1.0", "--set", "run.is_deterministic=false"]
    assert command_line.run(train.main, arguments) == 0
    printed = capsys.readouterr().out
    assert "Resuming at kimg 0.5" in printed
    assert "schedule.total_kimg: 0.5 in the run, 1.0 requested: changed from now on" in printed
    found, expected = read_contents(run / "network-final.pkl"), read_contents(GOLDEN / "expected-final.pkl")
    assert (found.nimg, found.model) == (1024, "stylegan")
    assert found.G.settings == expected.G.settings
    for name in ("G", "D", "G_ema"):
        old, new = getattr(expected, name).weights, getattr(found, name).weights
        assert old.keys() == new.keys()
        off = np.concatenate([np.ravel(np.abs(new[key] - old[key])) for key in old]) / LRATE
        # 32 iterations. On the machine that recorded it every bit agrees; elsewhere sums are rounded otherwise, and Adam with
        # beta1 0 moves a weight by a whole learning rate where the sign of a tiny gradient differs.
        assert np.median(off) < 0.05, name
