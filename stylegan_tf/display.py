"""Text from files as it can be shown and stored: characters that control a terminal become visible escapes."""

import unicodedata

_MAX_CHARS = 300
_JOINERS = "\u200c\u200d"  # parts of words in Persian and in Indian scripts, and of emoji
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, invisible formats, surrogates, line and paragraph separators


def visible(text: object, max_chars: int = _MAX_CHARS) -> str:
    """One line that a terminal shows as it is, whatever the text contains.

    Control characters (escape sequences, line ends, changes of the direction of writing) are written as Python writes them, such
    as `\\x1b`; so are bytes that are not UTF-8 (surrogates), which could not be printed at all.

    Args:
        text: name, message or value from a file; anything else is converted by `str`.
        max_chars: longer texts are cut, and end in "...".
    """
    text = str(text)
    if len(text) > max_chars:
        text = text[: max_chars - 3] + "..."
    return text if text.isprintable() else "".join(map(_visible_character, text))


def visible_lines(*lines: object) -> str:
    """Lines of any length, each made visible: line ends within them, which came from a file, are escapes as well."""
    return "\n".join(visible(line, max_chars=len(line) + 3) for line in map(str, lines))


def say(*lines: object) -> None:
    """Prints lines for the user at once; they may contain names and messages from files (see `visible_lines`)."""
    try:
        print(visible_lines(*lines), flush=True)
    except OSError as error:
        error.filename = "<stdout>"
        raise


def class_name(text: str) -> str:
    """A class name as it is stored: composed Unicode (NFC), without what cannot be written as UTF-8 or shown on a terminal."""
    return visible_lines(unicodedata.normalize("NFC", text.strip()))


def _visible_character(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _ESCAPED:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python decodes names of files
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
