"""The tables of all settings in docs/config.md, made from the settings' own comments: `python -m tests.settings_tables` writes them."""

import dataclasses
import inspect
import re
import typing
from pathlib import Path

from stylegan_tf import models
from stylegan_tf.settings import TrainingSettings

PAGE = Path(__file__).parents[1] / "docs" / "config.md"
HEADING = "## All settings"


def tables() -> str:
    """Markdown: a table for each group that all models share, then those of each model."""
    shared = _groups(TrainingSettings)
    parts = [_group(kind, name) for name, kind in shared.items()]
    for model in models.PACKAGES:
        own = {name: kind for name, kind in _groups(models.settings_type(model)).items() if name not in shared}
        parts += [_group(kind, name, f" of `{model}`") for name, kind in own.items()]
    return "\n".join(parts)


def _groups(kind: type) -> dict[str, type]:
    """The groups of settings of a run by name."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if dataclasses.is_dataclass(hints[field.name])}


def _group(kind: type, prefix: str, of: str = "") -> str:
    lines = [
        f"### `{prefix}.`{of}: {kind.__doc__.strip().splitlines()[0].rstrip('.')}",
        "",
        "| name | default | meaning |",
        "| --- | --- | --- |",
    ]
    for name, default, hint, comment in _rows(kind, prefix):
        choices = [choice for choice in _choices(hint) if not isinstance(choice, bool)]
        text = comment or "the value above, by resolution"
        among = "; one of " + ", ".join(f"`{choice}`" for choice in choices) if choices else ""
        lines.append(f"| `{name}` | {_shown(default)} | {text}{among} |")
    return "\n".join([*lines, ""])


def _rows(kind: type, prefix: str, inner: str = ""):
    source = "".join(inspect.getsource(base) for base in kind.__mro__ if dataclasses.is_dataclass(base))
    values, hints = kind() if _has_defaults(kind) else None, typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        value = getattr(values, field.name)
        if dataclasses.is_dataclass(value):
            yield from _rows(type(value), prefix, f"{field.name}.")
            continue
        found = re.search(rf"^    {field.name}: .*?(?:  # (.*))?$", source, re.M)
        yield f"{inner}{field.name}", value, hints[field.name], found[1]


def _has_defaults(kind: type) -> bool:
    return all(f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING for f in dataclasses.fields(kind))


def _choices(hint) -> tuple:
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    return next((typing.get_args(part) for part in typing.get_args(hint) if typing.get_origin(part) is typing.Literal), ())


def _shown(value) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    return "[" + ", ".join(map(_shown, value)) + "]" if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(f"{page.split(HEADING)[0]}{HEADING}\n\n{tables()}", encoding="utf-8")
