"""Reads official network pickles as names, options and arrays; the source text in them is never run."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.safe_pickle import Record, read_pickle

# Version 4 is StyleGAN2; versions before 2 were never published.
KNOWN_VERSIONS = (2, 3)
_COMPONENT_NAMES = {"G_synthesis": "synthesis", "G_mapping": "mapping"}


@dataclasses.dataclass(frozen=True)
class OfficialNetwork:
    """One `Network` object of the original."""

    name: str  # "G", "D" or "Gs"
    kind: str  # the function that built it: "G_style", "D_basic"
    options: dict[str, Any]  # the arguments it was built with (`static_kwargs`), those of its components included
    variables: dict[str, np.ndarray]  # arrays in the original's layout; names of components start with "mapping/" and "synthesis/".


def is_official(path: str | os.PathLike) -> bool:
    """Whether the first bytes of a file are those of an official network pickle."""
    try:
        with open(path, "rb") as file:
            start = file.read(200)
    except OSError:
        return False
    return start[:1] == b"\x80" and (b"dnnlib" in start or b"tfutil" in start)


def read_networks(path: str | os.PathLike) -> list[OfficialNetwork]:
    """Reads the networks of a pickle, a tuple such as (G, D, Gs) or a single one.

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a pickle, damaged, or of another program.
    """
    value = read_pickle(path, allowed=_NAMES, encoding="latin1")
    records = value if isinstance(value, tuple | list) else [value]
    if not records or not all(isinstance(record, Record) for record in records):
        raise UserError(f"{path} does not contain networks of the original StyleGAN. Found: {type(value).__name__}")
    return [_read_network(record, Path(path)) for record in records]


def _make_network(*args: Any) -> Record:
    return Record("Network", args)


def make_plain_dict(pairs: Any = ()) -> dict:
    """Stands for a subclass of dict that is called without arguments."""
    if pairs:
        raise ValueError("a dictionary with arguments")
    return {}


_NAMES = {
    ("dnnlib.tflib.network", "Network"): _make_network,
    ("tfutil", "Network"): _make_network,  # progressive GAN: recognised, to be refused by name
    ("dnnlib.util", "EasyDict"): make_plain_dict,
    ("dnnlib", "EasyDict"): make_plain_dict,
    ("collections", "OrderedDict"): make_plain_dict,
}


def _read_network(record: Record, path: Path) -> OfficialNetwork:
    state = _expect(record.state, dict, "state", path)
    version = state.get("version")
    if version not in KNOWN_VERSIONS:
        raise UserError(f"{path} contains networks of version {version!r:.40}; the StyleGAN of 2019 wrote 2 and 3 (4 is StyleGAN2).")
    options = dict(_expect(state.get("static_kwargs"), dict, "static_kwargs", path))
    variables = _read_variables(state, path)
    for key, component in _expect(state.get("components", {}), dict, "components", path).items():
        if not isinstance(component, Record):
            raise UserError(f"{path} is damaged: its component {key!r:.40} is not a network.")
        inner = _expect(component.state, dict, f"component {key!r:.40}", path)
        if inner.get("components"):
            raise UserError(f"{path} is damaged: the components of {key!r:.40} have components themselves.")
        options = {**_expect(inner.get("static_kwargs"), dict, "static_kwargs", path), **options}
        variables |= {f"{key}/{name}": array for name, array in _read_variables(inner, path).items()}
    kind = _expect(state.get("build_func_name"), str, "build_func_name", path)
    return OfficialNetwork(_expect(state.get("name"), str, "name", path), kind, options, variables)


def _read_variables(state: dict, path: Path) -> dict[str, np.ndarray]:
    """The (name, value) pairs of one network; those of version 2 name their component themselves."""
    variables = {}
    for pair in _expect(state.get("variables"), list, "variables", path):
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise UserError(f"{path} is damaged: its variables are not pairs of a name and an array.")
        name, value = pair
        if not isinstance(value, np.ndarray | np.generic | float | int) or np.iscomplexobj(value):
            raise UserError(f"{path} is damaged: variable {name!r:.80} is a {type(value).__name__}, not an array of numbers.")
        component, _, rest = name.partition("/")
        name = f"{_COMPONENT_NAMES[component]}/{rest}" if component in _COMPONENT_NAMES else name
        variables[name] = np.asarray(value)
    return variables


def _expect(value: Any, kind: type, what: str, path: Path) -> Any:
    if not isinstance(value, kind):
        raise UserError(f"{path} is damaged: {what} of a network is a {type(value).__name__}, not a {kind.__name__}.")
    return value
