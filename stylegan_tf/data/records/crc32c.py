"""The masked CRC-32C that guards every TFRecord, by the processor's own instruction for it."""

from collections.abc import Sequence

import google_crc32c
import numpy as np

_MASK_DELTA = 0xA282EAD8  # TensorFlow stores rotate_right(crc, 15) + delta


def masked_crc32c(strings: Sequence[bytes | memoryview] | np.ndarray) -> np.ndarray:
    """Masked CRC-32C of every byte string, as the TFRecord format stores it.

    Args:
        strings: as `crc32c` takes them.

    Returns:
        uint32 [len(strings)].

    Source: RFC 3720, appendix B.4, for the polynomial; the TFRecord description in TensorFlow's guide for the mask.
    """
    crc = crc32c(strings)
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(_MASK_DELTA)


def crc32c(strings: Sequence[bytes | memoryview] | np.ndarray) -> np.ndarray:
    """CRC-32C of every byte string, or of every row of uint8 [n, length]: uint32 [len(strings)]."""
    # The package takes no memory that might change while it reads it, except as an array.
    checksums = (google_crc32c.value(string if isinstance(string, bytes) else np.frombuffer(string, np.uint8)) for string in strings)
    return np.fromiter(checksums, np.uint32, len(strings))
