"""Colours of pictures that come with an ICC profile other than sRGB, brought to sRGB."""

import functools
import io
import threading
from typing import Any

import numpy as np

CONVERTED, IGNORED = "colour profile converted to sRGB", "unreadable colour profile ignored"  # notes for the report
_SPACES = {"RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK"}  # of profiles that fit a mode
_SAME = 3  # of 255: copies of sRGB differ by their tables; Adobe RGB and Display P3 move colours by 20 and more


def to_srgb(picture, profile: bytes | None) -> tuple[Any, list[str]]:
    """A Pillow picture in mode RGB, RGBA or CMYK as sRGB in mode RGB or RGBA, and notes on what was done.

    Args:
        picture: other modes, and pictures whose profile is sRGB, stay as they are.
        profile: ICC profile as it was embedded, or None. One that is broken or of other colours than the picture is ignored.
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


def is_srgb(profile: bytes) -> bool:
    """Whether colours of an RGB picture with this profile are those of sRGB (within what its tables round)."""
    return _transform(profile, "RGB", threading.get_ident()) == "same"


@functools.lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str, thread: int) -> Any:  # one for each thread: a transform keeps its last colour
    """Transform to sRGB, "same" where it would change nothing, None where the profile is broken or of other colours."""
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
