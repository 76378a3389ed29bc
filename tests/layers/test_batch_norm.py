"""Batch normalisation against NumPy, and on two devices against one with the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.layers.batch_norm import BatchNorm, moving_statistics_kept
from tests.closeness import assert_close

TOLERANCE = 1e-5  # sums of 40 float32 numbers, divided by a standard deviation of about 1


def make(channels=3, **options):
    """A layer with random weights."""
    layer, random = BatchNorm(**options), np.random.RandomState(5)
    layer.build((None, channels))
    layer.gain.assign(random.normal(1, 0.3, channels))
    layer.offset.assign(random.normal(0, 1, channels))
    return layer


def normal(*shape, seed=0):
    return np.random.RandomState(seed).normal(2, 3, shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(8, 3), (4, 5, 2, 3)])
def test_values_and_gradients_in_training(shape):
    layer, x, upstream = make(epsilon=0.1), normal(*shape), normal(*shape, seed=1)
    with tf.GradientTape() as tape:
        image = tf.constant(x)
        tape.watch(image)
        y = layer(image, training=True)
    dx, *dweights = tape.gradient(y, [image, layer.gain.value, layer.offset.value], tf.constant(upstream))
    rows, rates = x.reshape(-1, 3).astype(np.float64), upstream.reshape(-1, 3).astype(np.float64)
    deviation = np.sqrt(rows.var(axis=0) + 0.1)
    normalised = (rows - rows.mean(axis=0)) / deviation
    assert_close(y, (normalised * layer.gain.numpy() + layer.offset.numpy()).reshape(shape), TOLERANCE)
    # Ioffe and Szegedy 2015, section 3
    expected = layer.gain.numpy() / deviation * (rates - rates.mean(axis=0) - normalised * (rates * normalised).mean(axis=0))
    assert_close(dx, expected.reshape(shape), TOLERANCE)
    assert_close(dweights[0], (rates * normalised).sum(axis=0), TOLERANCE)
    assert_close(dweights[1], rates.sum(axis=0), TOLERANCE)


def test_moving_averages_after_three_batches():
    layer, mean, variance = make(momentum=0.8), np.zeros(3), np.ones(3)
    for seed in range(3):
        x = normal(4, 5, 2, 3, seed=seed)
        layer(x, training=True)
        rows = x.reshape(-1, 3)
        mean = 0.8 * mean + 0.2 * rows.mean(axis=0)
        variance = 0.8 * variance + 0.2 * rows.var(axis=0, ddof=1)  # unbiased
    assert_close(layer.moving_mean, mean, TOLERANCE)
    assert_close(layer.moving_variance, variance, TOLERANCE)


def test_inference_uses_the_moving_averages():
    layer, x = make(), normal(4, 3)
    layer.moving_mean.assign([1, 2, 3])
    layer.moving_variance.assign([4, 1, 0.25])
    expected = (x - [1, 2, 3]) / np.sqrt(np.array([4, 1, 0.25]) + 1e-5) * layer.gain.numpy() + layer.offset.numpy()
    for y in (layer(x), layer(x, training=False), tf.function(lambda x: layer(x))(x)):
        assert_close(y, expected, TOLERANCE)
    assert layer.moving_mean.numpy().tolist() == [1, 2, 3]


@pytest.mark.parametrize("is_graph", [False, True])
def test_moving_averages_are_kept_where_asked_for(is_graph):
    layer, x = make(), normal(4, 3)

    def train(x):
        return layer(x, training=True)

    with moving_statistics_kept():
        kept = (tf.function(train) if is_graph else train)(x)
    assert layer.moving_mean.numpy().tolist() == [0, 0, 0]
    assert layer.moving_variance.numpy().tolist() == [1, 1, 1]
    np.testing.assert_array_equal((tf.function(train) if is_graph else train)(x), kept)
    assert (layer.moving_mean.numpy() != 0).all()


@pytest.mark.parametrize(("policy", "dtype"), [("mixed_float16", tf.float16), ("mixed_bfloat16", tf.bfloat16)])
def test_statistics_are_float32_in_half_precision(policy, dtype):
    layer = make(1, momentum=0.0, dtype=policy)
    x = tf.cast(tf.concat([tf.fill([512, 1], 250.0), tf.fill([512, 1], 252.0)], axis=0), dtype)
    y = layer(x, training=True)
    assert y.dtype == dtype
    # Sums beyond the range of float16 (65504), and differences beyond the 8 bits of bfloat16.
    assert layer.moving_mean.numpy()[0] == 251
    assert layer.moving_variance.numpy()[0] == pytest.approx(1024 / 1023)
    assert [weight.dtype for weight in layer.weights] == ["float32"] * 4
    expected = np.repeat([[-1.0], [1.0]], 512, axis=0) * layer.gain.numpy() + layer.offset.numpy()
    assert_close(tf.cast(y, tf.float32), expected, 2**-8)  # rounded once, to 8 bits in bfloat16
    layer.moving_mean.assign([251.0])  # bfloat16 has 250 and 252
    assert_close(tf.cast(layer(x), tf.float32), expected, 2**-7)


def test_fresh_weights():
    layer = BatchNorm(gain_stddev=0.02)
    layer.build((None, 4, 4, 10_000))
    assert np.mean(layer.gain) == pytest.approx(1, abs=0.001)  # 5 standard errors
    assert np.std(layer.gain) == pytest.approx(0.02, rel=0.05)
    assert not np.any(layer.offset)
    assert [weight.name for weight in layer.trainable_weights] == ["gain", "offset"]
    assert [weight.name for weight in layer.non_trainable_weights] == ["moving_mean", "moving_variance"]


def test_config_round_trip():
    layer = BatchNorm(momentum=0.99, epsilon=1e-3, gain_stddev=0.02, name="norm")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_two_devices_equal_one_with_the_whole_batch(tmp_path):  # in a process of its own: logical devices are made before TensorFlow starts
    path = tmp_path / "results.npz"
    command = [sys.executable, "-m", "tests.layers.batch_norm_on_devices", str(path)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(path) as results:
        names = {name.split("|")[1] for name in results}
        assert {"y", "first", "second", "first/gain", "second/gain", "first/offset", "second/offset", "moving_mean"} < names
        for name in names:
            assert_close(results[f"2|{name}"], results[f"1|{name}"], TOLERANCE, name)
        # Two updates of the one step that counts: by x, then by 2 x.
        x = np.random.RandomState(0).normal(1, 2, (5, 3, 2, 4)).reshape(-1, 4)
        assert_close(results["2|moving_mean"], (0.2 * 0.8 + 0.2 * 2) * x.mean(axis=0), TOLERANCE)
