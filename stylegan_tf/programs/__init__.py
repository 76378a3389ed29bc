"""The programs and presets as modules, such as `stylegan_tf.programs.config`: copies in an installed package, else the checkout's."""

from pathlib import Path

from stylegan_tf import program_start

if not (Path(__file__).parent / "config.py").exists():
    __path__.append(str(Path(__file__).parents[2]))


def main() -> int:
    """The command `stylegan-tf`."""
    program_start.begin()
    from stylegan_tf import __main__ as command

    return command.main()
