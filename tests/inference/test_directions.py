"""Directions in latent space: found where closed forms say, in steps of standard deviations, applied and kept in files."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.inference.directions import find
from stylegan_tf.inference.directions.direction import Direction, Edit, apply_edits, parse_edit, style_offsets
from stylegan_tf.inference.directions.file import check_styles, load_directions, save_directions
from stylegan_tf.inference.directions.scores import ImageClassifier, Measures, Scorer, ranked
from stylegan_tf.models.weights import named_weights
from tests.inference.small_network import small_generator, small_stylegan2

GENERATORS = {"stylegan": small_generator, "stylegan2": small_stylegan2}


@pytest.fixture(scope="module")
def w():
    return np.random.default_rng(1).normal(0, [3, 1, 2, 0.5, 1], (1000, 5)).astype(np.float32)


def test_sefa_gives_eigenvectors_of_the_style_weights_with_lengths_of_standard_deviations(w):
    G = small_generator()
    weights = named_weights(G)
    names = ["synthesis/4x4/conv/style/kernel", "synthesis/8x8/conv0_up/style/kernel"]
    A = np.concatenate([weights[name].numpy() / np.sqrt(5) for name in names], axis=1)  # equalised: divided by sqrt(fan_in)
    values, vectors = np.linalg.eig(A @ A.T)
    order = np.argsort(-values.real)
    for found, index in zip(find.sefa(G, w, [1, 2], 5), order, strict=True):
        expected = vectors[:, index].real
        unit = found.vector[0] / np.linalg.norm(found.vector[0])
        assert abs(unit @ expected) == pytest.approx(1, abs=1e-4)
        assert np.linalg.norm(found.vector[0]) == pytest.approx((w @ expected).std(), rel=1e-3)
        assert found.layers == (1, 2)


def test_steps_of_principal_components_are_standard_deviations(w):
    found = find.pca(SimpleNamespace(num_ws=3), w, [0, 1, 2], 3)
    values = np.sort(np.linalg.eigvalsh(np.cov(w.T, bias=True)))[::-1]
    np.testing.assert_allclose([np.linalg.norm(direction.vector[0]) for direction in found], np.sqrt(values[:3]), rtol=1e-4)
    assert abs(found[0].vector[0, 0]) > 2.9  # the first axis varies most
    assert found[0].vector.shape == (3, 5)


def test_a_known_direction_of_a_linear_generator_is_found_and_ranks_first(w):
    known = np.array([0.1, 0.8, -0.2, 0.5, 0.2]) / np.linalg.norm([0.1, 0.8, -0.2, 0.5, 0.2])

    def images_of(points):  # brighter along the known direction, with a pattern along another
        levels = 128 + 20 * points @ known
        pattern = np.resize([1.0, -1.0], (4, 4, 1)) * (points[:, 0] * 5)[:, None, None, None]
        return np.clip(levels[:, None, None, None] + pattern, 0, 255).astype(np.uint8)

    def logits(images):
        return np.asarray(images, np.float32).mean(axis=(1, 2, 3))[:, None] / 10 - 12.8

    G = SimpleNamespace(num_ws=2)
    found = find.boundary(G, w, logits(images_of(w))[:, 0], [0, 1], name="bright", method="classes")
    assert found.vector[0] @ known / np.linalg.norm(found.vector[0]) > 0.98
    assert found.scores["held_out_accuracy"] > 0.97
    ws = np.repeat(w[:20, None], 2, axis=1)
    measures = Measures(ImageClassifier(logits, ["bright"], "brightness"))
    edited = lambda direction, step: images_of(ws[:, 0] if direction is None else ws[:, 0] + step * direction.vector[0])  # noqa: E731
    scorer = Scorer(edited, measures, [-2, 0, 2])
    candidates = [*find.pca(G, w, [0, 1], 5), found]
    scored = ranked([Direction(d.name, d.vector, d.layers, d.method, scorer.score(d)) for d in candidates])
    assert scored[0].name == "bright"
    expected = 2 * np.linalg.norm(found.vector[0])  # 20 levels for a length of 1, 10 levels for a logit of 1
    assert scored[0].scores["target_per_step"] == pytest.approx(expected, rel=0.05)
    assert scored[0].scores["target_by_step"][1] == 0


def test_labels_without_meaning_are_not_held_out(w):
    labels = np.random.default_rng(2).normal(size=len(w))
    found = find.boundary(SimpleNamespace(num_ws=1), w, labels, [0], name="none", method="classes")
    assert abs(found.scores["held_out_accuracy"] - 0.5) < 0.08


def test_boundary_of_photographs_keeps_the_layers_of_w_plus(w):
    G, rng = SimpleNamespace(num_ws=2), np.random.default_rng(3)
    positive, negative = (rng.normal(0, 0.1, (6, 2, 5)) + sign * np.array([[0, 0, 0, 0, 0], [0, 1, 0, 0, 0]]) for sign in (1, -1))
    found = find.boundary_of_photographs(G, w, positive, negative, name="kind")
    unit = found.vector / np.linalg.norm(found.vector)
    assert unit[1, 1] > 0.95
    assert found.scores["held_out_accuracy"] == 1
    one = find.boundary_of_photographs(G, w, *(np.repeat(side[:, 1:], 2, axis=1) for side in (positive, negative)), name="kind")
    np.testing.assert_array_equal(one.vector[0], one.vector[1])


@pytest.mark.parametrize("model", GENERATORS)
def test_a_step_of_w_is_a_step_of_the_styles_that_it_gives(model):
    G = GENERATORS[model]()
    rng = np.random.default_rng(4)
    ws, step = rng.normal(size=(2, G.num_ws, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    of_w = Edit(Direction("d", np.tile(step, (G.num_ws, 1)), (1, 2), "test"), 2.0, (1, 2))
    styles = np.concatenate([step @ np.asarray(dense.kernel) * dense.scale for _, dense in G.style_layers()])
    of_styles = Edit(Direction("s", styles, (1, 2), "test"), 2.0, (1, 2))
    before = G.synthesis(ws, noise_mode="const").numpy()
    expected = G.synthesis(apply_edits(ws, [of_w, of_styles], 0.5), noise_mode="const").numpy()
    with style_offsets(G, [of_w, of_styles], 0.5):
        found = G.synthesis(ws, noise_mode="const").numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())
    assert np.abs(found - before).max() > 0.01 * np.abs(before).max()
    np.testing.assert_array_equal(G.synthesis(ws, noise_mode="const"), before)  # restored


def test_effects_of_style_channels_are_the_changes_of_the_image():
    G = small_stylegan2()
    ws = np.random.default_rng(5).normal(size=(2, G.num_ws, 5)).astype(np.float32)
    num_styles = sum(dense.bias.shape[0] for _, dense in G.style_layers())
    effects = find.image_effects(G, ws, np.ones(num_styles, np.float32), lod=0.0, seed=0)
    before = G.synthesis(ws, noise_mode="const").numpy()
    exact = []
    for channel in range(num_styles):
        offsets = np.zeros(num_styles, np.float32)
        offsets[channel] = 1e-2
        with style_offsets(G, [Edit(Direction("c", offsets, tuple(range(G.num_ws)), "test"), 1.0, tuple(range(G.num_ws)))]):
            change = (G.synthesis(ws, noise_mode="const").numpy() - before) / 1e-2
        exact.append(np.sqrt((change**2).sum() / len(ws)))
    exact = np.array(exact)
    large = exact > 0.1 * exact.max()
    np.testing.assert_allclose(effects[large], exact[large], rtol=0.5)  # 32 random projections: deviation 12 %
    found = find.channels(G, ws[:, 0], range(G.num_ws), 2, lambda std: effects, "channels")
    assert np.abs(found[0].vector).argmax() == effects.argmax()
    assert np.count_nonzero(found[0].vector) == 1


def test_effects_on_a_logit_have_the_sign_of_the_change():
    G = small_generator()
    ws = np.random.default_rng(6).normal(size=(2, G.num_ws, 5)).astype(np.float32)
    import tensorflow as tf

    logits = lambda images: tf.stack([tf.reduce_mean(images, axis=[1, 2, 3]), -tf.reduce_mean(images, axis=[1, 2, 3])], axis=1)  # noqa: E731
    std = np.ones(sum(dense.bias.shape[0] for _, dense in G.style_layers()), np.float32)
    options = {"logits": logits, "lod": 0.0}
    np.testing.assert_allclose(
        find.logit_effects(G, ws, std, target=0, **options), -find.logit_effects(G, ws, std, target=1, **options), rtol=1e-4
    )


def two_directions():
    return [
        Direction(
            "sefa0", np.ones((4, 5), np.float32), (0, 1), "sefa", {"target": "oak", "target_by_step": [-1.0, 1.0], "lpips_per_step": 0.1}
        ),
        Direction("style3.1", np.ones(7, np.float32), (2,), "channels"),
    ]


def test_directions_survive_their_file(tmp_path):
    save_directions(tmp_path / "d.npz", two_directions(), [-1, 1])
    found = load_directions(tmp_path / "d.npz", num_ws=4, w_dim=5)
    assert [(d.name, d.layers, d.method, d.scores) for d in found] == [(d.name, d.layers, d.method, d.scores) for d in two_directions()]
    np.testing.assert_array_equal(found[0].vector, np.ones((4, 5)))
    assert [d.is_of_styles for d in found] == [False, True]
    with pytest.raises(UserError, match="sefa0 has the shape"):
        load_directions(tmp_path / "d.npz", num_ws=6, w_dim=5)
    with pytest.raises(UserError, match=r"style3.1 was found in a network with 7 style channels"):
        check_styles(found, "d.npz", small_generator())


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"directions": []},
        {"directions": [{"name": "../x", "method": "m", "layers": [0], "scores": {}}]},
        {"directions": [{"name": "a", "method": "m", "layers": [9], "scores": {}}]},
        {"directions": [{"name": "a", "method": "m", "layers": [0], "scores": {"kid": "x" * 1000}}]},
        {"directions": [{"name": "a", "method": "m", "layers": ["0"], "scores": {}}]},
        {"directions": [{"name": "a", "method": "m", "layers": [0], "scores": {}}] * 2},
        {"directions": 3},
    ],
)
def test_files_of_others_are_refused_with_one_line(tmp_path, change):
    about = {"format": "stylegan_tf directions 1", "directions": [{"name": "a", "method": "m", "layers": [0], "scores": {}}]} | change
    arrays = {f"vector{number}": np.ones((4, 5), np.float32) for number in range(2)}
    np.savez(tmp_path / "d.npz", about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
    with pytest.raises(UserError, match=r"d\.npz"):
        load_directions(tmp_path / "d.npz", num_ws=4, w_dim=5)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    save_directions(tmp_path / "d.npz", [Direction("a", np.full((4, 5), np.nan), (0,), "m")], [-1, 1])
    with pytest.raises(UserError, match="finite"):
        load_directions(tmp_path / "d.npz", num_ws=4, w_dim=5)


def test_edits_are_named_with_strength_and_layers():
    edit = parse_edit("sefa0=-2.5@1-3", two_directions(), 4)
    assert (edit.direction.name, edit.strength, edit.layers) == ("sefa0", -2.5, (1, 2, 3))
    assert parse_edit("sefa0=1", two_directions(), 4).layers == (0, 1)
    edited = apply_edits(np.zeros((1, 4, 5)), [edit])
    np.testing.assert_array_equal(edited[0, :, 0], [0, -2.5, -2.5, -2.5])


@pytest.mark.parametrize("text", ["sefa0", "sefa9=1", "sefa0=x", "sefa0=nan", "sefa0=1e9", "sefa0=1@7", "sefa0=1@a"])
def test_edits_that_cannot_be_understood_are_refused(text):
    with pytest.raises(UserError):
        parse_edit(text, two_directions(), 4)
