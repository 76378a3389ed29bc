"""Every reader decodes our PNGs to the original pixels."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from stylegan_tf.data.intake.decode import decode_image_file
from stylegan_tf.data.records.codecs import encode_images

RANDOM = np.random.RandomState(0)


def pillow(data, channels):
    picture = Image.open(io.BytesIO(data))
    picture.verify()  # checksums of all chunks
    picture = Image.open(io.BytesIO(data))
    assert picture.mode == {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    return np.asarray(picture).reshape(picture.height, picture.width, channels)


def opencv(data, channels):
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    image = image.reshape(*image.shape[:2], channels)
    return image[:, :, [2, 1, 0, 3][:channels]] if channels > 1 else image


def tensorflow(data, channels):
    import tensorflow as tf

    image = tf.io.decode_png(data).numpy()
    assert image.shape[2] == channels
    return image


def ours(data, channels):
    decoded = decode_image_file(data)
    assert decoded.is_plain
    return decoded.pixels


@pytest.mark.parametrize("reader", [pillow, opencv, tensorflow, ours])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(4, 4), (8, 8), (64, 64), (5, 3), (1, 7), (300, 300)])
def test_every_reader_gets_the_same_pixels(reader, channels, size):
    noise = RANDOM.randint(256, size=(*size, channels))
    images = np.stack([noise, noise // 16 + 100, np.full_like(noise, 255), np.zeros_like(noise)]).astype(np.uint8)
    files = encode_images(images, "png")
    assert len(files) == len(images)
    for data, image in zip(files, images, strict=True):
        assert (reader(data, channels) == image).all()


def test_smooth_pictures_take_less_than_half_of_raw():
    ramp = np.add.outer(np.arange(64), np.arange(64))[None, :, :, None].repeat(3, axis=3)
    image = (ramp + RANDOM.randint(4, size=ramp.shape)).astype(np.uint8)
    assert len(encode_images(image, "png")[0]) < 0.5 * image.size
