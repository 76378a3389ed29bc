"""The size of a zip archive's directory, read before zipfile opens it: zipfile makes an object of every entry."""

import os
import struct
from typing import BinaryIO

MAX_DIRECTORY_BYTES = 1 << 20  # some ten thousand members
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")


def directory_bytes(file: BinaryIO) -> int | None:
    """Bytes of the directory as zipfile reads them: from the 64-bit record before the end record where there is one.

    Returns:
        None for a file that is no zip archive, a cut one, or one whose 64-bit record lies elsewhere.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(size - _END.size - 65_535 - _LOCATOR_64.size - _END_64.size, 0)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        return None
    *_, num_bytes, _, _ = _END.unpack_from(tail, place)
    locator = place - _LOCATOR_64.size
    if locator >= 0 and tail[locator:].startswith(b"PK\x06\x07"):
        record = locator - _END_64.size
        if record < 0 or not tail[record:].startswith(b"PK\x06\x06"):
            return None
        *_, num_bytes, _ = _END_64.unpack_from(tail, record)
    return num_bytes
