"""Which entries of an archive are taken: no name that leads out of it, nothing that unpacks to more than an image may have."""

import re

from stylegan_tf.data.sources.base import MAX_FILE_BYTES

_BOMB_BYTES = 64 << 20  # from here on an entry must not have shrunk more than any image does
_BOMB_RATIO = 200


def entry_name(raw: str) -> str | None:
    """The name of an entry as a path inside the archive, "/" between folders; None where it leads out of it.

    Nothing is ever unpacked to such a name; a file that carries one is still none that a user put there.
    """
    name = raw.replace("\\", "/")
    name = re.sub(r"^(\./)+", "", name)
    if not name or name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/") or "\0" in name:
        return None
    return name


def size_reason(num_bytes: int, packed_bytes: int) -> str | None:
    """Why an entry of this announced size is left aside; None where it is not."""
    if num_bytes > MAX_FILE_BYTES:
        return f"entry of more than {MAX_FILE_BYTES >> 20} MB"
    if num_bytes > _BOMB_BYTES and num_bytes > _BOMB_RATIO * max(packed_bytes, 1):
        return "entry that unpacks to more than 200 times its size"
    return None
