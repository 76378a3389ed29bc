"""Conversion of colours: ICC profiles to sRGB, Pillow's modes to 8-bit grey, RGB or RGBA, and channels to those of the dataset."""

import functools
import io
import threading
from typing import TYPE_CHECKING, Literal

import numpy as np

from stylegan_tf.data.sources.base import UnusableImage
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageCms import ImageCmsTransform

CONVERTED, IGNORED = "colour profile converted to sRGB", "unreadable colour profile ignored"  # notes for the report
_SPACES = {"RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK"}  # colour space of a profile that matches a mode
_SAME = 3  # of 255: copies of sRGB differ by the rounding of their tables, Adobe RGB and Display P3 by 20 and more


def to_srgb(picture: "Picture", profile: bytes | None) -> tuple["Picture", list[str]]:
    """A Pillow picture in mode RGB, RGBA or CMYK as sRGB in mode RGB or RGBA, and notes on conversions for the report.

    Args:
        picture: other modes, and pictures whose profile is sRGB, are returned unchanged.
        profile: the embedded ICC profile, or None. One that is broken or for another colour space is ignored.
    """
    if not profile or picture.mode not in _SPACES:
        return picture, []
    transform = _transform(profile, picture.mode, threading.get_ident())
    if transform is None:
        return picture, [IGNORED]
    if transform == "same":
        return picture, []
    from PIL import ImageCms

    return ImageCms.applyTransform(picture, transform), [CONVERTED]


def standard_mode(picture: "Picture") -> tuple["Picture", list[str]]:
    """The picture in mode L, RGB or RGBA, and notes on conversions for the report."""
    mode = picture.mode
    if mode == "P" and picture.palette is None:  # Pillow would use a ramp of greys
        raise UnusableImage("corrupt", "the palette is missing")
    has_transparency = "transparency" in picture.info or mode in ("LA", "La", "PA", "RGBA", "RGBa")
    if has_transparency:
        notes = ["palette converted"] if mode in ("P", "PA") else []
        picture = picture.convert("LA") if mode == "La" else picture
        return (picture if mode == "RGBA" else picture.convert("RGBA")), notes
    if mode in ("L", "RGB"):
        return picture, []
    if mode == "1":
        return picture.convert("L"), ["1-bit converted"]
    if mode == "P":
        return picture.convert("RGB"), ["palette converted"]
    if mode == "LAB":
        from PIL import ImageCms

        spaces = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        flags = ImageCms.Flags.NOOPTIMIZE  # its tables would be wrong by up to 6 of 255
        return ImageCms.profileToProfile(picture, *spaces, outputMode="RGB", flags=flags), ["Lab converted"]
    return picture.convert("RGB"), [f"{mode} converted"]


def to_channels(pixels: np.ndarray, channels: int, background: tuple[int, int, int]) -> np.ndarray:
    """uint8 [H, W, C] as [H, W, channels]: transparent pixels are blended with the background, colour to grey by ITU-R 601 luma."""
    from PIL import Image

    if pixels.shape[2] == channels:
        return pixels
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if channels == 4:
        return np.asarray(picture.convert("RGBA"))
    if picture.mode == "RGBA":
        behind = Image.new("RGBA", picture.size, (*background, 255))
        picture = Image.alpha_composite(behind, picture)
    return np.asarray(picture.convert("RGB" if channels == 3 else "L")).reshape(*pixels.shape[:2], channels)


def parse_colour(text: str) -> tuple[int, int, int]:
    """RGB of a colour name or #rrggbb."""
    from PIL import ImageColor

    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise UserError(f"Background must be a colour such as white, black or #f2f0e6. Received: {text}") from None


def background_pixel(channels: int, background: tuple[int, int, int]) -> tuple[int, ...]:
    """The background colour in the channels of the dataset; transparent if there is an alpha channel."""
    if channels == 1:
        return (round(0.299 * background[0] + 0.587 * background[1] + 0.114 * background[2]),)
    return background if channels == 3 else (*background, 0)


@functools.lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str, thread: int) -> "ImageCmsTransform | Literal['same'] | None":
    """Transform to sRGB, "same" if it would change nothing, None if the profile is broken or for another colour space.

    There is one for each thread, because a transform caches its last colour and is not thread-safe.
    """
    from PIL import Image, ImageCms

    output = "RGB" if mode == "CMYK" else mode
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            output,
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "CMYK":
            return transform
        cube = np.stack(np.meshgrid(*[np.arange(0, 256, 51)] * 3), axis=-1).astype(np.uint8).reshape(1, -1, 3)
        probe = Image.fromarray(cube).convert(mode)
        moved = np.asarray(ImageCms.applyTransform(probe, transform)).astype(int) - np.asarray(probe)
        return "same" if np.abs(moved).max() <= _SAME else transform
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None
