"""generate.py directions from the command line: find, show, edit; and interpolate with an edit."""

import numpy as np
import pytest
from PIL import Image

import generate
from stylegan_tf.inference.directions.file import load_directions
from stylegan_tf.inference.directions.scores import ImageClassifier, Measures
from tests.test_generate import names, network, refused, run, save, without_styles  # noqa: F401  fixtures


def brightness(images):
    import tensorflow as tf

    mean = tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2, 3]) / 50 - 2.5
    return tf.stack([mean, -mean], axis=1)


def measures(request):
    assert request.side == 8
    distance = lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).mean(axis=(1, 2, 3))  # noqa: E731
    return lambda: Measures(
        ImageClassifier(brightness, ["bright", "dark"], "brightness"), distance, lambda images: float(len(images)), "images"
    )


@pytest.fixture
def found(network, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(generate, "prepare_measures", measures)
    out = tmp_path / "found"
    run("directions", "find", "--network", network, "--count", "2", "--num-images", "60", "--score-images", "4", "--scores", "none",
        "--steps=-1,0,1", "--seeds", "0-1", "--outdir", out)  # fmt: skip
    return out


def test_find_show_edit_and_interpolate(network, found, tmp_path, capsys):  # noqa: F811
    assert names(found) == ["directions.npz", "pca0.png", "pca1.png", "sefa0.png", "sefa1.png"]
    run(
        "directions",
        "show",
        "--network",
        network,
        "--directions",
        found / "directions.npz",
        "--names",
        "pca0",
        "--outdir",
        tmp_path / "show",
    )
    assert names(tmp_path / "show") == ["pca0.png"]
    assert "pca0                 pca" in capsys.readouterr().out
    edit = ["--network", network, "--directions", found / "directions.npz", "--apply", "pca0=2", "sefa1=-1@2-3"]
    run("directions", "edit", *edit, "--seeds", "3-4", "--outdir", tmp_path / "edit", "--save-w", tmp_path / "w.npz",
        "--video", tmp_path / "edit.gif", "--frames", "4")  # fmt: skip
    assert names(tmp_path / "edit") == ["seed0003.png", "seed0004.png"]
    with Image.open(tmp_path / "edit.gif") as video:
        assert video.n_frames == 4
    # The edited w, read back without an edit, gives the edited images.
    run("images", "--network", network, "--w", tmp_path / "w.npz", "--outdir", tmp_path / "again")
    pairs = [(tmp_path / "edit" / "seed0004.png", tmp_path / "again" / "0001.png")]
    for first, second in pairs:
        assert np.abs(np.asarray(Image.open(first)).astype(int) - np.asarray(Image.open(second))).max() <= 1
    run("images", "--network", network, "--seeds", "4", "--outdir", tmp_path / "plain")
    assert np.any(np.asarray(Image.open(tmp_path / "plain" / "seed0004.png")) != np.asarray(Image.open(pairs[0][0])))
    run("directions", "edit", *edit, "--w", tmp_path / "w.npz", "--grid", "--outdir", tmp_path / "grid")
    assert names(tmp_path / "grid") == ["edited.png"]
    walk = ["--seeds", "0-1", "--frames", "2", "--no-loop"]
    run("interpolate", *edit, *walk, "--output", tmp_path / "edited.gif")
    run("interpolate", "--network", network, *walk, "--output", tmp_path / "plain.gif")
    with Image.open(tmp_path / "edited.gif") as edited, Image.open(tmp_path / "plain.gif") as plain:
        assert np.any(np.asarray(edited.convert("RGB")) != np.asarray(plain.convert("RGB")))


def test_scores_stand_beside_directions_and_the_boundary_ranks_first(network, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setattr(generate, "prepare_measures", measures)
    for number in range(4):
        np.savez(tmp_path / f"{number}.npz", w=np.full((1, 5), (number - 1.5) + 0.1 * number**2, np.float32))
    files = [str(tmp_path / f"{number}.npz") for number in range(4)]
    run("directions", "find", "--network", network, "--method", "sefa", "channels", "photographs", "--count", "1", "--score-images", "4",
        "--scores", "logits,lpips", "--positive", *files[2:], "--negative", *files[:2], "--name", "high", "--steps=-1,1", "--seeds", "0",
        "--outdir", tmp_path / "out")  # fmt: skip
    directions = load_directions(tmp_path / "out" / "directions.npz", num_ws=4, w_dim=5)
    assert {direction.method for direction in directions} == {"sefa", "channels", "photographs"}
    changes = [abs(direction.scores["target_per_step"]) for direction in directions]
    assert changes == sorted(changes, reverse=True)
    for direction in directions:
        scores = direction.scores
        assert len(scores["target_by_step"]) == 2
        assert {"target", "others_per_step", "lpips_per_step", "kid", "kid_unedited"} <= scores.keys()
    assert any("held_out_accuracy" in direction.scores for direction in directions)
    assert "KID: against images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["find", "--method", "classes"], "--data"),
        (["find", "--steps", "1"], "--steps"),
        (["find", "--scores", "fid"], "--scores"),
        (["find", "--scores", "kid"], "--data"),
        (["find", "--count", "0"], "--count"),
        (["find", "--layers", "0-9"], "layers 0 to 3"),
        (["find", "--method", "photographs", "--positive", "a.npz"], "--negative"),
        (["find", "--method", "pictures"], "--positive"),
        (["find", "--method", "pictures", "--positive", "nowhere", "--negative", "nowhere"], "nowhere"),
        (["find", "--name", "a b"], "--name"),
        (["show", "--directions", "none.npz"], "none.npz"),
        (["edit", "--seeds", "1"], "--directions"),
        (["edit", "--seeds", "1", "--directions", "none.npz", "--apply", "a=1"], "none.npz"),
        (["edit", "--apply", "a=1"], "--seeds"),
    ],
)
def test_wrong_calls_are_refused_before_anything_is_written(network, tmp_path, monkeypatch, capsys, arguments, message):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, "directions", *arguments, "--network", network)
    assert names(tmp_path) == []


@pytest.mark.parametrize("without_styles", [0], indirect=True)
def test_models_without_styles_are_refused_by_name(without_styles, capsys):  # noqa: F811
    assert "tiny" in refused(capsys, "directions", "find", "--network", without_styles[0])


def test_layers_that_are_still_growing_are_left_out(tmp_path):
    path = save(tmp_path / "half.pkl", lod=1.0)
    run("directions", "find", "--network", path, "--method", "sefa", "--count", "1", "--scores", "none", "--outdir", tmp_path / "out")
    assert load_directions(tmp_path / "out" / "directions.npz", num_ws=4, w_dim=5)[0].layers == (0, 1)
