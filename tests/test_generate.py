"""generate.py from the command line: what each command writes, and what it refuses."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import dataset_tool
import generate
import stylegan_tf
from stylegan_tf import command_line, data, models, safe_pickle, snapshot
from stylegan_tf.images import to_uint8
from stylegan_tf.inference.export import onnxruntime_web
from stylegan_tf.legacy import unpickler
from stylegan_tf.seeds import classes_from_seeds, latents_from_seeds, one_hot
from tests import tiny_model
from tests.inference.small_network import small_discriminator, small_generator, small_stylegan2
from tests.legacy.official_files import official_bytes

CHECKOUT = Path(__file__).parents[1]


def save(path, *, lod=0.0, dataset=None, **options):
    G = small_generator(**options)
    D = small_discriminator(**{name: options[name] for name in ("label_size", "channels") if name in options})
    snapshot.save_networks(path, snapshot.Networks(G, D, G, nimg=1000, lod=lod, dataset=dataset or {}))
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return str(save(tmp_path_factory.mktemp("network") / "network-final.pkl"))


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "conditional.pkl"
    return str(save(path, label_size=3, channels=1, dataset={"class_names": ["hat", "dress", "shirt"]}))


def run(*arguments):
    assert command_line.run(generate.main, [str(argument) for argument in arguments]) == 0


def refused(capsys, *arguments):
    """The error message of a command."""
    assert command_line.run(generate.main, [str(argument) for argument in arguments]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("error: ")
    return message


def forbid_building(monkeypatch):
    monkeypatch.setattr(snapshot, "make_generator", lambda *_, **__: pytest.fail("the network was built"))


def test_damaged_snapshots_leave_no_folder(network, tmp_path, capsys):  # a count of 400 digits was a traceback
    whole = safe_pickle.read_pickle(network)
    weights = {name: array[..., :1] for name, array in whole["G_ema"].items()}
    for changes, message in (({"nimg": 10**400}, "`nimg` must be from 0"), ({"G_ema": weights}, "must have the shape")):
        safe_pickle.write_pickle(tmp_path / "odd.pkl", whole | changes)
        assert message in refused(capsys, "images", "--network", tmp_path / "odd.pkl", "--seeds", 1, "--outdir", tmp_path / "out")
        assert not (tmp_path / "out").exists()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=[0, 3])
def without_styles(tmp_path, monkeypatch, request):
    """A snapshot of a model that has no styles, unconditional and conditional."""
    tiny_model.register(monkeypatch)
    from tests.tiny_model.model import networks

    G, D = networks(label_size=request.param)
    snapshot.save_networks(tmp_path / "tiny.pkl", snapshot.Networks(G, D, G, model="tiny"))
    return str(tmp_path / "tiny.pkl"), G


def test_help_is_quick_and_needs_no_tensorflow():
    script = "import sys, json, generate\ntry: generate.main(['images', '--help'])\nexcept SystemExit: pass\n"
    script += "print(json.dumps([name for name in ('tensorflow', 'keras', 'scipy') if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert "--seeds" in done.stdout


@pytest.fixture(scope="module")
def stylegan2(tmp_path_factory):
    path, G = tmp_path_factory.mktemp("network") / "stylegan2.pkl", small_stylegan2()
    D = models.find("stylegan2").Discriminator(models.network_settings("stylegan2")[1](fmap_base=32, fmap_max=4), resolution=8)
    snapshot.save_networks(path, snapshot.Networks(G, D, G, model="stylegan2"))
    return str(path)


@pytest.mark.parametrize(
    ("command", "written"),
    [
        ("images --seeds 0-3 --grid", "grid.png"),
        ("style-mixing --rows 1,2 --cols 3 --styles 0-1", "style-mixing-0-1.png"),
        ("truncation --seeds 1,2 --psis 1,0", "truncation.png"),
        ("noise --seeds 1 --samples 5", "noise-components.png"),
        ("project --distance pixels --steps 2 --video none --target {target}", "projected.npz"),
        ("directions find --method sefa --count 1 --scores none --seeds 0", "directions.npz"),
    ],
)
def test_commands_work_with_stylegan2(stylegan2, tmp_path, command, written):
    target = tmp_path / "target.png"
    Image.new("RGB", (8, 8), "red").save(target)
    run(*(part.format(target=target) for part in command.split()), "--network", stylegan2, "--outdir", tmp_path / "out")
    assert written in names(tmp_path / "out")


def test_images_of_seeds(network, tmp_path, capsys):
    latents = tmp_path / "l.npz"
    run("images", "--network", network, "--seeds", "3,5-6", "--trunc", "1", "--outdir", tmp_path / "out", "--save-latents", latents)
    assert names(tmp_path / "out") == ["seed0003.png", "seed0005.png", "seed0006.png"]
    assert "3 images of 8x8" in capsys.readouterr().out
    kept = np.load(latents)
    np.testing.assert_array_equal(kept["z"], latents_from_seeds([3, 5, 6], 4))
    assert kept["w"].shape == (3, 4, 5)
    run("images", "--network", network, "--latents", latents, "--trunc", "1", "--outdir", tmp_path / "z")
    run("images", "--network", network, "--w", latents, "--outdir", tmp_path / "w", "--batch", "2")
    for number, seed in enumerate((3, 5, 6)):
        expected = np.asarray(Image.open(tmp_path / "out" / f"seed{seed:04d}.png")).astype(int)
        for folder in ("z", "w"):
            written = np.asarray(Image.open(tmp_path / folder / f"{number:04d}.png"))
            assert np.abs(written - expected).max() <= 1


def test_images_of_a_model_without_styles(without_styles, tmp_path):
    network, G = without_styles
    out = tmp_path / "out"
    run("images", "--network", network, "--seeds", "3,5-6", "--outdir", out, "--save-latents", tmp_path / "z.npz", "--batch", "2")
    z = latents_from_seeds([3, 5, 6], 4)
    np.testing.assert_array_equal(np.load(tmp_path / "z.npz")["z"], z)
    labels = one_hot(classes_from_seeds([3, 5, 6], 3), 3) if G.label_size else None
    expected = to_uint8(G.sample(z, labels).numpy()).astype(int)
    assert len(names(out)) == 3
    for name, image in zip(names(out), expected, strict=True):
        assert np.abs(np.asarray(Image.open(out / name)) - image).max() <= 1
    run("images", "--network", network, "--latents", tmp_path / "z.npz", "--grid", "3x1", "--outdir", tmp_path / "grid")
    assert Image.open(tmp_path / "grid/grid.png").size[0] == 3 * 128 + 4 * 4
    run("interpolate", "--network", network, "--seeds", "0-3", "--frames", "3", "--grid", "2x1", "--output", tmp_path / "walk.gif")
    with Image.open(tmp_path / "walk.gif") as video:
        assert (video.n_frames, video.size) == (6, (512, 256))
    run("export", "--network", network, "--output", tmp_path / "model")
    run("export", "--network", network, "--format", "keras", "--output", tmp_path / "model")
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "model.keras")(z, labels), G.sample(z, labels), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["images", "--seeds", "1", "--trunc", "0.5"], "--trunc"),
        (["images", "--seeds", "1", "--trunc-cutoff", "2"], "--trunc-cutoff"),
        (["images", "--seeds", "1", "--noise", "none"], "--noise"),
        (["images", "--w", "w.npy"], "--w"),
        (["interpolate", "--output", "a.gif", "--trunc", "1"], "--trunc"),
        (["interpolate", "--output", "a.gif", "--w", "w.npy"], "--w"),
        (["interpolate", "--output", "a.gif", "--space", "w"], "--space w"),
        (["export", "--truncation", "0.5"], "--truncation"),
        (["style-mixing"], "Style mixing"),
        (["truncation"], "Truncation"),
        (["noise"], "The noise figure"),
        (["figures"], "The set of figures"),
        (["project", "--target", "image.png", "--distance", "pixels"], "Projection"),
    ],
)
@pytest.mark.parametrize("without_styles", [0], indirect=True)
def test_what_needs_styles_is_refused_by_name(without_styles, tmp_path, monkeypatch, capsys, arguments, what):
    forbid_building(monkeypatch)
    monkeypatch.chdir(tmp_path)
    np.save("w.npy", np.zeros((2, 5)))
    Image.new("RGB", (8, 8)).save("image.png")
    expected = f"error: {what} needs a model with styles; {without_styles[0]} contains a network of the model tiny, which has none."
    assert refused(capsys, *arguments, "--network", without_styles[0]) == expected
    assert names(tmp_path) == ["image.png", "tiny.pkl", "w.npy"]


@pytest.mark.parametrize("without_styles", [0], indirect=True)
def test_a_model_that_does_not_grow_has_one_resolution(without_styles, capsys):
    assert "omit --lod" in refused(capsys, "images", "--seeds", "1", "--lod", "1", "--network", without_styles[0])


@pytest.mark.parametrize("command", ["images", "interpolate", "truncation", "project"])
@pytest.mark.parametrize("is_official", [False, True])
def test_a_network_file_is_read_once(network, tmp_path, monkeypatch, command, is_official):
    if is_official:
        network = tmp_path / "official.pkl"
        network.write_bytes(official_bytes())
    read, paths = safe_pickle.read_pickle, []

    def count(path, **options):
        paths.append(str(path))
        return read(path, **options)

    monkeypatch.setattr(safe_pickle, "read_pickle", count)
    monkeypatch.setattr(unpickler, "read_pickle", count)
    Image.new("RGB", (8, 8)).save(tmp_path / "image.png")
    options = {
        "images": ["--seeds", "1", "--outdir", tmp_path],
        "interpolate": ["--seeds", "0-1", "--frames", "1", "--output", tmp_path / "walk.gif"],
        "truncation": ["--seeds", "1", "--psis", "1", "--outdir", tmp_path],
        "project": ["--target", tmp_path / "image.png", "--distance", "pixels", "--steps", "1", "--video", "none", "--outdir", tmp_path],
    }
    run(command, "--network", network, *options[command])
    assert paths == [str(network)]


def test_grids(network, conditional, tmp_path):
    run("images", "--network", network, "--seeds", "0-4", "--outdir", tmp_path / "one", "--grid")
    assert names(tmp_path / "one") == ["grid.png"]
    run("images", "--network", network, "--seeds", "0-4", "--outdir", tmp_path / "plain", "--grid", "--plain")
    captioned, plain = (np.asarray(Image.open(tmp_path / f"{name}/grid.png")) for name in ("one", "plain"))
    assert plain.shape == (16, 24, 3)
    np.testing.assert_array_equal(captioned[4:132, 4:132], plain[:8, :8].repeat(16, axis=0).repeat(16, axis=1))
    assert captioned.shape[1] == 3 * 128 + 4 * 4
    assert (captioned[4:132, 132:136] == 255).all()
    assert (captioned[132:144, 4:132] < 100).any()  # a caption
    run("images", "--network", conditional, "--seeds", "0-4", "--outdir", tmp_path / "classes", "--grid")
    assert Image.open(tmp_path / "classes/grid.png").height > captioned.shape[0]  # a second line: the class
    run("images", "--network", network, "--seeds", "0-4", "--outdir", tmp_path / "more", "--grid", "2x1")
    assert names(tmp_path / "more") == ["grid0000.png", "grid0001.png", "grid0002.png"]


def test_conditional_networks(conditional, tmp_path, capsys):
    run("images", "--network", conditional, "--seeds", "0-3", "--outdir", tmp_path / "out")
    assert all("-class" in name for name in names(tmp_path / "out"))
    for text in ("1", "dress"):
        run("images", "--network", conditional, "--seeds", "0", "--class", text, "--outdir", tmp_path / text)
        assert names(tmp_path / text) == ["seed0000-class1-dress.png"]
        with Image.open(tmp_path / text / "seed0000-class1-dress.png") as picture:
            assert picture.mode == "L"
            command = f"python generate.py images --network {conditional} --seeds 0 --class {text} --outdir {tmp_path / text}"
            about = {"network": conditional, "kimg": "1", "seed": "0", "psi": "0.7", "trunc_cutoff": "8", "class": "dress"}
            assert picture.text == {"Software": f"stylegan_tf {stylegan_tf.__version__}", **about, "command": command}
    message = refused(capsys, "images", "--network", conditional, "--seeds", "0", "--class", "7", "--outdir", tmp_path)
    assert "Classes are 0 to 2 or hat, dress, shirt" in message
    run("interpolate", "--network", conditional, "--seeds", "0-1", "--frames", "2", "--output", tmp_path / "walk.gif")


def test_class_names_become_safe_file_names(tmp_path):
    path = save(tmp_path / "n.pkl", label_size=3, dataset={"class_names": ["../../x", "wei\u00df / gro\u00df", "\u8449"]})
    run("images", "--network", path, "--seeds", "0-7", "--outdir", tmp_path / "out")
    found = {name.split("-", 1)[1] for name in names(tmp_path / "out")}
    assert found == {"class0-x.png", "class1-wei_gro.png", "class2.png"}
    texts = {Image.open(file).text["class"] for file in (tmp_path / "out").iterdir()}
    assert texts == {"../../x", "wei\u00df / gro\u00df", "\u8449"}


def test_without_seeds_64_images_are_made(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("images", "--network", network, "--batch", "64")
    assert names(tmp_path / "out") == [f"seed{seed:04d}.png" for seed in range(64)]


def test_images_of_half_grown_networks_have_their_size(tmp_path):
    path = save(tmp_path / "half.pkl", lod=1.0, channels=4)
    run("images", "--network", path, "--seeds", "0", "--outdir", tmp_path / "out")
    picture = Image.open(tmp_path / "out/seed0000.png")
    assert (picture.size, picture.mode) == ((4, 4), "RGBA")
    run("images", "--network", path, "--seeds", "0", "--lod", "0", "--outdir", tmp_path / "full")
    assert Image.open(tmp_path / "full/seed0000.png").size == (8, 8)


def test_half_grown_networks_are_not_exported_to_keras(tmp_path, capsys):  # loaded again, they ran layers that were never trained
    path = save(tmp_path / "half.pkl", lod=1.0)
    message = refused(capsys, "export", "--network", path, "--format", "keras", "--output", tmp_path / "model")
    assert "is at lod 1" in message
    assert "--format savedmodel" in message


def test_official_pickles_and_run_folders(network, tmp_path):
    (tmp_path / "official.pkl").write_bytes(official_bytes())
    run("images", "--network", tmp_path / "official.pkl", "--seeds", "0", "--outdir", tmp_path / "out")
    run("images", "--network", Path(network).parent, "--seeds", "0", "--outdir", tmp_path / "folder")
    assert names(tmp_path / "out") == names(tmp_path / "folder") == ["seed0000.png"]


def test_without_a_network_the_newest_run_is_used(network, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "Name the network: --network" in refused(capsys, "images", "--seeds", "0")
    for name in ("00001-old", "00002-new", "00003-begun", "notes"):
        (tmp_path / "results" / name).mkdir(parents=True)
    assert "Name the network: --network" in refused(capsys, "images", "--seeds", "0")
    for name in ("00001-old", "00002-new", "notes"):
        (tmp_path / "results" / name / "network-snapshot-000010.pkl").write_bytes(Path(network).read_bytes())
    capsys.readouterr()
    assert command_line.run(generate.main, ["images", "--seeds", "0", "--lod", "2"]) == 2
    captured = capsys.readouterr()
    assert captured.out == f"--network {Path('results', '00002-new')}\n"
    assert "is from 1 to 0" in captured.err  # it was read


def test_figures(network, tmp_path):
    run("style-mixing", "--network", network, "--rows", "1,2", "--cols", "3,4,5", "--styles", "0-1", "2-3", "--outdir", tmp_path / "mix")
    assert {"style-mixing-0-1.png", "style-mixing-2-3.png", "seed0002-styles2-3-of-seed0005.png"} <= set(names(tmp_path / "mix"))
    figure = Image.open(tmp_path / "mix/style-mixing-0-1.png")
    assert figure.width > 4 * 128
    assert figure.height > 3 * 128
    assert figure.info["dpi"] == pytest.approx((150, 150), abs=0.1)
    assert (figure.text["seed"], figure.text["styles_of"], figure.text["psi"]) == ("1,2", "3,4,5", "1")
    run("truncation", "--network", network, "--seeds", "1,2", "--psis=-1,0,1", "--outdir", tmp_path)
    assert Image.open(tmp_path / "truncation.png").width > 3 * 128
    run("noise", "--network", network, "--seeds", "1", "--samples", "6", "--outdir", tmp_path)
    assert Image.open(tmp_path / "noise-components.png").width > 4 * 128
    run("figures", "--network", network, "--samples", "6", "--outdir", tmp_path / "paper")
    assert [name[:8] for name in names(tmp_path / "paper")] == ["figure02", "figure03", "figure04", "figure05", "figure08"]


@pytest.mark.parametrize("space", ["z", "w"])
def test_interpolations(network, tmp_path, space):
    output = tmp_path / "walk.gif"
    run("interpolate", "--network", network, "--seeds", "0-3", "--frames", "3", "--grid", "2x1", "--space", space, "--output", output)
    with Image.open(output) as video:
        assert (video.n_frames, video.size) == (6, (512, 256))


def test_an_interpolation_from_file_to_file(network, tmp_path):
    for seed in (3, 4):
        run("images", "--network", network, "--seeds", seed, "--outdir", tmp_path, "--save-latents", tmp_path / f"{seed}.npz")
    output = tmp_path / "walk.webp"
    run("interpolate", "--network", network, "--w", tmp_path / "3.npz", tmp_path / "4.npz", "--frames", "2", "--output", output)
    with Image.open(output) as video:
        assert video.n_frames == 4
        for frame, seed in ((0, 3), (2, 4)):
            video.seek(frame)
            shown = np.asarray(video.convert("RGB").resize((8, 8), Image.Resampling.BOX)).astype(int)
            assert np.abs(shown - np.asarray(Image.open(tmp_path / f"seed{seed:04d}.png"))).mean() < 20  # .webp loses a little


def test_project(network, tmp_path, capsys):
    run("images", "--network", network, "--seeds", "7", "--outdir", tmp_path)
    run("project", "--network", network, "--target", tmp_path / "seed0007.png", "--distance", "pixels", "--steps", "5", "--video", "gif",
        "--outdir", tmp_path / "proj")  # fmt: skip
    assert names(tmp_path / "proj") == ["progress.gif", "progress.png", "projected.npz", "projected.png", "target.png"]
    assert "seed0007: start -> w: squared difference " in capsys.readouterr().out
    for name in ("target.png", "projected.png"):
        text = Image.open(tmp_path / "proj" / name).text
        assert text["target"] == str(tmp_path / "seed0007.png")
        assert "generate.py project" in text["command"]
    run("images", "--network", network, "--w", tmp_path / "proj/projected.npz", "--outdir", tmp_path / "again")
    message = refused(capsys, "project", "--network", network, "--target", tmp_path / "seed0007.png", "--outdir", tmp_path / "proj")
    assert "LPIPS needs images of at least 16x16" in message


@pytest.mark.slow  # four searches are traced
def test_photographs_are_projected_and_a_network_is_tuned_to_each(network, tmp_path, capsys):
    # As dataset_tool.py prepares them: upright, transparency before white, the central square.
    rng, photos = np.random.RandomState(0), tmp_path / "photos"
    photos.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(rng.randint(0, 256, (24, 37, 3), np.uint8)).save(photos / "turned.jpg", exif=exif, quality=95)
    Image.fromarray(rng.randint(0, 256, (19, 16, 4), np.uint8)).save(photos / "clear.png")
    run("project", "--network", network, "--target", photos / "clear.png", photos / "turned.jpg", "--distance", "pixels", "--steps", "3",
        "--method", "pti", "--tuning-steps", "20", "--video", "none", "--outdir", tmp_path / "proj")  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    dataset_tool.main(["create_from_images", str(tmp_path / "data"), str(photos), "--resolution", "8", "--channels", "3", "--shuffle", "0"])
    records = data.read_images(data.open_dataset(tmp_path / "data"), [0, 1])
    for name, record, line in zip(("clear", "turned"), records, lines, strict=True):
        folder = tmp_path / "proj" / name
        assert names(folder) == ["network-tuned.pkl", "progress.png", "projected.npz", "projected.png", "target.png"]
        np.testing.assert_array_equal(np.asarray(Image.open(folder / "target.png")), record)
        found, tuned = map(float, re.search(r"difference \S+ -> (\S+) -> (\S+),", line).groups())
        assert line.startswith(f"{name}: start -> w -> tuned: ")
        assert tuned < found
        again = tmp_path / "again" / name
        run("images", "--network", folder / "network-tuned.pkl", "--w", folder / "projected.npz", "--outdir", again)
        np.testing.assert_array_equal(np.asarray(Image.open(next(again.iterdir()))), np.asarray(Image.open(folder / "projected.png")))


def test_a_photograph_that_is_too_small_is_refused_as_in_a_dataset(network, tmp_path, capsys):
    Image.new("RGB", (3, 9)).save(tmp_path / "small.png")
    message = refused(capsys, "project", "--network", network, "--target", tmp_path / "small.png", "--outdir", tmp_path / "proj")
    assert "small.png is too small: 3x9. The network has images of 8x8; half of that is needed." in message
    Image.new("1", (1200, 1000)).save(tmp_path / "large.png")
    given = ("project", "--network", network, "--target", tmp_path / "large.png", "--max-pixels")
    assert "large.png cannot be used as a picture: too many pixels: 1200x1000; at most 1 million" in refused(capsys, *given, "1")
    assert "LPIPS needs images of at least 16x16" in refused(capsys, *given, "2")  # the next check
    assert not (tmp_path / "proj").exists()


def test_a_plugged_in_distance_is_asked_for_by_name(network, tmp_path, monkeypatch):
    asked = []

    def make_distance(name, path):
        asked.append((name, path))
        return lambda: lambda first, second: (first - second) ** 2

    monkeypatch.setattr(generate, "make_distance", make_distance)
    run("images", "--network", network, "--seeds", "7", "--outdir", tmp_path)
    run("project", "--network", network, "--target", tmp_path / "seed0007.png", "--distance", "pixels", "--lpips", "f", "--steps", "1",
        "--video", "none", "--outdir", tmp_path / "proj")  # fmt: skip
    assert asked == [("pixels", "f")]


def test_wrong_weights_of_lpips_are_refused_before_anything_is_written(tmp_path, monkeypatch, capsys):
    path = save(tmp_path / "network.pkl", resolution=16)
    Image.new("RGB", (16, 16)).save(tmp_path / "photo.png")
    (tmp_path / "wrong.npz").write_text("hello")
    forbid_building(monkeypatch)
    outdir = tmp_path / "proj"
    arguments = ["project", "--network", path, "--target", tmp_path / "photo.png", "--lpips", tmp_path / "wrong.npz", "--outdir", outdir]
    assert command_line.run(generate.main, [str(argument) for argument in arguments]) == 2
    assert "wrong.npz" in capsys.readouterr().err  # and the ways to get the right ones
    assert not outdir.exists()


def test_export(network, tmp_path, capsys):
    run("export", "--network", network, "--truncation", "0.5", "--output", tmp_path / "model")
    assert "images/s" in capsys.readouterr().out
    assert (tmp_path / "model/saved_model.pb").exists()
    run("export", "--network", network, "--format", "keras", "--output", tmp_path / "model")
    assert (tmp_path / "model.keras").exists()


@pytest.mark.slow  # converts five networks
def test_export_for_other_programs(network, tmp_path, monkeypatch, capsys):
    pytest.importorskip("tf2onnx", reason="needs the extra `onnx`")
    run("export", "--network", network, "--format", "onnx", "--opset", "15", "--output", tmp_path / "onnx")
    assert names(tmp_path / "onnx") == ["generator.onnx", "mapping.onnx", "synthesis.onnx"]
    run("export", "--network", network, "--format", "tflite", "--output", tmp_path / "model")
    assert (tmp_path / "model.tflite").exists()
    assert "of TensorFlow; signatures latents, mapping, synthesis, w." in capsys.readouterr().out
    monkeypatch.setattr(onnxruntime_web, "read_files", lambda archive: dict.fromkeys(onnxruntime_web.FILES, b""))
    run("export", "--network", network, "--format", "web", "--output", tmp_path / "page")
    assert f"Open {tmp_path / 'page/index.html'} in a browser" in capsys.readouterr().out


def test_packages_that_are_missing_are_named(network, tmp_path, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "tf2onnx" else find(name, *rest))
    message = refused(capsys, "export", "--network", network, "--format", "onnx", "--output", tmp_path / "onnx")
    assert 'needs the packages tf2onnx: pip install "stylegan_tf[onnx]"' in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["images", "--latents", "x.npy", "--w", "x.npy"], "name one source of the images"),
        (["images", "--seeds", "1", "--w", "x.npy"], "name one source of the images"),
        (["images", "--plain"], "use it with --grid"),
        (["images", "--seeds", "9-1"], "end is below its start"),
        (["images", "--seeds", ""], "seeds must have the form"),  # once a traceback, as the next two
        (["images", "--latents", ""], "is not a file"),
        (["images", "--w", ""], "is not a file"),
        (["images", "--w", "/dev/null"], "is not a file"),
        (["images", "--w", "x.npy", "--trunc", "0.5"], "omit --trunc,"),
        (["images", "--w", "x.npy", "--trunc-cutoff", "2", "--class", "1"], "omit --trunc-cutoff and --class,"),
        (["images", "--seeds", "1", "--network", "none.pkl"], "none.pkl does not exist"),
        (["images", "--seeds", "1", "--batch", "0"], "--batch must be from 1"),
        (["images", "--seeds", "1", "--lod", "9"], "--lod must be from 0"),
        (["images", "--seeds", "1", "--trunc", "nan"], "--trunc must be a number"),
        (["images", "--seeds", "1", "--trunc-cutoff", "x"], "--trunc-cutoff must be"),
        (["images", "--latents", "none.npy"], "none.npy does not exist"),
        (["images", "--seeds", "0-9999", "--grid"], "at most 1024"),
        (["images", "--seeds", "1", "--grid", "2by3"], "columns x rows"),
        (["images", "--seeds", "1", "--outdir", "/dev/null/x"], "cannot be made"),
        (["images", "--seeds", "1", "--outdir", "/proc"], "cannot be written"),
        (["images", "--seeds", "1", "--save-latents", "none/x.npz"], "none does not exist"),
        (["images", "--seeds", "1", "--save-latents", ""], "writes z and w as .npz"),
        (["images", "--seeds", "1", "--save-latents", "x.npy"], "writes z and w as .npz"),
        (["style-mixing", "--rows", "x"], "must have the form"),
        (["style-mixing", "--styles", "4-2"], "end is below its start"),
        (["truncation", "--psis", "a"], "psis must be numbers"),
        (["noise", "--samples", "1"], "--samples must be"),
        (["noise", "--crop", "1,2"], "--crop must be top,bottom,left,right"),
        (["interpolate", "--seeds", "1"], "cannot be split"),
        (["interpolate", "--seeds", "0-2", "--grid", "2x1"], "cannot be split"),
        (["interpolate", "--output", "walk.avi"], ".mp4, .gif, .webp"),
        (["interpolate", "--output", "/proc/w.gif"], "/proc/w.gif cannot be written"),  # root has every permission there
        (["interpolate", "--seeds", "0-999999", "--frames", "100000"], "at most 100,000 frames and seeds"),
        (["interpolate", "--seeds", "0-9999", "--grid", "50x50"], "1,024 images in a frame"),
        (["interpolate", "--w", "x.npy", "--seeds", "0-7"], "omit --seeds"),
        (["interpolate", "--w", "x.npy", "--trunc", "1"], "omit --trunc,"),
        (["interpolate", "--w", "none.npy"], "none.npy does not exist"),
        (["interpolate", "--frames", "0"], "--frames must be at least 1"),
        (["project", "--target", "none.jpg"], "none.jpg does not exist"),
        (["project", "--target", "/dev/null"], "/dev/null is not a file"),
        (["project", "--target", __file__], "cannot be used as a picture"),
        (["project", "--target", "x", "--steps", "0"], "--steps must be"),
        (["export", "--format", "keras", "--images", "uint8"], "for --format savedmodel"),
        (["export", "--format", "keras", "--lod", "1"], "--lod is for --format savedmodel"),  # had no effect
        (["export", "--format", "keras", "--noise", "random"], "--noise random is for --format savedmodel"),  # had no effect
        (["export", "--format", "onnx", "--images", "uint8"], "--images uint8 is for --format savedmodel"),
        (["export", "--format", "tflite", "--noise", "random"], "--noise random is for --format savedmodel"),
        (["export", "--format", "web", "--batch-size", "2"], "--batch-size is for --format savedmodel"),
        (["export", "--onnxruntime-web", "x.tgz"], "--onnxruntime-web is for --format web"),
        (["export", "--output", "."], "exists already"),
        (["export", "--output", "none/model"], "does not exist"),
    ],
)
def test_impossible_options_are_refused_before_the_networks_are_built(network, tmp_path, monkeypatch, capsys, arguments, message):
    forbid_building(monkeypatch)
    monkeypatch.chdir(tmp_path)
    given = arguments if "--network" in arguments else [*arguments, "--network", network]
    assert message in refused(capsys, *given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["images", "--seeds", "1", "--lod", "2"], "is from 1 to 0. Received: 2.0"),
        (["images", "--seeds", "1", "--class", "1"], "without classes"),
        (["style-mixing", "--styles", "0-4"], "layers 0 to 3"),
        (["images", "--latents", "wide.npy"], "z of 9 features; the network has 4"),
        (["interpolate", "--output", "a.gif", "--w", "deep.npy", "deep.npy"], "w for 9 layers; the network has 4"),
        (["images", "--w", "deep.npy"], "w for 9 layers; the network has 4"),
    ],
)
def test_options_impossible_for_the_network_are_refused(network, tmp_path, monkeypatch, capsys, arguments, message):
    forbid_building(monkeypatch)
    monkeypatch.chdir(tmp_path)
    np.save("wide.npy", np.zeros((1, 9)))
    np.save("deep.npy", np.zeros((1, 9, 5)))
    assert message in refused(capsys, *arguments, "--network", network)


def test_an_unknown_device_is_refused(network, tmp_path, capsys):
    assert "no device tpu:7" in refused(capsys, "images", "--seeds", "1", "--device", "tpu:7", "--network", network, "--outdir", tmp_path)


@pytest.mark.parametrize("without_styles", [0], indirect=True)
def test_impossible_options_are_refused_without_tensorflow(conditional, without_styles, tmp_path):  # its import takes seconds
    commands = [
        ["images", "--seeds", "9-1"], ["images", "--seeds", "1", "--class", "7"], ["images", "--seeds", "1", "--lod", "2"],
        ["images", "--w", "none.npy"], ["style-mixing", "--styles", "0-9"], ["style-mixing", "--styles", "3-1"],
        ["truncation", "--class", "sock"], ["interpolate", "--seeds", "1", "--output", "a.gif"], ["noise", "--class", "4"],
        ["project", "--target", "none.jpg"], ["figures", "--class", "9"], ["export", "--format", "keras", "--lod", "0"],
        ["images", "--seeds", "1", "--network", "none.pkl"], ["images", "--seeds", "1", "--network", __file__],
        ["images", "--seeds", "1", "--trunc", "1", "--network", without_styles[0]], ["figures", "--network", without_styles[0]],
    ]  # fmt: skip
    code = (
        "import json, sys, generate\n"
        "from stylegan_tf import command_line, models\n"
        "models.PACKAGES['tiny'] = 'tests.tiny_model'\n"
        "codes = [command_line.run(generate.main, arguments) for arguments in json.loads(sys.argv[1])]\n"
        "print(codes, 'tensorflow' in sys.modules)"
    )
    commands = [given if "--network" in given else [*given, "--network", str(conditional)] for given in commands]
    environment = os.environ | {"PYTHONPATH": str(Path(generate.__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == f"{[2] * len(commands)} False", done.stderr
    assert len(done.stderr.splitlines()) == len(commands)


@pytest.mark.parametrize("name", ["evil.eps", "evil.png"])
def test_a_target_that_is_a_program_is_not_run(network, tmp_path, capsys, monkeypatch, name):  # Pillow hands EPS to Ghostscript
    forbid_building(monkeypatch)
    proof = tmp_path / "proof"
    header = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n"
    (tmp_path / name).write_text(f"{header}({proof}) (w) file dup (x) writestring closefile\nshowpage\n%%EOF\n")
    assert "cannot be used as a picture" in refused(capsys, "project", "--target", tmp_path / name, "--network", network)
    assert not proof.exists()
