"""LeCam: its terms against NumPy, its averages in a run, and its part in D's loss alone."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.losses import LeCam
from stylegan_tf.settings import LossSettings
from tests import flat_networks as networks
from tests.closeness import assert_close
from tests.training.stylegan_steps import make_stage, make_trainer


def test_terms_against_numpy():
    lecam, logits = LeCam(0.5, real_mean=2.0, fake_mean=-1.0), np.float32([[-3.0], [0.0], [4.0]])
    np.testing.assert_allclose(lecam.on_reals(logits), [0, 0.5, 12.5])  # above the fakes' mean -1 by 0, 1, 5
    np.testing.assert_allclose(lecam.on_fakes(logits), [12.5, 2, 0])  # below the reals' mean 2 by 5, 2, 0


def trained(weight, count):
    """Statistics of `count` iterations of the same networks."""
    shape, widths = {"resolution": 4, "fmap_base": 8, "fmap_max": 4}, {"z_dim": 4, "w_dim": 4, "mapping_layers": 1, "mapping_fmaps": 4}
    made = [networks.Generator(**shape, **widths), networks.Discriminator(**shape), networks.Generator(**shape, **widths)]
    for network in made:
        random = np.random.RandomState(1)
        arrays = {name: random.normal(0, 0.7, value.shape) for name, value in sorted(networks.named_weights(network).items())}
        networks.assign_weights(network, arrays)
    trainer = make_trainer(*made, settings={"loss": LossSettings(lecam_weight=weight)})
    images = np.random.RandomState(2).randint(0, 256, (4, 4, 4, 3), np.uint8)
    batches = iter(tf.data.Dataset.from_tensors((images, np.zeros([4, 0], np.float32))).repeat())
    return [trainer.run(batches, make_stage(), nimg=4 * index)[0] for index in range(count)], trainer


def test_averages_follow_the_logits():
    statistics, trainer = trained(0.1, 5)
    average = {"real": 0.0, "fake": 0.0}
    for values in statistics:
        for kind in average:
            average[kind] = 0.99 * average[kind] + 0.01 * float(values[f"Loss/scores/{kind}"])
            assert float(values[f"Running/lecam_{kind}"]) == pytest.approx(average[kind], rel=1e-5)
    assert trainer.state()["running"] == pytest.approx({f"lecam_{kind}": value for kind, value in average.items()}, rel=1e-5)


def test_is_part_of_the_loss_of_d_alone():
    (without,), _ = trained(0.0, 1)
    (light,), _ = trained(1e-9, 1)
    (heavy,), _ = trained(0.1, 1)
    assert "Running/lecam_real" not in without
    # G's loss of the iteration is D's after its step: the weight has moved it only where it is large.
    for name in ("Loss/D", "Loss/G"):
        assert_close(light[name], without[name], 1e-6, name)
    assert heavy["Loss/D"] > without["Loss/D"]
    assert heavy["Loss/scores/real"] == without["Loss/scores/real"]
