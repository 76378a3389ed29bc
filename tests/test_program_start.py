"""The start of the programs: Ctrl-C while modules are imported, and errors in config.py, end in one line or none."""

import dataclasses
import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import config
from stylegan_tf import __main__ as installed
from stylegan_tf import command_line
from stylegan_tf.errors import UserError, did_you_mean

ROOT = Path(__file__).parents[1]
MODULES = ("metrics", "studies", "studies.added_digits", "stylegan_tf", "stylegan_tf.lenet_training", "stylegan_tf.legacy")
RUN = {
    **{name: f"runpy.run_path('{name}', run_name='__main__')" for name in ("dataset_tool.py", "train.py", "generate.py")},
    **{f"-m {name}": f"runpy.run_module('{name}', run_name='__main__', alter_sys=True)" for name in MODULES},
    "stylegan-tf": "from stylegan_tf.programs import main; main()",
}
SLOW_IMPORT = """
import runpy, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs the tests in the background ignores it
class SlowImport:
    def find_spec(self, name, *_):
        if name == "argparse":
            print("importing", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, SlowImport())
sys.modules.pop("argparse", None)
sys.argv = ["x", "dataset"]
"""


@pytest.mark.parametrize("name", RUN)
def test_an_interrupt_while_modules_are_imported_is_not_a_traceback(name):
    command = [sys.executable, "-c", SLOW_IMPORT + RUN[name]]
    program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "importing\n"
    program.send_signal(signal.SIGINT)
    assert (*program.communicate(timeout=10), program.returncode) == ("", "", 130)


BROKEN = {  # a config.py, and the error
    "x = (\n": "line 1: SyntaxError: '(' was never closed",
    "\n\nPRESETS = presets\n": "line 3: NameError: name 'presets' is not defined",
    "import no_such_module\n": "line 1: ModuleNotFoundError: No module named 'no_such_module'",
    "raise ValueError('\\033[2J')\n": "line 1: ValueError: \\x1b[2J",
    "from stylegan_tf.programs.config import *\nPRESETS = None\n": "does not define PRESETS as the presets of stylegan-tf do",
    "x = '\\0'\n".replace("\\0", "\0"): "config.py: SyntaxError: source code string cannot contain null bytes",
}


@pytest.mark.parametrize("content", BROKEN)
def test_an_error_in_config_py_is_one_line(content, tmp_path, monkeypatch):  # it was a traceback
    (tmp_path / "config.py").write_text(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        installed._config(Path("config.py"))
    assert BROKEN[content] in command_line.visible_lines(raised.value)


@pytest.mark.parametrize("name", ["train.py", "generate.py", "-m studies"])
def test_programs_end_with_the_line(name, tmp_path):
    (tmp_path / "config.py").write_text("\nx = (\n")
    code = f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv = ['x', '--help']; {RUN[name]}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path / 'config.py'}, line 2: SyntaxError: '(' was never closed\n"


def test_an_error_in_a_preset_is_one_line_and_one_of_the_library_a_traceback(tmp_path, capsys, monkeypatch):
    for broken in (lambda: None, 5):
        monkeypatch.setitem(config.PRESETS, "broken", broken)
        with pytest.raises(UserError, match=r"preset broken of config\.py must be a function that returns settings"):
            config.preset("broken")
    path = tmp_path / "config.py"
    path.write_text("def preset():\n    return 1 / 0\n\ndef call(function):\n    function()\n")
    spec = importlib.util.spec_from_file_location("config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert command_line.run(lambda _: module.preset(), []) == 2
    assert capsys.readouterr().err == f"error: {path}, line 2: ZeroDivisionError: division by zero\n"
    assert command_line.run(lambda _: module.call(lambda: dataclasses.replace(config.preset("demo"), runn=3)), []) == 2  # was a traceback
    assert capsys.readouterr().err.startswith(f"error: {path}, line 5: TypeError: ")
    with pytest.raises(TypeError):
        command_line.run(lambda _: module.call(lambda: did_you_mean("x", 5)), [])
