"""Projection: the search for the w of a given image."""

import numpy as np

from stylegan_tf.inference.projection import ProjectionSettings, pixel_distance, project
from stylegan_tf.inference.sampler import StyleSampler
from tests.inference.small_network import small_generator


def test_an_image_of_the_network_is_found_again():
    G = small_generator(use_noise=False)
    ws = StyleSampler(G).ws(np.random.RandomState(3).randn(1, 4).astype(np.float32))
    target = G.synthesis(ws).numpy()[0]
    steps = list(project(G, target, pixel_distance, settings=ProjectionSettings(num_steps=200, w_samples=200)))
    assert [step.step for step in steps] == list(range(1, 201))
    assert steps[-1].distance < 0.05 * steps[0].distance
    assert steps[-1].ws.shape == (4, 5)
    assert np.ptp(steps[-1].ws, axis=0).max() == 0  # one w for all layers


def test_w_of_every_layer_finds_what_one_w_cannot_unless_the_layers_must_agree():
    G = small_generator(use_noise=False)
    ws = StyleSampler(G).ws(np.random.RandomState(3).randn(4, 4).astype(np.float32))
    target = G.synthesis(np.stack([ws[layer, layer] for layer in range(4)])[None]).numpy()[0]  # another w in every layer

    def found(**settings):
        return list(project(G, target, pixel_distance, settings=ProjectionSettings(num_steps=200, w_samples=200, **settings)))[-1]

    one, every, agreeing = found(), found(per_layer=True, spread_weight=0), found(per_layer=True, spread_weight=1e6)
    assert every.distance < 0.5 * one.distance
    assert np.std(agreeing.ws, axis=0).max() < 0.01 * np.std(every.ws, axis=0).max()


def test_noise_stays_noise():
    G = small_generator()
    list(project(G, np.ones((8, 8, 3), np.float32), pixel_distance, settings=ProjectionSettings(num_steps=20, w_samples=50)))
    for noise in G.synthesis.noise_maps:
        np.testing.assert_allclose([np.mean(noise), np.std(noise)], [0, 1], atol=1e-3)


def test_every_layer_its_own_w_and_classes_and_half_grown():
    G = small_generator(label_size=3)
    steps = list(project(G, np.zeros((4, 4, 3), np.float32), pixel_distance, lod=1.0, labels=np.eye(3, dtype=np.float32)[:1],
                         settings=ProjectionSettings(num_steps=4, w_samples=50, per_layer=True)))  # fmt: skip
    assert np.ptp(steps[-1].ws, axis=0).max() > 0


def test_the_same_seed_searches_the_same_way():
    found = [list(project(small_generator(), np.zeros((8, 8, 3), np.float32), pixel_distance,
                          settings=ProjectionSettings(num_steps=3, w_samples=50)))[-1].ws for _ in range(2)]  # fmt: skip
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
