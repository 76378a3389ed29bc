"""The command `stylegan-tf` of an installed package: runs a program of the checkout in any folder."""

import importlib.util
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from stylegan_tf import command_line
from stylegan_tf.display import say
from stylegan_tf.errors import UserError

# What `stylegan-tf NAME` runs: a file of the checkout, or a package.
PROGRAMS = {"dataset": "dataset_tool.py", "train": "train.py", "generate": "generate.py", "metrics": "metrics"}
CONFIG_NAMES = ("PRESETS", "preset", "DEFAULT_PRESET", "RESULTS_DIR")  # what the programs read from config.py

HELP = """usage: stylegan-tf COMMAND ...

StyleGAN and other GANs from a folder of photographs to generated images and scores.

commands:
  dataset    makes datasets from images, inspects, converts and extracts them
  train      trains a GAN on a dataset
  generate   images, figures, videos, projection and export with a trained generator
  metrics    scores: FID, KID, precision and recall, PPL, ...

examples:
  stylegan-tf dataset create_leaves datasets/leaves32 --resolution 32 --num-images 4000
  stylegan-tf train --preset demo --data datasets/leaves32
  stylegan-tf generate images --seeds 0-63 --grid

`stylegan-tf COMMAND --help` lists the options of a command. Presets are those of the package. If the current folder contains a
config.py, it is used instead; a line `from stylegan_tf.programs.config import *` at its start keeps the presets of the package.
"""


def main() -> int:
    """Runs the program that the first argument names; never returns where the program ends the process itself."""
    return command_line.run(_main)


def _main(argv: Sequence[str]) -> None:
    if not argv or argv[0] in ("-h", "--help"):
        say(HELP)
        return
    name, *arguments = argv
    if name not in PROGRAMS:
        raise UserError(f"There is no command {name}. Commands: {', '.join(PROGRAMS)}.")
    command_line.is_installed = True
    sys.argv = [f"stylegan-tf {name}", *arguments]
    if name == "metrics":
        runpy.run_module(PROGRAMS[name], run_name="__main__")
        return
    folder = programs_folder()
    sys.path.append(str(folder))  # where the programs import `config` from
    if name in ("train", "generate") and (path := Path("config.py")).exists():
        _load_config(path)
    runpy.run_path(str(folder / PROGRAMS[name]), run_name="__main__")


def programs_folder() -> Path:
    """The folder of train.py and the other programs: in an installed package its folder `programs`, in a checkout the checkout."""
    package = Path(__file__).parent
    return package / "programs" if (package / "programs").is_dir() else package.parent


def _load_config(path: Path) -> None:
    """Runs the user's config.py as the module `config`.

    Raises:
        UserError: it does not define what the programs need.
    """
    _run_module("stylegan_tf.programs.config", programs_folder() / "config.py")  # in a checkout it has another name
    module = _run_module("config", path.absolute())
    missing = [name for name in CONFIG_NAMES if not hasattr(module, name)]
    if missing:
        raise UserError(
            f"{path.absolute()} does not define {', '.join(missing)}. Expected presets of stylegan-tf: begin the file with "
            "`from stylegan_tf.programs.config import *`. If it belongs to another program, use stylegan-tf in another folder."
        )


def _run_module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
