"""Image codecs: uint8 images to and from the bytes inside a record (raw [C, H, W], PNG, or JPEG)."""

import struct
from collections.abc import Iterator

import numpy as np

from stylegan_tf.errors import UserError

# At 88, all levels of apple_leaves at 256x256 take 1.88 of the source files; at 90 1.94, at 92 2.01, at 95 2.2.
JPEG_QUALITY = 88
_PNG_LEVEL = 1  # apple_leaves at 256x256: 0.396 of raw; level 3 gives 0.388 in twice the time
ENCODINGS = {"png": (1, 3, 4), "raw": (1, 3, 4), "jpeg": (1, 3)}  # and the numbers of channels that each can hold
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of the header with the size
_JPEG_SCAN = 0xDA
_FULL_COLOUR_SIDE = 32  # up to here colours are not subsampled: costs 3 % of the disk; at 4x4 the colours would be a 2x2 image


def encode_images(images: np.ndarray, encoding: str, quality: int = JPEG_QUALITY) -> list[bytes]:
    """Encodes uint8 [N, H, W, C] as "raw", "png" or "jpeg" (quality 1 to 100).

    JPEG files have optimised Huffman tables, which halves the size of small images; colours are subsampled in large images only.
    """
    if encoding == "raw":
        return [image.transpose(2, 0, 1).tobytes() for image in images]
    return [_encode_png(image) if encoding == "png" else _encode_jpeg(image, quality) for image in images]


def decode_image(data: bytes | memoryview, encoding: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Decodes the bytes of a record to uint8 [H, W, C].

    Args:
        data: as `encode_images` makes them.
        encoding: "raw", "png" or "jpeg".
        shape: the expected (C, H, W).

    Raises:
        ValueError: damaged bytes, or an image of another shape; the message is to follow the name of the record.
    """
    import cv2

    channels, height, width = shape
    check_header(data, encoding, shape)
    if encoding == "raw":
        return np.frombuffer(data, np.uint8).reshape(shape).transpose(1, 2, 0)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError(f"contains a damaged {encoding.upper()}")
    image = image[:, :, None] if image.ndim == 2 else image
    if image.shape != (height, width, channels) or image.dtype != np.uint8:
        raise ValueError(f"contains a {encoding.upper()} of shape {image.shape}, expected {(height, width, channels)}")
    return _swap_red_and_blue(image)


def check_header(data: bytes | memoryview, encoding: str, shape: tuple[int, int, int]) -> None:
    """Refuses a record whose image is of another size, before memory for its pixels is taken.

    Args:
        data: bytes of a record.
        encoding: "raw", "png" or "jpeg".
        shape: the expected (C, H, W).

    Raises:
        ValueError: another size or no image; the message is to follow the name of the record.
    """
    channels, height, width = shape
    if encoding == "raw":
        if len(data) != channels * height * width:
            raise ValueError(f"contains {len(data)} bytes, {channels * height * width} expected for {channels}x{height}x{width}")
        return
    stated = _stated_size(data, encoding) if len(data) >= 24 else None
    if stated is None:
        raise ValueError(f"contains a damaged {encoding.upper()}")
    if stated != (height, width):
        raise ValueError(f"contains a {encoding.upper()} of {stated[1]}x{stated[0]}, expected {width}x{height}")


def check_encoding(encoding: str, channels: int, quality: int) -> None:
    """Raises UserError for an unknown encoding, or channels or a quality that it does not support."""
    if encoding not in ENCODINGS:
        raise UserError(f"Encoding must be one of {', '.join(ENCODINGS)}. Received: {encoding}")
    if channels not in ENCODINGS[encoding]:
        known = ", ".join(map(str, ENCODINGS[encoding]))
        raise UserError(f"{encoding.upper()} records support images of {known} channels. Received: {channels}")
    if not 1 <= quality <= 100:
        raise UserError(f"JPEG quality must be from 1 to 100. Received: {quality}")


def strip_jpeg(data: bytes | None, resolution: int, channels: int) -> bytes | None:
    """A JPEG file reduced to its image, or None if it cannot be stored as it is, or there is none.

    Accepted are 8-bit grey and colour (three components) of the right size; EXIF, thumbnails and comments are removed.
    """
    kept, fits, data = [b"\xff\xd8"], False, data or b""
    for marker, start, stop in _jpeg_segments(data):
        if marker in _JPEG_FRAMES:
            fits = data[start + 4 : start + 10] == struct.pack(">BHHB", 8, resolution, resolution, channels)
        if marker == _JPEG_SCAN:  # the compressed pixels follow
            return b"".join([*kept, data[start:]]) if fits else None
        if not (0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)):  # APP0 and APP14 define the colour space
            kept.append(data[start:stop])
    return None


def _jpeg_segments(data: bytes | memoryview) -> Iterator[tuple[int, int, int]]:
    """(marker, start, stop) of the segments up to the first scan, in a file where nothing but segments is between them."""
    position = 2 if data[:2] == b"\xff\xd8" else len(data)
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        stop = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        if stop > len(data) or marker == 0xFF or 0xD0 <= marker <= 0xD9:
            return
        yield marker, position, stop
        if marker == _JPEG_SCAN:
            return
        position = stop


def _stated_size(data: bytes | memoryview, encoding: str) -> tuple[int, int] | None:
    """(height, width) in the header of a PNG or JPEG; None without a header."""
    if encoding == "png":
        return struct.unpack_from(">II", data, 16)[::-1] if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" else None
    frames = [start for marker, start, _ in _jpeg_segments(data) if marker in _JPEG_FRAMES]
    return struct.unpack_from(">HH", data, frames[0] + 5) if len(frames) == 1 else None


def _encode_png(image: np.ndarray) -> bytes:
    import cv2

    options = [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
    return cv2.imencode(".png", _swap_red_and_blue(image), options)[1].tobytes()


def _encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    if image.shape[0] <= _FULL_COLOUR_SIDE:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", _swap_red_and_blue(image), options)[1].tobytes()


def _swap_red_and_blue(image: np.ndarray) -> np.ndarray:
    """RGB to OpenCV's BGR and back; grey is returned unchanged."""
    import cv2

    image = np.ascontiguousarray(image)
    if image.shape[2] == 1:
        return image
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
