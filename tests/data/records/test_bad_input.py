"""Invalid input to the dataset program gives one message and exit code 2, no traceback, and leaves nothing behind."""

import gzip
import json
import os
import struct

import h5py
import numpy as np
import pytest

import dataset_tool
from stylegan_tf import command_line, parallel
from tests.data.broken_files import encoded, leaf


def run(*arguments):
    """Exit code of the program in this process."""
    try:
        return command_line.run(dataset_tool.main, [str(argument) for argument in arguments])
    except SystemExit as end:  # argparse's own refusal
        return end.code


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with images, a dataset of them, and files that cannot be used."""
    folder = tmp_path_factory.mktemp("bad")
    for number in range(2):
        (folder / "src").mkdir(exist_ok=True)
        (folder / "src" / f"{number}.png").write_bytes(encoded(leaf(number), "PNG"))
    assert run("create_from_images", folder / "D", folder / "src") == 0
    (folder / "fake.tgz").write_bytes(b"\x1f\x8bxx")
    (folder / "cut.tgz").write_bytes(gzip.compress(bytes(5000))[:20])
    (folder / "file").write_text("")
    np.save(folder / "none.npy", np.full(2, -1))
    for name, vector in (("word", [1, "x"]), ("nested", [1, [2]]), ("huge", [1, 10**400])):
        (folder / f"{name}.json").write_text(json.dumps({"labels": [["0.png", vector], ["1.png", [0, 0]]]}))
    (folder / "mnist").mkdir()
    header = struct.pack(">HBBIII", 0, 8, 3, 2, 28, 28)
    (folder / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + bytes(2 * 784)))
    (folder / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 2) + bytes(2)))
    for name, values in (("minus", [-3.5, 1]), ("nan", [np.nan, 1]), ("vectors", [[np.nan, 1], [1, 0]])):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["data8"] = np.zeros((2, 3, 8, 8), np.uint8)
        np.save(folder / f"{name}-labels.npy", np.array(values))
    return folder


REFUSED = [
    "display D --output nowhere/foo.png",
    "display D --output file/foo.png",
    "display D --columns 0",
    "extract D /proc/xx",
    "extract D file/xx",
    *(f"{command} --workers {number}" for command in ("extract D X", "compare D D", "convert X D", "check D") for number in (-5, 0)),
    "create_from_images X src --workers 0",
    "create_lsun_wide X lmdb --width 64 --height 100",
    "create_mnistrgb X mnist --num-images -5",
    "create_mnistrgb X mnist --random-seed -1",
    "create_leaves X --seed -1",
    "create_from_images X fake.tgz",
    "create_from_images X cut.tgz",
    "create_from_images X src --labels none.npy",
    "create_from_images X src --labels word.json",
    "create_from_images X src --labels nested.json",
    "create_from_images X src --labels huge.json",
    "create_from_hdf5 X minus.h5",
    "check D --fit pad",
    "check D --labels none",
    "convert X D --quality 90",
    "create_mnist X mnist --class-names a,b,c,d,e,f,g,h,i,a",
    "create_from_hdf5 X vectors.h5",
]


@pytest.mark.parametrize("line", REFUSED)
def test_invalid_input_gives_exit_code_2_and_one_message(place, line, capsys, monkeypatch):
    monkeypatch.chdir(place)
    before = sorted(os.listdir())
    assert run(*line.split()) == 2
    assert capsys.readouterr().err.count("error: ") == 1
    assert sorted(os.listdir()) == before


def test_check_lists_every_damaged_image(place, monkeypatch, tmp_path, capsys):
    """Only ten were named, and no option showed the others."""
    for number in range(14):
        (tmp_path / f"{number:02d}.png").write_bytes(b"broken")
    assert run("check", tmp_path) == 2
    assert capsys.readouterr().err.count("not an image") == 14
    monkeypatch.chdir(place)
    pool, threads = parallel.ThreadPoolExecutor, []
    monkeypatch.setattr(parallel, "ThreadPoolExecutor", lambda workers: threads.append(workers) or pool(workers))
    assert run("check", "D", "--workers", 3) == 0
    assert set(threads) == {3}


def test_an_array_without_a_label_is_skipped(place, monkeypatch, capsys):
    """The labels of arrays were not checked: writing failed with class number -1."""
    monkeypatch.chdir(place)
    (place / "half.csv").write_text("name,class\nimg00000001,b\n")
    assert run("create_from_hdf5", "half", "minus.h5", "--labels", "half.csv") == 0
    assert "no label" in capsys.readouterr().out
    assert run("create_from_hdf5", "known", "nan.h5") == 0  # its first label is NaN
    assert "2 classes (0, 1) from the source itself, 1 image without a label" in capsys.readouterr().out
