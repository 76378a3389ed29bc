"""python -m stylegan_tf.legacy convert: what it writes and prints, and what it refuses before TensorFlow is imported."""

import os
import subprocess
import sys
from pathlib import Path

import stylegan_tf
from stylegan_tf import command_line
from stylegan_tf.legacy.__main__ import main
from tests.legacy.official_files import official_bytes

CODE = """
import sys
from stylegan_tf import command_line
from stylegan_tf.legacy.__main__ import main
codes = [command_line.run(main, ["convert", *names.split("|")]) for names in sys.argv[1:]]
print(codes, "tensorflow" in sys.modules)
"""


def test_a_snapshot_is_written(tmp_path, capsys):
    (tmp_path / "official.pkl").write_bytes(official_bytes())
    assert command_line.run(main, ["convert", str(tmp_path / "official.pkl"), str(tmp_path / "ours.pkl")]) == 0
    assert "ours.pkl: " in capsys.readouterr().out
    from stylegan_tf import loading

    assert loading.load(tmp_path / "ours.pkl").G_ema.resolution == loading.load(tmp_path / "official.pkl").G_ema.resolution


def test_the_contents_of_a_pickle_are_printed(tmp_path, capsys):
    (tmp_path / "official.pkl").write_bytes(official_bytes())
    assert command_line.run(main, ["info", str(tmp_path / "official.pkl")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if "variables" in line] == [["G", "G_style"], ["D", "D_basic"], ["Gs", "G_style"]]
    assert "    latent_size          6" in lines


def test_impossible_files_are_refused_before_tensorflow_is_imported(tmp_path):  # once a traceback for folders, and seconds for wrong files
    (tmp_path / "official.pkl").write_bytes(official_bytes())
    (tmp_path / "text.pkl").write_text("hello")
    arguments = ["official.pkl|.", "official.pkl|none/ours.pkl", "official.pkl|/proc/ours.pkl", "official.pkl|official.pkl",
              "none.pkl|ours.pkl", "text.pkl|ours.pkl", ".|ours.pkl"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(stylegan_tf.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == f"{[2] * len(arguments)} False", done.stderr
    assert len(done.stderr.splitlines()) == len(arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["official.pkl", "text.pkl"]
