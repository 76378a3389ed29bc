"""Settings as text: plain values for JSON and back, `--set name=value`, checks of types and ranges, differences of two runs."""

import ast
import contextlib
import dataclasses
import itertools
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from stylegan_tf.errors import UserError, did_you_mean
from stylegan_tf.settings import RENAMED, RENAMED_VALUES, TrainingSettings

T = TypeVar("T")
WORDS = {"none": None, "null": None, "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class RangeError(ValueError):
    """A value has the right type and lies outside of its range; the message completes "NAME ..."."""


def to_plain(value: Any) -> Any:
    """Settings, or a value of them, as nested dicts, lists and plain values, ready for JSON (keys become strings there)."""
    if dataclasses.is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    return [to_plain(item) for item in value] if isinstance(value, tuple | list) else value


def from_plain(kind: type[T], values: Mapping[str, Any], prefix: str = "") -> T:
    """The inverse of `to_plain`: fields that are missing get their defaults.

    Raises:
        UserError: an unknown name, a missing field that has no default, or a value of another type or outside of its range.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{prefix.rstrip('.') or 'Settings'} must be a dictionary. Received: {type(values).__name__}")
    hints = _hints(kind)
    unknown = [name for name in values if name not in hints]
    if unknown:
        raise UserError(_unknown(f"{prefix}{str(unknown[0])[:80]}", hints, prefix))
    arguments = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(hints[name]):
            arguments[name] = from_plain(hints[name], value, f"{prefix}{name}.")
        else:
            arguments[name] = _checked(value, hints[name], f"{prefix}{name}")
    for field in dataclasses.fields(kind):
        if field.name not in arguments and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UserError(f"{prefix}{field.name} is missing.")
    return kind(**arguments)


def from_flat(kind: type[T], values: Mapping[str, Any]) -> tuple[T, dict[str, Any]]:
    """Settings from a dictionary that holds other values beside them, and those others. Raises as `from_plain`."""
    if not isinstance(values, Mapping):
        raise UserError(f"Options must be a dictionary. Received: {type(values).__name__}")
    known = {field.name for field in dataclasses.fields(kind)}
    settings = from_plain(kind, {name: value for name, value in values.items() if name in known})
    return settings, {name: value for name, value in values.items() if name not in known}


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain settings of an earlier version under the current names (`settings.RENAMED`)."""
    values = {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}
    for old, new_names in RENAMED.items():
        group, name = old.split(".")
        if not isinstance(values.get(group), dict) or name not in values[group]:
            continue
        value = values[group].pop(name)
        value = RENAMED_VALUES.get(old, {}).get(value, value) if isinstance(value, bool) else value
        for new in new_names:
            *path, leaf = new.split(".")
            inner = values
            for part in path:
                inner = inner.setdefault(part, {})
            inner[leaf] = value
    return values


def checked(settings: T, prefix: str = "") -> T:
    """Settings that were made in Python in the types of their fields: 32 for 32.0, a tuple for a list, keys that are numbers.

    Types and ranges are checked as `--set` does for those of the command line.

    Raises:
        UserError: names the setting, what it may be and what it is.
    """
    values = {}
    for name, hint in _hints(type(settings)).items():
        value = getattr(settings, name)
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, hint):
                raise UserError(f"{prefix}{name} must be a {hint.__name__}. Received: {value!r}")
            values[name] = checked(value, f"{prefix}{name}.")
        else:
            values[name] = _checked(value, hint, f"{prefix}{name}")
    return dataclasses.replace(settings, **values)


def override(settings: T, assignments: Iterable[str]) -> T:
    """Applies assignments such as "schedule.fade_kimg=60" or "schedule.minibatch_by_resolution.16=32".

    Raises:
        UserError: not of the form name=value, an unknown name (the known ones are listed), or a value of another type or range.
    """
    for assignment in assignments:
        name, separator, text = (part.strip() for part in assignment.partition("="))
        if not separator:
            raise UserError(f"--set expects name=value, such as schedule.fade_kimg=60. Received: {assignment}")
        if name in RENAMED:
            value = RENAMED_VALUES.get(name, {}).get(WORDS.get(text.lower()), text)
            raise UserError(f"{name} is called {' and '.join(RENAMED[name])} now. Try --set {RENAMED[name][0]}={value}")
        if name == "model":
            raise UserError(f"The model of a preset cannot be changed. Choose a preset of the model {text}: --preset NAME.")
        settings = _replaced(settings, name.split("."), text, name, names(settings))
    return settings


def check_unsplit(argv: Sequence[str]) -> None:
    """Refuses a table such as {8: 128, 16: 64} after --set that the shell split into several arguments because it had no quotes.

    Raises:
        UserError: shows the argument with quotes.
    """
    for index, argument in enumerate(argv):
        text = argument.removeprefix("--set=")
        if text == argument and (not index or argv[index - 1] != "--set"):
            continue
        name, _, value = text.partition("=")
        if value.count("{") > value.count("}"):  # split at spaces
            rest = itertools.takewhile(lambda part: not part.startswith("--"), argv[index + 1 :])
            table = " ".join([value, *rest])
        elif re.fullmatch(r"\d+:\S*", value):  # split at commas: the shell repeats the name for each value in braces
            pairs = [part.removeprefix("--set=").partition("=") for part in argv[index:]]
            table = f"{{{', '.join(value.replace(':', ': ', 1) for other, _, value in pairs if other == name)}}}"
        else:
            continue
        raise UserError(f"The shell split the value of {name}. Put it in quotes: --set '{name}={table}'")


def overridden_by_table(settings: TrainingSettings, name: str) -> str:
    """What completes "NAME ..." for a setting that `..._by_resolution` overrides at resolutions of the run; "" where nothing does.

    Args:
        settings: with the resolution of the run.
        name: full name of a setting, such as "loss.gamma".
    """
    table_name = f"{name.removesuffix('_base')}_by_resolution"
    table = dict(_leaves(settings)).get(table_name) or {}
    first, last = settings.schedule.start_resolution, settings.data.resolution
    sides = [2**power for power in range(2, 11) if first <= 2**power <= last]
    own = sides[1:] if name.endswith("fade_kimg") else sides[:-1] if name.endswith("steady_kimg") else sides
    found = [side for side in own if side in table]
    if not found:
        return ""
    where = "in this run" if found == own else f"at {', '.join(f'{side}x{side}' for side in found)}"
    return f"no effect {where}, where {table_name} has values. Try --set {table_name}.{found[-1]}=VALUE"


def differences(old: object, new: object) -> list[tuple[str, Any, Any]]:
    """Names of the settings that differ, with the old and the new value."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return [(name, before[name], after[name]) for name in after if name in before and before[name] != after[name]]


def names(settings: object) -> list[str]:
    """Full names of all settings."""
    return [name for name, _ in _leaves(settings)]


def _hints(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _leaves(settings: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def _replaced(settings: T, path: list[str], text: str, full_name: str, known: Sequence[str]) -> T:
    hints = _hints(type(settings))
    prefix = full_name[: len(full_name) - len(".".join(path))]
    name, rest = path[0], path[1:]
    if name not in hints:
        raise UserError(_unknown(full_name, hints, prefix, known))
    value = getattr(settings, name)
    if dataclasses.is_dataclass(value):
        if not rest:
            raise UserError(f"{full_name} is a group of settings: {', '.join(f'{full_name}.{x}' for x in _hints(type(value)))}")
        value = _replaced(value, rest, text, full_name, known)
    elif len(rest) == 1 and isinstance(value, dict):
        value = {**value, **_parsed(f"{{{rest[0]}: {text}}}", hints[name], full_name.rpartition(".")[0])}
    elif rest:
        raise UserError(_unknown(full_name, hints, prefix, known))
    else:
        value = _parsed(text, hints[name], full_name)
    return dataclasses.replace(settings, **{name: value})


def _unknown(name: str, hints: Mapping[str, Any], prefix: str, known: Sequence[str] = ()) -> str:
    """The message for an unknown setting: those of the same last word or a similar name, and those of the group."""
    last = name.rpartition(".")[2]
    same = [full for full in known if full.rpartition(".")[2] == last]
    close = did_you_mean(last, hints).replace("mean ", f"mean {prefix}") if prefix else did_you_mean(name, known)
    meant = f" Did you mean {' or '.join(same)}?" if same else close
    return f"Unknown setting {name}.{meant} Known here: {', '.join(prefix + hint for hint in hints)}"


def _parsed(text: str, hint: Any, name: str) -> Any:
    """Text of the command line in the type of `hint`: read as a Python literal where that fits, else as text."""
    candidates: list[Any] = [text]
    with contextlib.suppress(ValueError, SyntaxError):
        candidates.insert(0, WORDS[text.lower()] if text.lower() in WORDS else ast.literal_eval(text))
    for candidate in candidates:
        try:
            return _converted(candidate, hint)
        except TypeError:
            continue
        except RangeError as error:
            raise UserError(f"{name} {error}. Received: {text}") from None
    raise UserError(f"{name} must be {_in_words(hint)}. Received: {text!r}")


def _checked(value: Any, hint: Any, name: str) -> Any:
    """`value` in the type of `hint`; UserError for another type or a value outside of its range."""
    try:
        return _converted(value, hint)
    except TypeError:
        raise UserError(f"{name} must be {_in_words(hint)}. Received: {repr(value)[:80]}") from None
    except RangeError as error:
        raise UserError(f"{name} {error}. Received: {repr(value)[:80]}") from None


def _converted(value: Any, hint: Any) -> Any:
    """`value` as `hint`; TypeError for another type, RangeError outside of its range. Keys of a mapping may be text, as in JSON."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _in_range(_converted(value, arguments[0]), arguments[1:])
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(value, arguments)
    if origin is typing.Literal:
        if not any(type(value) is type(choice) and value == choice for choice in arguments):
            raise TypeError
        return value
    if origin is dict:
        if not isinstance(value, Mapping):
            raise TypeError
        return {_key(key, arguments[0]): _item(key, item, arguments[1]) for key, item in value.items()}
    if origin is tuple:
        if not isinstance(value, tuple | list):
            raise TypeError
        return tuple(_converted(item, arguments[0]) for item in value)
    return _plain_value(value, hint)


def _plain_value(value: Any, hint: Any) -> Any:
    """A number, flag, text or None of exactly the kind that `hint` names; whole floats count as int, ints as float."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and is_number:
        with contextlib.suppress(OverflowError):
            return float(value)
    elif hint is int and is_number and (isinstance(value, int) or value.is_integer()):
        return int(value)
    elif hint is type(None) and value is None:
        return None
    elif hint in (bool, str) and type(value) is hint:
        return value
    raise TypeError


def _in_range(value: Any, ranges: tuple[Any, ...]) -> Any:
    for allowed in ranges:
        if problem := allowed.problem(value):
            raise RangeError(problem)
    return value


def _first_that_fits(value: Any, hints: Iterable[Any]) -> Any:
    outside: RangeError | None = None
    for hint in hints:
        try:
            return _converted(value, hint)
        except RangeError as error:
            outside = error
        except TypeError:
            continue
    raise outside or TypeError


def _key(key: Any, hint: Any) -> Any:
    key = int(key) if isinstance(key, str) and key.isdigit() and len(key) < 10 else key
    try:
        return _converted(key, hint)
    except RangeError as error:
        raise RangeError(f"has the key {key}, which {error}") from None


def _item(key: Any, value: Any, hint: Any) -> Any:
    try:
        return _converted(value, hint)
    except RangeError as error:
        raise RangeError(f"at {key} {error}") from None


def _in_words(hint: Any) -> str:
    """What a value may be, for a message."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _in_words(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_in_words(argument) for argument in arguments)
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is dict:
        return "a table such as {8: 128, 16: 64}"
    if origin is tuple:
        return "a list such as (1, 2, 1)"
    known = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "none"}
    return known.get(hint, str(hint))
