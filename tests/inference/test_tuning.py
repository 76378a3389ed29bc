"""Pivotal tuning: the generator comes to give one image, and others stay nearly as they are."""

import numpy as np
import pytest

from stylegan_tf.inference.projection import TuningSettings, pixel_distance, statistics_of_w, tune
from stylegan_tf.inference.sampler import StyleSampler
from stylegan_tf.models.weights import weight_arrays
from tests.inference.small_network import small_generator

STEPS = 100


def tuned(locality_weight, **options):
    """A generator tuned to an image of its own, by way of the average w: the generator, the steps, and the change of other images."""
    G = small_generator(**options)
    labels = np.eye(3, dtype=np.float32) if options.get("label_size") else None
    ws = StyleSampler(G).ws(np.random.RandomState(0).randn(9, 4).astype(np.float32), None if labels is None else labels[[0] * 9])
    pivot = np.tile(statistics_of_w(G, 500, labels=labels)[0], [4, 1])
    near = pivot + 0.5 * (ws - pivot)
    before, target = G.synthesis(near[1:], noise_mode="const").numpy(), G.synthesis(ws[:1], noise_mode="const").numpy()[0]
    settings = TuningSettings(num_steps=STEPS, learning_rate=0.001, locality_weight=locality_weight, locality_samples=4)
    steps = list(tune(G, pivot, target, pixel_distance, settings=settings, labels=labels))
    return G, steps, np.abs(G.synthesis(near[1:], noise_mode="const").numpy() - before).mean()


@pytest.fixture(scope="module")
def free():
    return tuned(0.0)


def test_the_image_comes_close(free):
    _, steps, _ = free
    assert [step.step for step in steps] == list(range(1, STEPS + 1))
    assert steps[-1].distance < 0.1 * steps[0].distance
    assert {step.change for step in steps} == {0.0}


def test_the_penalty_keeps_other_images(free):
    _, steps, change = tuned(3.0)
    assert change < 0.4 * free[2]
    assert steps[0].change == pytest.approx(0, abs=1e-6)  # the same network still
    assert steps[-1].distance < steps[0].distance


def test_only_the_synthesis_network_changes(free):
    before, after = weight_arrays(small_generator()), weight_arrays(free[0])
    kept = {name for name in before if np.array_equal(before[name], after[name])}
    assert {"w_avg", "mapping/dense0/kernel", "synthesis/noise0", "synthesis/noise3"} <= kept
    assert not any(name.endswith("kernel") for name in kept if name.startswith("synthesis/8x8"))


@pytest.mark.slow
def test_networks_with_classes_and_half_grown_ones():
    _, steps, _ = tuned(0.1, label_size=3)
    assert steps[-1].distance < steps[0].distance
    G = small_generator()
    kernel = G.synthesis.blocks[1].to_rgb.kernel.numpy()
    steps = list(tune(G, np.zeros((4, 5), np.float32), np.zeros((4, 4, 3), np.float32), pixel_distance,
                      settings=TuningSettings(num_steps=3), lod=1.0))  # fmt: skip
    assert len(steps) == 3
    np.testing.assert_array_equal(G.synthesis.blocks[1].to_rgb.kernel.numpy(), kernel)  # not used at this level of detail
