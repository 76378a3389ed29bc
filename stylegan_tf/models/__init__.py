"""The models by name: each is a folder with its settings, its networks and the phases of its training step."""

import importlib
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stylegan_tf import settings_text
from stylegan_tf.errors import UserError, did_you_mean
from stylegan_tf.settings import TrainingSettings

if TYPE_CHECKING:
    from stylegan_tf.models.base import Model

# Name -> package with `settings.Settings` (imported without TensorFlow) and `model.MODEL`. A new model is a folder and a line here.
PACKAGES = {
    "stylegan": "stylegan_tf.models.stylegan",
    "stylegan2": "stylegan_tf.models.stylegan2",
    "dcgan": "stylegan_tf.models.dcgan",
    "cgan": "stylegan_tf.models.cgan",
    "resnet": "stylegan_tf.models.resnet",
}


def settings_type(name: str) -> type[TrainingSettings]:
    """The settings of a model's training run, a subclass of `TrainingSettings`; does not import TensorFlow.

    Raises:
        UserError: there is no such model; lists those there are.
    """
    return importlib.import_module(f"{_package(name)}.settings").Settings


def network_settings(name: str) -> tuple[type, type]:
    """The settings types of a model's generator and discriminator; does not import TensorFlow. Raises as `settings_type`."""
    hints = typing.get_type_hints(settings_type(name))
    return hints["G"], hints["D"]


def find(name: str) -> "Model":
    """The model of that name; imports TensorFlow. Raises as `settings_type`."""
    return importlib.import_module(f"{_package(name)}.model").MODEL


def read_settings(values: Mapping[str, Any]) -> TrainingSettings:
    """Settings of a run from plain values, as `settings_text.to_plain` gives them, of this version or an earlier one.

    Raises:
        UserError: an unknown model or name, or a value that is not possible.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"Settings must be a dictionary. Received: {type(values).__name__}")
    kind = settings_type(values.get("model", "stylegan"))  # files of version 1 name none
    return settings_text.from_plain(kind, settings_text.upgraded(values))


def _package(name: str) -> str:
    if not isinstance(name, str) or name not in PACKAGES:
        raise UserError(f"Unknown model {str(name)[:80]!r}.{did_you_mean(str(name), PACKAGES)} Known: {', '.join(PACKAGES)}.")
    return PACKAGES[name]
