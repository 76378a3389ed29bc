"""The command `stylegan-tf` of an installed package: runs a program of the checkout in any folder."""

if __name__ == "__main__":  # before the imports that take time
    from stylegan_tf import program_start

    program_start.begin()

import importlib
import importlib.util
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from stylegan_tf import command_line, program_start
from stylegan_tf.display import say
from stylegan_tf.errors import UserError

# The module that `stylegan-tf NAME` runs.
PROGRAMS = {
    "dataset": "stylegan_tf.programs.dataset_tool",
    "train": "stylegan_tf.programs.train",
    "generate": "stylegan_tf.programs.generate",
    "metrics": "metrics.__main__",
}

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
    """Runs the program that the first argument names."""
    return command_line.run(_main)


def _main(argv: Sequence[str]) -> None:
    if not argv or argv[0] in ("-h", "--help"):
        say(*HELP.split("\n"))
        return
    name, *arguments = argv
    if name not in PROGRAMS:
        raise UserError(f"There is no command {name}. Commands: {', '.join(PROGRAMS)}.")
    command_line.is_installed = True
    if name in ("train", "generate"):
        sys.modules["config"] = _config(Path("config.py"))
    sys.argv = [f"stylegan-tf {name}", *arguments]
    runpy.run_module(PROGRAMS[name], run_name="__main__")


def _config(path: Path) -> ModuleType:
    """The presets: a file of the user, or those of the package if there is none.

    Raises:
        UserError: see `loaded_config`.
    """
    if not path.exists():
        return importlib.import_module("stylegan_tf.programs.config")
    if not path.is_file():  # opening a pipe would wait for ever
        raise UserError(f"{path.absolute()} is not a file.")
    spec = importlib.util.spec_from_file_location("config", path.absolute())
    module = importlib.util.module_from_spec(spec)
    program_start.loaded_config(lambda: spec.loader.exec_module(module) or module)
    return module


if __name__ == "__main__":
    sys.exit(main())
