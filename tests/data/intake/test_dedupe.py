"""Tests of finding repeated images."""

import io

import numpy as np
from PIL import Image

from stylegan_tf.data.intake.dedupe import find_duplicates, fingerprint
from stylegan_tf.data.sources.leaves import draw_leaf


def pixels(index, side=64):
    return draw_leaf(0, index, side)[0]


def recompressed(image, quality=75):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content))


def test_the_same_pixels_are_found_and_the_first_is_kept():
    images = [pixels(0), pixels(1), pixels(0), pixels(2), pixels(1), pixels(0)]
    found = find_duplicates([fingerprint(image) for image in images])
    assert [(d.place, d.of, d.distance) for d in found] == [(2, 0, 0), (4, 1, 0), (5, 0, 0)]


def test_the_same_bytes_in_another_shape_are_no_duplicate():
    plain = np.zeros((8, 8, 3), np.uint8)
    assert find_duplicates([fingerprint(plain), fingerprint(plain.reshape(4, 16, 3))]) == []


def test_scaled_recompressed_and_brightened_copies_are_near():
    brighter = np.clip(pixels(2).astype(int) + 6, 0, 255).astype(np.uint8)
    images = [pixels(0), pixels(1), pixels(2), recompressed(pixels(0)), pixels(1, 128), brighter]
    prints = [fingerprint(image) for image in images]
    assert find_duplicates(prints) == []
    assert [(d.place, d.of) for d in find_duplicates(prints, max_distance=6)] == [(3, 0), (4, 1), (5, 2)]


def test_leaves_of_different_species_are_not_near():
    for start in range(0, 80, 8):
        prints = [fingerprint(pixels(index)) for index in range(start, start + 8)]
        assert find_duplicates(prints, max_distance=4) == []


def test_bands_find_every_pair_that_comparing_all_would():
    random = np.random.RandomState(0)
    base = random.randint(0, 2**63, size=20).astype(np.uint64)
    hashes = [int(value) for value in base]
    for value in base:
        flips = random.choice(64, size=random.randint(0, 7), replace=False)
        hashes.append(int(value) ^ sum(1 << int(bit) for bit in flips))
    blank = fingerprint(np.zeros((8, 8, 3), np.uint8))
    prints = [blank._replace(digest=bytes([n]), phash=value) for n, value in enumerate(hashes)]
    expected = {high for high in range(40) for low in range(high) if (hashes[low] ^ hashes[high]).bit_count() <= 4}
    assert {d.place for d in find_duplicates(prints, max_distance=4)} == expected
