"""A model's running value and lazy step: saved, resumed to the last bit, shown everywhere, equal on all devices, corrected in Adam."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event

from stylegan_tf import models, snapshot
from stylegan_tf.models.base import Model, Phase, Values
from stylegan_tf.settings import DataSettings, LossSettings, NetworkOptimizerSettings, OptimizerSettings
from stylegan_tf.training.step import Trainer
from stylegan_tf.training.stopping import StopRequest
from tests.closeness import assert_close
from tests.models.running_values.settings import Settings
from tests.tiny_model.model import TinyDiscriminator, TinyGenerator
from tests.training.comparison import assert_same_run, lines
from tests.training.conftest import changed
from tests.training.stylegan_steps import make_stage

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(models.PACKAGES, "running_values", "tests.models.running_values")


@pytest.fixture
def settings(tiny_settings):
    """11 iterations of two batches of 4; a tick each 4 to 6 of them, three between two updates of the schedule."""
    groups = {name: getattr(tiny_settings, name) for name in ("optimizer", "schedule", "data", "run")}
    whole = Settings("lengths", loss=LossSettings(D_steps=2), **groups)
    return changed(whole, schedule={"start_resolution": 8, "total_kimg": 0.088, "iterations_per_update": 3, "G_lrate": 0.05})


def test_a_run_that_is_interrupted_between_two_lazy_steps_equals_one_that_is_not(settings, start_run, resume_run, monkeypatch):
    code, whole = start_run(settings)
    assert code == 0
    for place in (2, 7):  # after so many iterations: inside a tick, between two updates, between two lazy steps
        checks = []
        with monkeypatch.context() as patched:
            reason = property(lambda self, checks=checks, place=place: checks.append(0) or ("SIGTERM" if len(checks) > place else None))
            patched.setattr(StopRequest, "reason", reason)
            _, cut = start_run(settings)
        state = snapshot.load_state(cut / "training-state.pkl")
        assert state["position"]["iterations_left"] > 0
        assert 0 < state["trainer"]["running"]["mean_length"] != 0.5
        assert resume_run(cut, settings) == 0
        assert_same_run(whole, cut)


def test_the_image_count_is_that_of_all_batches_shown(settings, start_run):
    _, path = start_run(settings)
    assert [line["nimg"] for line in lines(path / "stats.jsonl")] == [48, 96]  # 6 and 12 iterations of 2 x 4 images


def test_the_running_value_is_shown_in_statistics_report_and_tensorboard(settings, start_run):
    _, path = start_run(settings)
    last = lines(path / "stats.jsonl")[-1]
    final = snapshot.load_state(path / "training-state.pkl")["trainer"]["running"]["mean_length"]
    assert last["Running/mean_length"] == pytest.approx(final)  # the value at the end of the tick, not a mean over it
    assert last["Loss/G_length"] > 0
    report = (path / "report.html").read_text()
    assert "<figcaption>Running/mean_length</figcaption><svg" in report
    assert ">G_length</text>" in report  # a line in the chart of losses
    events = [Event.FromString(record.numpy()) for file in path.glob("events*") for record in tf.data.TFRecordDataset(str(file))]
    points = {event.step: tf.make_ndarray(value.tensor) for event in events for value in event.summary.value
              if value.tag == "Running/mean_length"}  # fmt: skip
    assert points[96] == pytest.approx(final)
    assert set(points) == {48, 96}


def test_a_state_of_a_model_with_other_running_values_is_refused(settings):
    networks = [TinyGenerator(resolution=8), TinyDiscriminator(resolution=8), TinyGenerator(resolution=8)]
    settings = changed(settings, data={"resolution": 8})
    with_value = Trainer(models.find("running_values"), settings, *networks).state()
    without = Trainer(TinyModelOf([("G", 1, 1, 0.0)]), settings, *networks)
    with pytest.raises(ValueError, match=r"saved running values are \['mean_length'\]; the model has \[\]"):
        without.load_state(with_value)


@pytest.fixture(scope="module")
def on_devices(tmp_path_factory):
    path = tmp_path_factory.mktemp("devices") / "found.npz"
    command = [sys.executable, "-m", "tests.models.running_values_on_devices", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"})
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays}


@pytest.mark.parametrize("run", ["1 device in parts", "2 devices"])
def test_devices_and_parts_agree(on_devices, run):
    names = [key.split("|")[1] for key in on_devices if key.startswith("1 device|")]
    assert {"4/Running/mean_length", "0/Loss/G_length", "first_moments/dense/kernel", "G_ema/dense/kernel"} <= set(names)
    assert "1/Loss/G_length" not in names  # not due
    # Other orders of summation; means of logits near 0 are differences of larger numbers. Measured below 3e-6.
    for name in names:
        assert_close(on_devices[f"{run}|{name}"], on_devices[f"1 device|{name}"], 2e-5, name)


def test_the_running_value_moves_in_iterations_in_which_its_step_is_due(on_devices):
    values = [float(on_devices[f"1 device|{index}/Running/mean_length"]) for index in range(5)]
    assert values[0] != 0.5
    assert values[0] == values[1] == values[2] == values[3] != values[4]
    lengths = [float(on_devices[f"1 device|{index}/Loss/length"]) for index in (0, 4)]
    assert values[0] == pytest.approx(0.9 * 0.5 + 0.1 * lengths[0], rel=1e-6)
    assert values[4] == pytest.approx(0.9 * values[0] + 0.1 * lengths[1], rel=1e-6)


class TinyModelOf(Model):
    """A model whose phases for G pull all its weights to given targets: (name, every, times, target)."""

    name = "pull"

    def __init__(self, pulls):
        self.pulls = pulls

    def phases(self, settings, G, D, running):
        def pull(network, target, weight):
            def terms(part, context):
                def term(waits):
                    distance = tf.add_n([tf.reduce_sum(tf.square(v.value - target)) for v in network.trainable_variables])
                    return Values(tf.ones_like(part.weights) * weight * distance, {})

                yield term

            return terms

        return [Phase("D", "D", pull(D, 0.0, 1.0), shows_reals=True)] + [
            Phase(name, "G", pull(G, target, every), every=every, times=times) for name, every, times, target in self.pulls
        ]


@pytest.mark.parametrize(
    ("pulls", "correction"),
    [
        ([("G", 1, 1, 1.0)], 1.0),
        ([("G", 1, 1, 1.0), ("G_reg", 4, 1, -2.0)], 4 / 5),  # as StyleGAN2: n / (n + 1)
        ([("G", 1, 1, 1.0), ("G_reg", 16, 1, -2.0)], 16 / 17),
        ([("G", 1, 2, 1.0), ("G_reg", 4, 1, -2.0)], 8 / 9),  # eight steps of the loss, then one of the regulariser
        ([("G", 1, 1, 1.0), ("G_reg", 4, 1, -2.0), ("G_other", 2, 1, 0.5)], 4 / 7),
        ([("G", 4, 1, 1.0)], 1.0),  # rare, but there is no other step: it was corrected for one
    ],
)
def test_adam_with_lazy_steps_equals_numpy(pulls, correction):
    adam = NetworkOptimizerSettings(beta1=0.5, beta2=0.9, epsilon=1e-8)
    settings = Settings("x", data=DataSettings(resolution=4), optimizer=OptimizerSettings(G=adam, ema_kimg=0))
    G, D = TinyGenerator(resolution=4, channels=1), TinyDiscriminator(resolution=4, channels=1)
    weights = np.float64(G.dense.kernel.numpy())
    trainer = Trainer(TinyModelOf(pulls), settings, G, D, TinyGenerator(resolution=4, channels=1))
    batches = iter(tf.data.Dataset.from_tensors((np.zeros([2, 4, 4, 1], np.uint8), np.zeros([2, 0], np.float32))).repeat())
    rate, beta1, beta2 = 0.05 * correction, 0.5**correction, 0.9**correction
    m = v = np.zeros_like(weights)
    step = 0
    for iteration in range(9):
        trainer.run(batches, make_stage(minibatch=2, lrate=0.05), nimg=2 * iteration)
        for _, every, times, target in pulls:
            for _ in range(times if iteration % every == 0 else 0):
                step += 1
                gradient = 2 * every * (weights - target)
                m = beta1 * m + (1 - beta1) * gradient
                v = beta2 * v + (1 - beta2) * gradient**2
                weights = weights - rate * np.sqrt(1 - beta2**step) / (1 - beta1**step) * m / (np.sqrt(v) + 1e-8)
        assert_close(G.dense.kernel, weights, 1e-5, f"iteration {iteration}")  # up to 18 steps in float32
    assert step == trainer.state()["G_optimizer"]["step"]
