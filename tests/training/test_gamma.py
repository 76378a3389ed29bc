"""The weight of the penalty by resolution: the table counts, control.json goes before it."""

import json

from stylegan_tf.training import run as runs
from tests.training.conftest import changed
from tests.training.fake_trainer import FakeTrainer


def test_the_table_counts_until_control_json_says_otherwise(tmp_path_factory, tiny_settings, start_run, monkeypatch):
    seen = []

    def note(trainer, stage, nimg):
        seen.append((stage.lod, stage.gamma))
        if len(seen) == 24:  # 96 images: 8x8 stands alone
            folders = tmp_path_factory.getbasetemp().glob("results*/*-tiny")
            newest = max(folders, key=lambda folder: folder.stat().st_mtime_ns)
            (newest / "control.json").write_text(json.dumps({"gamma": 7.0}))

    monkeypatch.setattr(runs, "make_trainer", lambda networks, settings, *_: FakeTrainer(networks, settings.run.seed, note))
    code, _ = start_run(changed(tiny_settings, loss={"gamma": 10.0, "gamma_by_resolution": {8: 2.5}}))
    assert code == 0
    assert all(gamma == (10.0 if lod == 1.0 else 2.5) for lod, gamma in seen[:24])
    assert {lod for lod, _ in seen[:24]} >= {0.0, 1.0}
    assert seen[-1] == (0.0, 7.0)
