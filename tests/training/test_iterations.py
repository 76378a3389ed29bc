"""Several iterations in one call: the same numbers as one by one, and how long each part of them took."""

import time
import weakref

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.models.stylegan.model import StyleGAN
from stylegan_tf.settings import LossSettings, RunSettings
from tests import flat_networks as networks
from tests.training.stylegan_steps import make_stage, make_trainer

OPTIONS = {"resolution": 4, "fmap_base": 8, "fmap_max": 4}
WIDTHS = {"z_dim": 4, "w_dim": 4, "mapping_layers": 1, "mapping_fmaps": 4}
MINIBATCH = 4
DATA_SEC = 0.3


def make(**loss):
    """A trainer of networks whose weights are the same every time."""
    made = [networks.Generator(**OPTIONS, **WIDTHS), networks.Discriminator(**OPTIONS), networks.Generator(**OPTIONS, **WIDTHS)]
    for network in made:
        random = np.random.RandomState(1)
        weights = {name: random.normal(0, 0.7, value.shape) for name, value in sorted(networks.named_weights(network).items())}
        networks.assign_weights(network, weights)
    return make_trainer(*made, model=StyleGAN(), settings={"loss": LossSettings(**loss), "run": RunSettings(seed=3)})


def batches(wait_sec=0.0):
    """Different images in every batch, each of them made slowly."""
    random = np.random.RandomState(2)

    def slow():
        while True:
            time.sleep(wait_sec)
            yield random.randint(0, 256, (MINIBATCH, 4, 4, 3), np.uint8), np.zeros([MINIBATCH, 0], np.float32)

    signature = (tf.TensorSpec([MINIBATCH, 4, 4, 3], tf.uint8), tf.TensorSpec([MINIBATCH, 0], tf.float32))
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # or batches are made between two calls
    return iter(tf.data.Dataset.from_generator(slow, output_signature=signature).with_options(options))


def trained(calls, iterator, trainer=None):
    """Weights, moments and statistics iteration by iteration after calls of so many iterations each."""
    trainer, nimg, statistics = trainer or make(), 0, []
    for count in calls:
        found = trainer.run(iterator, make_stage(minibatch=MINIBATCH), nimg=nimg, num_iterations=count)
        statistics += [{name: value.numpy() for name, value in values.items()} for values in found]
        nimg += trainer.images_shown(MINIBATCH, count)
    weights = {f"{kind}/{name}": value.numpy() for kind in ("G", "D", "G_ema")
               for name, value in networks.named_weights(getattr(trainer, kind)).items()}  # fmt: skip
    return weights, statistics


@pytest.fixture(scope="module")
def one_by_one():
    return trained([1, 1], batches())


def test_two_iterations_in_one_call_are_two_calls_to_the_last_bit(one_by_one):
    weights, statistics = trained([2], batches())
    for name, value in one_by_one[0].items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)
    for expected, found in zip(one_by_one[1], statistics, strict=True):
        assert {n: v for n, v in found.items() if "Timing" not in n} == {n: v for n, v in expected.items() if "Timing" not in n}


def test_waiting_for_data_is_measured_apart_from_the_steps():
    trainer, iterator = make(), batches(DATA_SEC)
    trained([1], iterator, trainer)  # traces
    start = time.perf_counter()
    _, (first, second) = trained([1, 1], iterator, trainer)
    elapsed = time.perf_counter() - start
    for times in (first, second):
        assert 0.9 * DATA_SEC < times["Timing/data_sec"] < elapsed
        assert times["Timing/D_sec"] > 0
        assert times["Timing/G_sec"] > 0
    parts = ("Timing/data_sec", "Timing/D_sec", "Timing/G_sec")
    assert sum(times[part] for times in (first, second) for part in parts) < elapsed
    assert len(trainer._traced) == 1
    trainer.forget_traces()
    assert len(trainer._traced) == 0


def test_forgotten_traces_leave_memory():
    trainer = make()
    graph = weakref.ref(trainer.trace(batches(), make_stage(), nimg=0).graph)
    assert graph() is not None
    trainer.forget_traces()
    assert graph() is None


def test_lazy_penalties_keep_their_distance_wherever_a_call_begins():
    trainer, iterator = make(lazy_interval=3), batches()
    _, statistics = trained([2, 2], iterator, trainer)
    assert ["Loss/penalty" in values for values in statistics] == [True, False, False, True]
