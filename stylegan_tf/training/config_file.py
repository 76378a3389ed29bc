"""config.json of a run folder: settings, dataset, devices, library version and command line; written, read and checked."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import stylegan_tf
from stylegan_tf import models, settings_text
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.files import read_json
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training.run_dir import CONFIG_NAME, RunDir


@dataclass(frozen=True)
class RunConfig:
    """What is read from config.json: the settings of the run, the command line that started it, and its `Devices.description`."""

    settings: TrainingSettings
    command: tuple[str, ...]
    devices: str


def write(run_dir: RunDir, settings: TrainingSettings, *, dataset: dict[str, object], devices: str, command: Sequence[str]) -> None:
    """Writes config.json.

    Args:
        dataset: see `run.identity_of`.
        devices: `Devices.description`.
        command: the command line with which the run was started.
    """
    run_dir.write_json(
        CONFIG_NAME,
        {
            "settings": settings_text.to_plain(settings),
            "dataset": dataset,
            "devices": devices,
            "library_version": stylegan_tf.__version__,
            "command": list(command),
        },
    )


def read(folder: str | os.PathLike) -> RunConfig:
    """Reads config.json of this version or an earlier one.

    Raises:
        MissingFileError: there is none.
        UserError: not valid; names the file and the setting.
    """
    path = Path(folder) / CONFIG_NAME
    if not path.exists():
        raise MissingFileError(f"{folder} has no {CONFIG_NAME}: not a run folder. Name a preset with --preset.")
    content = read_json(path)
    try:
        if not isinstance(content, dict) or "settings" not in content:
            raise UserError("settings are missing.")
        command = content.get("command", [])
        if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
            raise UserError("command must be a list of words.")
        return RunConfig(models.read_settings(content["settings"]), tuple(command), str(content.get("devices", "")))
    except UserError as error:
        raise UserError(f"{path} is not valid: {error}") from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} is not valid: {type(error).__name__}: {str(error)[:100]}") from error
