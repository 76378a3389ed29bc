"""The moving average of G's weights, against the original's."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.models.weights import copy_variables, move_averages
from stylegan_tf.training.step import ema_beta
from tests.closeness import assert_close
from tests.recorded import arrays

NOT_TRAINED = ("lod", "dlatent_avg", "G_synthesis/noise0")
TRAINED = ("G_mapping/Dense0/weight", "G_synthesis/4x4/Const/const", "G_synthesis/ToRGB_lod0/bias")


@pytest.mark.parametrize("minibatch", [16, 64, 512])
def test_one_update_equals_the_originals(minibatch):
    recorded = {key.split("/", 2)[2]: value for key, value in arrays("optim_ema").items() if key.startswith(f"ema/mb{minibatch}/")}
    beta = ema_beta(minibatch, ema_kimg=10)
    assert beta == pytest.approx(recorded["beta"], rel=1e-6)  # recorded as float32
    for names, update in ((TRAINED, lambda a, v: move_averages(a, v, beta)), (NOT_TRAINED, copy_variables)):
        averages = [tf.Variable(recorded[f"Gs_before/{name}"]) for name in names]
        update(averages, [tf.Variable(recorded[f"G/{name}"]) for name in names])
        for name, average in zip(names, averages, strict=True):
            # One multiplication and two additions in float32; beta is rounded to 6e-8.
            assert_close(average, recorded[f"Gs_after/{name}"], 3e-7, name)


def test_half_of_the_old_is_left_after_the_half_life():
    assert ema_beta(100, ema_kimg=2) ** 20 == pytest.approx(0.5)  # 20 steps of 100 images are 2 kimg


def test_no_half_life_copies():
    assert ema_beta(16, ema_kimg=0) == 0
    average = tf.Variable([1.0, 2.0])
    move_averages([average], [tf.Variable([5.0, -1.0])], 0.0)
    np.testing.assert_array_equal(average.numpy(), [5, -1])
