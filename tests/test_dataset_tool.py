"""End-to-end tests of the dataset program: commands, output, files."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import dataset_tool
from stylegan_tf import command_line
from stylegan_tf.data import open_dataset, read_images
from stylegan_tf.data.sources.leaves import draw_leaf
from tests.data.broken_files import encoded, leaf

ROOT = Path(__file__).parents[1]


def run(*arguments):
    """Runs the program in this process; returns its exit code."""
    return command_line.run(dataset_tool.main, [str(argument) for argument in arguments])


def subprocess_of(*arguments, **options):
    command = [sys.executable, str(ROOT / "dataset_tool.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, **options)


def save(folder, **pictures):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pictures.items():
        content = content if isinstance(content, bytes) else encoded(content, "PNG")
        (folder / f"{name}.png").write_bytes(content)


def test_help_names_every_command_of_the_original():
    result = subprocess_of("--help")
    assert result.returncode == 0
    original = "display extract compare create_mnist create_mnistrgb create_cifar10 create_cifar100 create_svhn create_lsun"
    ours = "create_lsun_wide create_celeba create_from_images create_from_hdf5 create_from_tfds create_leaves check info convert"
    for name in f"{original} {ours}".split():
        assert re.search(rf"^    {name}\b", result.stdout, re.MULTILINE), name


def test_help_does_not_import_tensorflow_or_opencv():
    script = "import sys, dataset_tool; dataset_tool.parser(); print([m for m in ('tensorflow', 'cv2', 'PIL') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_leaves_come_with_labels_and_factors(tmp_path):
    result = subprocess_of("create_leaves", tmp_path / "leaves", "--resolution", 16, "--num-images", 24, "--seed", 3)
    assert result.returncode == 0, result.stderr
    dataset = open_dataset(tmp_path / "leaves")
    assert (dataset.num_images, dataset.resolution, dataset.label_size) == (24, 16, 8)
    assert (read_images(dataset, [13])[0] == draw_leaf(3, 13, 16)[0]).all()
    table = (tmp_path / "leaves" / "factors.csv").read_text().splitlines()
    assert len(table) == 25
    assert table[14].split(",")[1] == dataset.class_names[int(dataset.labels[13].argmax())]


def test_invalid_input_gives_exit_code_2_and_one_line(tmp_path):
    result = subprocess_of("create_from_images", tmp_path / "set", tmp_path / "nowhere")
    assert result.returncode == 2
    assert result.stderr.startswith("error: There is no folder or archive")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "set").exists()


CASES = {  # the 26 folders of golden/original_failures.md: image contents, and the channels of the dataset or None for a refusal
    "cmyk_jpeg": ([encoded(leaf(n).convert("CMYK"), "JPEG") for n in (0, 1)], 3),
    "empty_dir": ([], None),
    "empty_file": ([leaf(0), b"", leaf(1)], 3),
    "garbage_file": ([leaf(0), b"garbage" * 40, leaf(1)], 3),
    "garbage_first": ([b"garbage" * 40, leaf(0), leaf(1)], 3),
    "gray16_all": ([Image.fromarray(np.full((32, 32), value, np.uint16)) for value in (257, 51400)], 1),
    "gray_then_rgb": ([leaf(0).convert("L"), leaf(1)], 3),
    "la_first": ([leaf(0).convert("LA"), leaf(1)], 3),
    "mixed_size": ([leaf(0), leaf(1, 64)], 3),
    "mixed_size_same_but_nonsquare": ([leaf(0), leaf(1).resize((32, 64))], 3),
    "non_pow2": ([leaf(0).resize((48, 48)), leaf(1).resize((48, 48))], 3),
    "non_square": ([leaf(0).resize((64, 32)), leaf(1).resize((64, 32))], 3),
    "onebit_all": ([leaf(0).convert("1"), leaf(1).convert("1")], 1),
    "palette_all": ([leaf(n).quantize(32) for n in (0, 1, 2)], 3),
    "res1": ([leaf(n).resize((1, 1)) for n in (0, 1)], None),
    "res2": ([leaf(n).resize((2, 2)) for n in (0, 1)], None),
    "res4": ([leaf(n, 4) for n in (0, 1)], 3),
    "rgb_jpeg": ([encoded(leaf(n), "JPEG") for n in (0, 1)], 3),
    "rgb_then_gray": ([leaf(0), leaf(1).convert("L")], 3),
    "rgb_then_palette": ([leaf(0), leaf(1).quantize(32)], 3),
    "rgb_then_rgba": ([leaf(0), leaf(1).convert("RGBA")], 3),
    "rgba_first": ([leaf(0).convert("RGBA"), leaf(1)], 3),
    "subdir": ([leaf(0), "folder", leaf(1)], 3),
    "thumbs_db": ([leaf(0), leaf(1), "Thumbs.db", "z_notes.txt"], 3),
    "truncated_png": ([leaf(0), encoded(leaf(1), "PNG")[:300], leaf(2)], 3),
    "does_not_exist": (None, None),
}


@pytest.mark.parametrize("case", CASES)
def test_cases_that_failed_in_the_original_work_or_give_a_message(case, tmp_path, capsys):
    contents, channels = CASES[case]
    folder = tmp_path / "images"
    for number, content in enumerate(contents or []):
        folder.mkdir(exist_ok=True)
        if content == "folder":
            (folder / f"img{number:02d}.png").mkdir()
        elif isinstance(content, str):
            (folder / content).write_bytes(b"not an image")
        else:
            save(folder, **{f"img{number:02d}": content})
    if contents == []:
        folder.mkdir()
    code = run("create_from_images", tmp_path / "set", folder, "--shuffle", 0)
    text = capsys.readouterr().err
    if channels is None:
        assert code == 2
        assert re.search("error: ", text)
        assert not (tmp_path / "set").exists()
        assert [path.name for path in tmp_path.iterdir()] == (["images"] if contents is not None else [])
        return
    assert code == 0, text
    dataset = open_dataset(tmp_path / "set")
    sound = [content for content in contents if isinstance(content, Image.Image) or (isinstance(content, bytes) and len(content) > 500)]
    assert (dataset.num_images, dataset.channels) == (len(sound), channels)
    if case == "gray16_all":  # scaled, not clipped
        assert [int(image[0, 0, 0]) for image in read_images(dataset, [0, 1])] == [1, 200]
    if case == "palette_all":  # colours, not palette indices
        expected = np.asarray(contents[0].convert("RGB"))
        assert (read_images(dataset, [0])[0] == expected).all()


def test_an_existing_target_is_refused_and_replaced_on_request(tmp_path, capsys):
    save(tmp_path / "images", a=leaf(0), b=leaf(1))
    arguments = ("create_from_images", tmp_path / "set", tmp_path / "images")
    assert run(*arguments) == 0
    assert run(*arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    save(tmp_path / "images", c=leaf(2))
    assert run(*arguments, "--overwrite") == 0
    assert open_dataset(tmp_path / "set").num_images == 3


def test_shuffled_order_is_the_originals(tmp_path):
    save(tmp_path / "images", **{f"img{number:02d}": leaf(number) for number in range(12)})
    assert run("create_from_images", tmp_path / "set", tmp_path / "images") == 0
    order = np.arange(12)
    np.random.RandomState(123).shuffle(order)
    images = read_images(open_dataset(tmp_path / "set"), range(12))
    assert all((image == draw_leaf(0, int(number), 32)[0]).all() for image, number in zip(images, order, strict=True))


def test_options_may_be_spelled_with_underscores_as_in_the_original(tmp_path):
    save(tmp_path / "images", **{f"img{number:02d}": leaf(number) for number in range(6)})
    assert run("create_from_images", tmp_path / "set", tmp_path / "images", "--max_images=4", "--on_error", "stop") == 0
    assert open_dataset(tmp_path / "set").num_images == 4


def test_extract_display_compare_info_convert_check(tmp_path, capsys):
    for name in ("oak", "maple"):
        save(tmp_path / "images" / name, **{f"{name}{number}": leaf(number + (name == "maple") * 8) for number in range(4)})
    assert run("create_from_images", tmp_path / "set", tmp_path / "images") == 0
    assert run("extract", tmp_path / "set", tmp_path / "files") == 0
    assert len(list((tmp_path / "files").glob("*.png"))) == 8
    assert run("create_from_images", tmp_path / "again", tmp_path / "files", "--shuffle", 0) == 0
    assert run("compare", tmp_path / "set", tmp_path / "again") == 0
    assert run("convert", tmp_path / "raw", tmp_path / "set", "--encoding", "raw") == 0
    assert open_dataset(tmp_path / "raw").encoding == "raw"
    assert open_dataset(tmp_path / "raw").class_names == ("maple", "oak")
    assert run("convert", tmp_path / "png", tmp_path / "raw") == 0
    capsys.readouterr()
    assert run("compare", tmp_path / "set", tmp_path / "png") == 0
    assert capsys.readouterr().out.splitlines() == ["Identical images: 8 / 8", "Identical labels: 8 / 8"]
    assert run("display", tmp_path / "set", "--output", tmp_path / "sheet.png") == 0
    assert Image.open(tmp_path / "sheet.png").height > 2 * 96
    capsys.readouterr()
    assert run("info", tmp_path / "set", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["images"], facts["resolution"], facts["classes"]) == (8, 32, {"maple": 4, "oak": 4})
    assert run("info", tmp_path / "set") == 0
    assert "maple" in capsys.readouterr().out
    assert run("check", tmp_path / "set") == 0
    assert run("check", tmp_path / "images") == 0
    assert "8 of 8 images can be used" in capsys.readouterr().out
    save(tmp_path / "images" / "oak", oak0=leaf(77))
    assert run("create_from_images", tmp_path / "other", tmp_path / "images") == 0
    capsys.readouterr()
    assert run("compare", tmp_path / "set", tmp_path / "other") == 1
    assert "Identical images: 7 / 8" in capsys.readouterr().out


def test_a_conversion_that_the_disk_cannot_hold_writes_nothing(tmp_path, monkeypatch, capsys):
    assert run("create_leaves", tmp_path / "set", "--resolution", 8, "--num-images", 3) == 0
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10**6))
    assert run("convert", tmp_path / "raw", tmp_path / "set", "--encoding", "raw") == 2
    assert "are free" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_names_counts_and_factors_are_kept(tmp_path, capsys):
    """`extract` lost the class names, `convert` lost the factors, and the manifest had no counts."""
    assert run("create_leaves", tmp_path / "set", "--resolution", 8, "--num-images", 10) == 0
    dataset = open_dataset(tmp_path / "set")
    assert list(dataset.manifest.class_counts.values()) == [2, 2, 1, 1, 1, 1, 1, 1]
    assert tuple(dataset.manifest.class_counts) == dataset.class_names
    assert run("extract", tmp_path / "set", tmp_path / "files") == 0
    assert run("create_from_images", tmp_path / "again", tmp_path / "files", "--shuffle", 0) == 0
    again = open_dataset(tmp_path / "again")
    assert again.class_names == dataset.class_names
    assert run("compare", tmp_path / "set", tmp_path / "again") == 0
    capsys.readouterr()
    assert run("convert", tmp_path / "raw", tmp_path / "set", "--encoding", "raw") == 0
    assert "10 images of 8x8x3 as raw: about 1 MB" in capsys.readouterr().out
    assert (tmp_path / "raw" / "factors.csv").read_text() == (tmp_path / "set" / "factors.csv").read_text()
    path = tmp_path / "raw" / "dataset.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in values.items() if key != "class_counts"}))  # of an earlier version
    assert run("info", tmp_path / "raw", "--json") == 0
    assert json.loads(capsys.readouterr().out)["classes"] == dataset.manifest.class_counts
    path.write_text(json.dumps({**values, "class_counts": {"oak": -1}}))
    assert run("info", tmp_path / "raw") == 2


def started_build(tmp_path):
    """The process of a build that has begun to write records."""
    command = [sys.executable, str(ROOT / "dataset_tool.py"), "create_leaves", str(tmp_path / "set")]
    process = subprocess.Popen(
        [*command, "--resolution", "64", "--num-images", "100000"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".*/*.tfrecords")) and time.monotonic() < deadline:
        time.sleep(0.1)
    return process


def test_a_build_that_is_asked_to_end_leaves_nothing(tmp_path):
    process = started_build(tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_build_leaves_no_dataset(tmp_path, capsys):
    process = started_build(tmp_path)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(tmp_path.glob(".*/*.tfrecords"))
    assert not (tmp_path / "set").exists()
    assert list(tmp_path.glob("[!.]*")) == []
    for partial in tmp_path.iterdir():
        assert run("info", partial) == 2
    # Another try is not disturbed by what was left behind, and clears it.
    assert run("create_leaves", tmp_path / "set", "--resolution", 8, "--num-images", 8) == 0
    assert os.listdir(tmp_path) == ["set"]
    assert "left by a build that was interrupted" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_dataset_has_its_report_before_its_name(tmp_path):
    """report.json, report.html and factors.csv were written after the renaming: a killed build left a dataset without them."""
    script = (
        "import os, pathlib, signal, sys, dataset_tool; rename = pathlib.Path.rename\n"
        "def die(self, target): rename(self, target); os.kill(os.getpid(), signal.SIGKILL)\n"
        "pathlib.Path.rename = die; dataset_tool.main(sys.argv[1:])"
    )
    arguments = ["create_leaves", str(tmp_path / "set"), "--resolution", "8", "--num-images", "8"]
    result = subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, check=False)
    assert result.returncode == -signal.SIGKILL
    assert {"report.json", "report.html", "factors.csv", "dataset.json"} <= set(os.listdir(tmp_path / "set"))
    assert open_dataset(tmp_path / "set").num_images == 8


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """A limit on file size simulates a full disk: writing fails in the middle."""
    script = (
        "import resource, sys, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
        "import dataset_tool; from stylegan_tf import command_line; sys.exit(command_line.run(dataset_tool.main))"
    )
    arguments = ["create_leaves", str(tmp_path / "set"), "--resolution", "64", "--num-images", "400"]
    result = subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "Free some disk space" in result.stderr
    assert list(tmp_path.iterdir()) == []


ESCAPE = "\x1b]0;owned\x07\x1b[31m\u202e\x9b"  # sets a terminal's title and colour, and reverses the direction of writing


def is_shown_as_it_is(text):
    """True for text without anything that controls a terminal, except for the ends of lines."""
    return all(line.isprintable() for line in text.splitlines())


def hostile_folder(path):
    """Images in folders, and files, with names that control a terminal or are not UTF-8."""
    for folder in (ESCAPE, "gr\u00fcn", "caf\udce9", "oak"):
        save(path / folder, a=leaf(0), **{f"b{ESCAPE}": leaf(1), "c\nd": b"broken", "e\udcff": b"broken"})
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_names_from_files_never_reach_the_terminal_as_they_are(tmp_path, encoding):
    """Escape sequences in the names of files, classes and archives were printed, and bytes that are not UTF-8 ended in tracebacks."""
    folder = hostile_folder(tmp_path / "im\udcffages")
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    target = tmp_path / "set"
    for arguments, code in [
        (("create_from_images", target, folder), 0),
        (("info", target), 0),
        (("info", target, "--json"), 0),
        (("check", target), 0),
        (("check", folder), 0),
        (("display", target, "--output", tmp_path / "sheet.png"), 0),
        (("extract", target, tmp_path / "files"), 0),
        (("create_from_images", tmp_path / "again", tmp_path / "files"), 0),
        (("create_from_images", tmp_path / "x", folder, "--on-error", "stop"), 2),
        (("create_from_images", tmp_path / "x", folder / ESCAPE / "nothing"), 2),
        (("create_from_images", tmp_path / "x", folder, "--labels", f"{ESCAPE}.csv"), 2),
        (("create_from_images", tmp_path / "x", folder, "--background", ESCAPE), 2),
        (("info", f"{tmp_path}/{ESCAPE}"), 2),
    ]:
        result = subprocess_of(*arguments, env=environment, encoding=encoding, errors="surrogateescape")
        assert result.returncode == code, (arguments, result.stderr)
        assert "Traceback" not in result.stderr
        assert is_shown_as_it_is(result.stdout + result.stderr.replace("\r", "")), (arguments, result.stdout, result.stderr)
    names = open_dataset(target).class_names
    assert names == (r"\x1b]0;owned\x07\x1b[31m\u202e\x9b", r"caf\xe9", "gr\u00fcn", "oak")
    assert open_dataset(tmp_path / "again").class_names == names
    report = (target / "report.html").read_text(encoding="utf-8")
    assert "\x1b" not in report


def test_hostile_manifests_and_archives_are_shown_with_escapes(tmp_path, capsys):
    save(tmp_path / "images" / "oak", a=leaf(0))
    save(tmp_path / "images" / "elm", a=leaf(1))
    assert run("create_from_images", tmp_path / "set", tmp_path / "images") == 0
    path = tmp_path / "set" / "dataset.json"
    values = json.loads(path.read_text())
    changes = {"class_names": [ESCAPE, ESCAPE + "\0"], "class_counts": {ESCAPE: 1, ESCAPE + "\0": 1}, "digest": ESCAPE}
    changes |= {"made_by": {"command": f"{ESCAPE}\nline"}}
    for more in (changes, {"encoding": ESCAPE}, {"format": ESCAPE}, {"format_version": ESCAPE}, {"channels": ESCAPE}):
        path.write_text(json.dumps({**values, **more}))
        assert run("info", tmp_path / "set") == (0 if more is changes else 2)
        assert run("display", tmp_path / "set", "--output", tmp_path / "a.png") == (0 if more is changes else 2)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(f"{ESCAPE}/a.png", encoded(leaf(0), "PNG"))
        archive.writestr(f"oak/{ESCAPE}.png", b"broken")
        archive.writestr(f"oak/{ESCAPE}.txt", b"text")
    assert run("check", tmp_path / "a.zip") == 0
    captured = capsys.readouterr()
    assert is_shown_as_it_is(captured.out + captured.err.replace("\r", ""))


def test_the_home_folder_may_be_abbreviated(tmp_path, monkeypatch):  # the shell leaves the ~ in --labels=~/labels.csv
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "images", a=leaf(0), b=leaf(1))
    (tmp_path / "labels.csv").write_text("a,0\nb,1\n")
    assert run("create_from_images", "~/set", "~/images", "--labels=~/labels.csv") == 0
    assert run("display", "~/set", "--output=~/sheet.png") == 0
    assert {"set", "sheet.png"} <= set(os.listdir(tmp_path))


def test_hints_can_be_pasted_into_a_shell(tmp_path, capsys):
    assert run("info", tmp_path / "my cats; rm x") == 2
    assert f"create_from_images '{tmp_path}/my cats; rm x' IMAGE_FOLDER" in capsys.readouterr().err
