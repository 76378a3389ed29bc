"""Augmentation in runs: any model, exact on resume and on several devices, and what it writes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import config
from stylegan_tf import settings_text
from stylegan_tf.augmentation import in_training
from stylegan_tf.models.dcgan import settings as dcgan
from stylegan_tf.settings import AugmentSettings, LossSettings, RunSettings, TransferSettings
from stylegan_tf.training.stopping import StopRequest
from tests.augmentation import steps_on_devices
from tests.closeness import assert_close
from tests.training.comparison import assert_same_run, lines
from tests.training.conftest import changed

ROOT = Path(__file__).parents[2]
# p moves by 0.1 in every second iteration, and rises: a fast D gives some real images positive logits.
ADAPTIVE = {"augment": {"kind": "ada", "target": -1.0, "interval": 2, "kimg": 0.08}, "schedule": {"D_lrate": 0.02}}


@pytest.fixture(scope="module")
def whole_run(tiny_settings, start_run):
    settings = changed(tiny_settings, **ADAPTIVE)
    code, path = start_run(settings)
    assert code == 0
    return settings, path


def test_strength_and_sign_are_shown(whole_run):
    _, path = whole_run
    ticks = [line for line in lines(path / "stats.jsonl") if "tick" in line]
    strengths = [tick["Running/augment_p"] for tick in ticks]
    assert strengths == sorted(strengths)
    assert strengths[-1] > 0.5
    logged = re.findall(r"signs (\S+) \S+   augment p (\S+)   ", (path / "log.txt").read_text())
    assert logged == [(f"{tick[in_training.SIGNS]:+.2f}", f"{tick['Running/augment_p']:.3f}") for tick in ticks]
    events = [event for file in path.glob("events.out.tfevents.*") for event in tf.compat.v1.train.summary_iterator(str(file))]
    values = [(value.tag, tf.make_ndarray(value.tensor)) for event in events for value in event.summary.value]
    for name in ("Running/augment_p", in_training.SIGNS):
        np.testing.assert_allclose([value for tag, value in values if tag == name], [tick[name] for tick in ticks])
    report = (path / "report.html").read_text()
    assert "Strength of the augmentation" in report
    assert "Signs of the logits" in report
    assert "augment_count" not in report  # the controller's sums since the last adjustment
    assert Image.open(path / "augmented.png").size == (192, 192)  # three images at three strengths, enlarged


@pytest.mark.slow
def test_a_run_cut_in_two_equals_one_that_was_not(whole_run, start_run, resume_run, monkeypatch):
    settings, whole = whole_run
    iterations = []

    def reason(self):
        iterations.append(0)
        return "SIGTERM" if len(iterations) == 14 else None  # between two adjustments of p, while 8x8 fades in

    with monkeypatch.context() as patched:
        patched.setattr(StopRequest, "reason", property(reason, lambda self, value: None))
        _, cut = start_run(settings)
    assert "Stopped by SIGTERM" in (cut / "log.txt").read_text()
    assert resume_run(cut, settings) == 0
    assert_same_run(whole, cut)


@pytest.mark.slow
def test_augmentation_may_begin_and_end_where_a_run_is_resumed(tiny_settings, start_run, resume_run):
    _, path = start_run(changed(tiny_settings, schedule={"start_resolution": 8, "total_kimg": 0.032}))
    longer = changed(tiny_settings, schedule={"start_resolution": 8, "total_kimg": 0.064})
    assert resume_run(path, changed(longer, augment={"kind": "ada"})) == 0
    assert "Running/augment_p" in lines(path / "stats.jsonl")[-1]
    assert resume_run(path, changed(longer, schedule={"total_kimg": 0.096})) == 0
    assert "Running/augment_p" not in lines(path / "stats.jsonl")[-1]


@pytest.mark.parametrize("kind", ["ada", "diffaugment"])
def test_dcgan_is_augmented_too(kind, tiny_dataset, start_run):
    run = RunSettings(grid_columns=3, grid_rows=2, precision="float32")
    small = {"G": dcgan.GeneratorSettings(z_dim=4, fmaps=2), "D": dcgan.DiscriminatorSettings(fmaps=2)}
    settings = settings_text.override(
        dcgan.Settings("test", **small, loss=LossSettings(regulariser=None, D_steps=2), run=run),
        [f"data.path={tiny_dataset}", "schedule.start_resolution=8", "schedule.minibatch_base=4", "schedule.total_kimg=0.064",
         "schedule.tick_kimg=0.032", "schedule.tick_kimg_by_resolution={}", f"augment.kind={kind}", "augment.kimg=0.13"],
    )  # fmt: skip
    code, path = start_run(settings)
    assert code == 0
    assert (path / "augmented.png").exists()
    assert ("Running/augment_p" in lines(path / "stats.jsonl")[-1]) == (kind == "ada")


@pytest.mark.slow
def test_devices_and_parts_agree(tmp_path):
    command = [sys.executable, "-m", "tests.augmentation.steps_on_devices", str(tmp_path / "found.npz")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"})
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "found.npz") as arrays:
        assert arrays["1 device|statistics/Running/augment_p"] > 0.5  # it did something
        names = [key.removeprefix("1 device|") for key in arrays if key.startswith("1 device|")]
        for run in ("1 device in three parts", "2 devices"):
            for name in names:
                assert_close(arrays[f"{run}|{name}"], arrays[f"1 device|{name}"], 2e-4, f"{run} {name}")


def test_strength_0_trains_as_no_augmentation():
    plain = steps_on_devices.run(1, None, AugmentSettings())
    augmented = steps_on_devices.run(1, None, AugmentSettings(kind="ada", pipe="bgcfnc", p=0.0))
    assert plain.keys() == augmented.keys()
    for name, value in plain.items():
        assert_close(augmented[name], value, 1e-3, name)  # the resampling filters round; four iterations amplify it


@pytest.mark.parametrize(("options", "rows"), [({}, 3), ({"p": 0.3}, 1), ({"kind": "diffaugment"}, 1)])
def test_examples_have_a_row_for_each_strength(options, rows):
    reals = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32)
    shown = in_training.make(changed(config.preset("leaves64"), augment={"kind": "ada", **options})).examples(reals, seed=0)
    assert shown.shape == (4 * rows, 8, 8, 3)
    changes = np.abs(shown.reshape(rows, *reals.shape) - reals).mean(axis=(1, 2, 3, 4))
    assert changes[0] > 0
    assert list(changes) == sorted(changes)  # 0.2, 0.5, 0.8


def test_no_augmentation_adds_nothing():
    assert in_training.make(config.preset("leaves64")) is None


@pytest.mark.parametrize(("transfer", "kimg", "expected"), [(None, None, 500), ("x.pkl", None, 100), ("x.pkl", 7.0, 7)])
def test_strength_moves_faster_after_transfer(transfer, kimg, expected):
    settings = changed(config.preset("leaves64"), augment={"kind": "ada", "kimg": kimg})
    settings = changed(settings, transfer=TransferSettings(init_from=transfer).__dict__)
    running = {"augment_p": 0.5, "augment_sign_sum": 0.0, "augment_count": 0.0}
    after = in_training.make(changed(settings, augment={"interval": 1})).after_iteration(running, {in_training.SIGNS: 1.0}, 10)
    assert float(after["augment_p"]) == pytest.approx(0.5 + 10 / (1000 * expected))


def test_a_model_without_signs_needs_a_fixed_strength():
    augmentation = in_training.make(changed(config.preset("leaves64"), augment={"kind": "ada"}))
    with pytest.raises(ValueError, match=r"needs the statistic Loss/signs/real\. Received: Loss/D"):
        augmentation.after_iteration({}, {"Loss/D": 1.0}, 10)


@pytest.mark.slow  # compiles two whole steps
def test_steps_compile_with_xla():  # whose random numbers are others: at strength 0 they have no effect
    augment = AugmentSettings(kind="ada", pipe="bgcfnc", p=0.0)
    plain, compiled = (steps_on_devices.run(1, None, augment, xla=xla) for xla in ("off", "on"))
    for name, value in plain.items():
        assert_close(compiled[name], value, 1e-3, name)
