"""The programs and presets as modules, such as `stylegan_tf.programs.config`: copies in an installed package, else the checkout's."""

from pathlib import Path

if not (Path(__file__).parent / "config.py").exists():
    __path__.append(str(Path(__file__).parents[2]))
