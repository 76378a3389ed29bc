"""Settings as text: plain values for JSON and back, `--set name=value`, and the differences between two runs."""

import ast
import contextlib
import dataclasses
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stylegan_tf.errors import UserError

WORDS = {"none": None, "null": None, "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def to_plain(settings: Any) -> Any:
    """Nested dicts, lists and plain values, ready for JSON (keys become strings there)."""
    if dataclasses.is_dataclass(settings):
        return {field.name: to_plain(getattr(settings, field.name)) for field in dataclasses.fields(settings)}
    if isinstance(settings, Mapping):
        return {str(key): to_plain(value) for key, value in settings.items()}
    return [to_plain(value) for value in settings] if isinstance(settings, tuple | list) else settings


def from_plain(kind: type, values: Mapping[str, Any], prefix: str = "") -> Any:
    """The inverse of `to_plain`: fields that are missing take their defaults, unknown ones are refused.

    Raises:
        UserError: an unknown name or a value of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    unknown = [name for name in values if name not in hints]
    if unknown:
        raise UserError(_unknown(f"{prefix}{unknown[0]}", hints, prefix))
    arguments = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(hints[name]):
            arguments[name] = from_plain(hints[name], value, f"{prefix}{name}.")
        else:
            arguments[name] = _checked(value, hints[name], f"{prefix}{name}")
    return kind(**arguments)


def override(settings: Any, assignments: Iterable[str]) -> Any:
    """Applies assignments such as "schedule.fade_kimg=60" or "schedule.minibatch_by_resolution.16=32".

    Raises:
        UserError: not of the form name=value, an unknown name (the known ones are listed), or a value of the wrong type.
    """
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator:
            raise UserError(f"--set expects name=value, such as schedule.fade_kimg=60. Received: {assignment}")
        settings = _replaced(settings, name.strip().split("."), text.strip(), name.strip())
    return settings


def differences(old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """Names of the settings that differ, with the old and the new value."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return [(name, before[name], after[name]) for name in after if before[name] != after[name]]


def names(settings: Any) -> list[str]:
    """Full names of all settings."""
    return [name for name, _ in _leaves(settings)]


def _leaves(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def _replaced(settings: Any, path: list[str], text: str, full_name: str) -> Any:
    hints = typing.get_type_hints(type(settings))
    prefix = full_name[: len(full_name) - len(".".join(path))]
    name, rest = path[0], path[1:]
    if name not in hints:
        raise UserError(_unknown(full_name, hints, prefix))
    value = getattr(settings, name)
    if dataclasses.is_dataclass(value):
        if not rest:
            raise UserError(f"{full_name} is a group of settings: {', '.join(f'{full_name}.{x}' for x in _fields(value))}")
        value = _replaced(value, rest, text, full_name)
    elif len(rest) == 1 and isinstance(value, dict):
        value = {**value, **_checked(f"{{{rest[0]}: {text}}}", hints[name], full_name)}
    elif rest:
        raise UserError(_unknown(full_name, hints, prefix))
    else:
        value = _checked(text, hints[name], full_name)
    return dataclasses.replace(settings, **{name: value})


def _unknown(name: str, hints: Mapping[str, Any], prefix: str) -> str:
    return f"Unknown setting {name}. Known here: {', '.join(prefix + known for known in hints)}"


def _fields(settings: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(settings)]


def _checked(value: Any, hint: Any, name: str) -> Any:
    """Returns `value` in the type that `hint` asks for; text is read as a Python literal first, where that helps."""
    candidates = [value]
    if isinstance(value, str):
        with contextlib.suppress(ValueError, SyntaxError):
            candidates.insert(0, WORDS[value.lower()] if value.lower() in WORDS else ast.literal_eval(value))
    for candidate in candidates:
        try:
            return _converted(candidate, hint)
        except TypeError:
            continue
    raise UserError(f"{name} must be {_in_words(hint)}. Received: {value!r}")


def _converted(value: Any, hint: Any) -> Any:
    """`value` as `hint`; TypeError where it does not fit. Keys of a mapping may come as text, as JSON writes them."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(value, arguments)
    if origin is typing.Literal:
        if not any(value == choice and type(value) is type(choice) for choice in arguments):
            raise TypeError
        return value
    if origin is dict:
        if not isinstance(value, Mapping):
            raise TypeError
        return {_key(key, arguments[0]): _converted(item, arguments[1]) for key, item in value.items()}
    if origin is tuple:
        if not isinstance(value, tuple | list):
            raise TypeError
        return tuple(_converted(item, arguments[0]) for item in value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if hint is type(None) and value is None:
        return None
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise TypeError


def _first_that_fits(value: Any, hints: Iterable[Any]) -> Any:
    for hint in hints:
        try:
            return _converted(value, hint)
        except TypeError:
            continue
    raise TypeError


def _key(key: Any, hint: Any) -> Any:
    if hint is int and isinstance(key, str) and key.isdigit():
        return int(key)
    return _converted(key, hint)


def _in_words(hint: Any) -> str:
    """What a value may be, for a message."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
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
