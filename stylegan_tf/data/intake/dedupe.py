"""Duplicates among images: the same pixels, or nearly the same by a perceptual hash."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_HASH_SIDE = 32  # pixels of the grey thumbnail that is hashed
_THUMB_SIDE = 8
_THUMB_LEVELS = 10.0  # of 255: maximum mean difference between thumbnails of near duplicates ...
_THUMB_PEAK = 48  # ... and maximum anywhere; in PlantVillage this separates different images with similar hashes


class Fingerprint(NamedTuple):
    """Data that duplicates are found by: 250 bytes per image."""

    digest: bytes  # 16 bytes, of size and pixels
    phash: int  # 64 bits
    thumb: bytes  # uint8 [8, 8, 3]


class Duplicate(NamedTuple):
    """Image `place` repeats the earlier image `of`; their hashes differ in `distance` bits (0 for the same pixels)."""

    place: int
    of: int
    distance: int


def fingerprint(pixels: np.ndarray) -> Fingerprint:
    """Digest, perceptual hash and thumbnail of uint8 [H, W, C].

    The hash has one bit for each of the 64 lowest frequencies (cosine transform of a 32x32 grey image, without the constant):
    whether it is above their median. It changes little under scaling, compression and slight changes of colour.
    """
    import cv2

    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels))
    rgb = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels.repeat(3, axis=2)
    small = cv2.resize(rgb, (_HASH_SIDE, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    frequencies = cv2.dct(grey)[:9, :8].ravel()[1:65]
    bits = frequencies > np.median(frequencies)
    thumb = cv2.resize(small, (_THUMB_SIDE, _THUMB_SIDE), interpolation=cv2.INTER_AREA)
    return Fingerprint(digest.digest(), int.from_bytes(np.packbits(bits).tobytes(), "big"), thumb.tobytes())


def find_duplicates(prints: list[Fingerprint], *, max_distance: int | None = None) -> list[Duplicate]:
    """Images that repeat an earlier one.

    Args:
        prints: of all images, in their order.
        max_distance: maximum number of bits of 64 that hashes may differ by; None to find the same pixels only. Near duplicates
            must also have similar 8x8 thumbnails (10 of 255 levels on average): hashes alone confuse leaves on black.

    Returns:
        Duplicates in order, each of an image that is itself not a duplicate.
    """
    first: dict[bytes, int] = {}
    found = {}
    for place, image in enumerate(prints):
        kept = first.setdefault(image.digest, place)
        if kept != place:
            found[place] = Duplicate(place, kept, 0)
    if max_distance is not None:
        unique = [place for place in range(len(prints)) if place not in found]
        found.update(_near(prints, np.array(unique, np.int64), max_distance))
    return [found[place] for place in sorted(found)]


def _near(prints: list[Fingerprint], unique: np.ndarray, max_distance: int) -> dict[int, Duplicate]:
    """Near duplicates among images with different pixels."""
    if len(unique) < 2:
        return {}
    hashes = np.array([prints[place].phash for place in unique], np.uint64)
    thumbs = np.frombuffer(b"".join(prints[place].thumb for place in unique), np.uint8).reshape(len(unique), -1)
    partners: dict[int, list[int]] = {}
    for low, high in _close_pairs(hashes, thumbs, max_distance):
        partners.setdefault(high, []).append(low)
    found: dict[int, Duplicate] = {}
    dropped: set[int] = set()
    for high in sorted(partners):
        kept = [low for low in partners[high] if low not in dropped]  # chains of small differences must not remove a whole set
        if kept:
            low = min(kept)
            distance = int(hashes[high] ^ hashes[low]).bit_count()
            found[int(unique[high])] = Duplicate(int(unique[high]), int(unique[low]), distance)
            dropped.add(high)
    return found


def _close_pairs(hashes: np.ndarray, thumbs: np.ndarray, max_distance: int) -> Iterator[tuple[int, int]]:
    """Pairs (low, high) of places whose hashes and thumbnails are close."""
    for low in range(len(hashes) - 1):  # 30,000 images: 0.8 s; reading them takes minutes
        rest = low + 1 + np.flatnonzero(np.bitwise_count(hashes[low + 1 :] ^ hashes[low]) <= max_distance)
        difference = np.abs(thumbs[rest].astype(np.int16) - thumbs[low])
        is_near = (difference.mean(axis=1) <= _THUMB_LEVELS) & (difference.max(axis=1) <= _THUMB_PEAK)
        yield from ((low, int(high)) for high in rest[is_near])
