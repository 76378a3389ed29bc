"""Makes a folder of damaged and unusual image files, with the expected result for each."""

import io
import os
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from stylegan_tf.data.sources.leaves import draw_leaf

OK = "ok"
SIDE = 32


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def leaf(index: int = 0, side: int = SIDE) -> Image.Image:
    return Image.fromarray(draw_leaf(0, index, side)[0])


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    rows: bytes, *, width: int = SIDE, height: int = SIDE, depth: int = 8, color_type: int = 2, more: bytes = b"", end: bool = True
) -> bytes:
    """A PNG of given (filtered) rows, valid or not."""
    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)
    parts = [
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", header),
        more,
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b"") if end else b"",
    ]
    return b"".join(parts)


def plain_rows(filter_byte: int = 0, rows: int = SIDE) -> bytes:
    return (bytes([filter_byte]) + bytes(range(96))) * rows


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]


def unusable_files() -> dict[str, tuple[bytes, str | None]]:
    """Name -> (content, expected reason in the report; None if several are acceptable)."""
    noise = np.random.RandomState(0).bytes(3000)
    sound = encoded(leaf(), "PNG")
    jpeg = encoded(leaf(), "JPEG")
    tiff = encoded(leaf(), "TIFF")
    nan = np.full((SIDE, SIDE), np.nan, np.float32)
    idat = sound.index(b"IDAT")
    return {
        "empty.png": (b"", "empty file"),
        "empty.jpg": (b"", "empty file"),
        "one_byte.png": (b"\x89", "not an image"),
        "garbage.png": (noise, "not an image"),
        "garbage.jpg": (b"\xff\xd8\xff" + noise, None),
        "zeros.png": (bytes(5000), "not an image"),
        "text.jpg": (b"this is a text\n" * 20, "not an image"),
        "error_page.png": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "not an image"),
        "lfs_pointer.png": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n", "not an image"),
        "postscript.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\nshowpage\n", "not an image"),
        "png_cut_in_half.png": (sound[: len(sound) // 2], "truncated"),
        "png_cut_in_header.png": (sound[:20], None),
        "png_without_end.png": (png(plain_rows(), end=False), "truncated"),
        "png_last_byte_gone.png": (sound[:-1], "truncated"),
        "png_bit_flip_in_pixels.png": (flipped(sound, idat + 40), "corrupt"),
        "png_bit_flip_in_checksum.png": (flipped(sound, len(sound) - 16), "corrupt"),
        "png_bit_flip_in_header.png": (flipped(sound, 17), None),
        "png_rows_missing.png": (png(plain_rows(rows=SIDE - 3)), "corrupt"),
        "png_rows_too_many.png": (png(plain_rows(rows=SIDE + 3)), "corrupt"),
        "png_unknown_filter.png": (png(plain_rows(filter_byte=9)), "corrupt"),
        "png_no_width.png": (png(plain_rows(), width=0), None),
        "png_unknown_colour_type.png": (png(plain_rows(), color_type=5), None),
        "png_bomb.png": (png(bytes(1000), width=100_000, height=100_000), "too many pixels"),
        "png_bomb_interlaced.png": (encoded(leaf(), "PNG").replace(b"\0\0\0\x20\0\0\0\x20", b"\0\1\0\0\0\1\0\0", 1), None),
        "png_palette_missing.png": (png(bytes(33 * 32), color_type=3), None),
        "png_16bit_cut.png": (encoded(Image.fromarray(np.full((SIDE, SIDE), 30000, np.uint16)), "PNG")[:70], "truncated"),
        "jpeg_cut_in_half.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "jpeg_header_only.jpg": (jpeg[:30], None),
        "jpeg_two_bytes.jpg": (b"\xff\xd8", None),
        "jpeg_no_size.jpg": (jpeg.replace(b"\0\x20\0\x20", b"\0\0\0\0", 1), None),
        "gif_cut.gif": (encoded(leaf(), "GIF")[:200], None),
        "gif_no_frames.gif": (b"GIF89a\x20\0\x20\0\0\0\0;", None),
        "bmp_cut.bmp": (encoded(leaf(), "BMP")[:300], "truncated"),
        "bmp_bomb.bmp": (
            b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 90_000, 90_000, 1, 24, 0, 0, 0, 0, 0, 0),
            "too many pixels",
        ),
        "tiff_cut.tif": (tiff[: len(tiff) // 2], None),
        "tiff_directory_outside.tif": (b"II*\0" + struct.pack("<I", 10_000_000), None),
        "tiff_directory_of_itself.tif": (b"II*\0" + struct.pack("<IH", 4, 1), None),
        "tiff_of_signed_numbers.tif": (encoded(Image.fromarray(np.eye(SIDE, dtype=np.int32)), "TIFF"), "unsupported pixels"),
        "tiff_of_large_floats.tif": (encoded(Image.fromarray(np.eye(SIDE, dtype=np.float32) * 9), "TIFF"), "invalid pixel values"),
        "tiff_of_nan.tif": (encoded(Image.fromarray(nan), "TIFF"), "invalid pixel values"),
        "webp_cut.webp": (encoded(leaf(), "WEBP")[:100], None),
        "webp_header_only.webp": (b"RIFF\x10\0\0\0WEBPVP8 ", None),
        "ppm_cut.ppm": (encoded(leaf(), "PPM")[:400], "truncated"),
        "ppm_bomb.ppm": (b"P6 99999 99999 255\n123", "too many pixels"),
        "tga_cut.tga": (encoded(leaf(), "TGA")[:100], None),
        "ico_cut.ico": (encoded(leaf(), "ICO")[:60], None),
        "jpeg2000_cut.jp2": (encoded(leaf(), "JPEG2000")[:150], None),
        "psd_header_only.psd": (b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, SIDE, SIDE, 8, 3), None),
        "dds_header_only.dds": (b"DDS " + bytes(40), None),
        "pcx_cut.pcx": (encoded(leaf(), "PCX")[:140], None),
        "sgi_cut.sgi": (encoded(leaf(), "SGI")[:600], None),
        "xbm_nonsense.xbm": (b"#define im_width 99999999\n#define im_height 99999999\n", None),
        "size_1x1.png": (encoded(leaf().resize((1, 1)), "PNG"), "too small"),
        "size_2x2.png": (encoded(leaf().resize((2, 2)), "PNG"), "too small"),
        "size_400x1.png": (encoded(leaf().resize((400, 1)), "PNG"), "too small"),
    }


def odd_files() -> dict[str, bytes]:
    """Files that are unusual but undamaged: each must become an image."""
    rotated = Image.Exif()
    rotated[0x0112] = 6
    transparent = leaf().convert("RGBA")
    transparent.putalpha(128)
    ramp = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE) * 60
    animation = {"save_all": True, "append_images": [leaf(1), leaf(2)]}
    return {
        "rgba.png": encoded(transparent, "PNG"),
        "grey_alpha.png": encoded(transparent.convert("LA"), "PNG"),
        "palette.png": encoded(leaf().quantize(16), "PNG"),
        "palette_transparent.png": encoded(leaf().quantize(16), "PNG", transparency=0),
        "rgb_one_transparent_colour.png": encoded(leaf(), "PNG", transparency=(242, 240, 230)),
        "one_bit.png": encoded(leaf().convert("1"), "PNG"),
        "grey.png": encoded(leaf().convert("L"), "PNG"),
        "grey.jpg": encoded(leaf().convert("L"), "JPEG"),
        "grey_16bit.png": encoded(Image.fromarray(ramp), "PNG"),
        "float.tif": encoded(Image.fromarray(ramp.astype(np.float32) / ramp.max()), "TIFF"),
        "cmyk.jpg": encoded(leaf().convert("CMYK"), "JPEG"),
        "lab.tif": encoded(leaf().convert("RGB"), "TIFF"),
        "interlaced_look.png": encoded(leaf(), "PNG", optimize=True),
        "progressive.jpg": encoded(leaf(), "JPEG", progressive=True),
        "animated.gif": encoded(leaf(), "GIF", **animation),
        "animated.png": encoded(leaf(), "PNG", **animation),
        "animated.webp": encoded(leaf(), "WEBP", **animation),
        "pages.tif": encoded(leaf(), "TIFF", **animation),
        "rotated_exif.jpg": encoded(leaf(), "JPEG", exif=rotated),
        "damaged_exif.jpg": encoded(leaf(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        "trailing_bytes.png": encoded(leaf(), "PNG") + b"something more",
        "trailing_bytes.jpg": encoded(leaf(), "JPEG") + b"something more",
        "jpeg_called.png": encoded(leaf(), "JPEG"),
        "no_ending_at_all": encoded(leaf(), "JPEG"),
        "wrong_ending.dat": encoded(leaf(), "PNG"),
        "UPPER.PNG": encoded(leaf(), "PNG"),
        "with space and (brackets).jpeg": encoded(leaf(), "JPEG"),
        "наклон 叶 🍁.png": encoded(leaf(), "PNG"),
        "new\nline.png": encoded(leaf(), "PNG"),
        "-dash.png": encoded(leaf(), "PNG"),
        "wide.bmp": encoded(leaf().resize((96, 40)), "BMP"),
        "deep/er/and/deeper/leaf.webp": encoded(leaf(), "WEBP"),
    }


def write_other_files(folder: Path) -> int:
    """Files, links and other things that are not images; returns their number."""
    contents = {
        "notes.txt": b"some notes",
        "Thumbs.db": b"\xd0\xcf\x11\xe0",
        ".DS_Store": b"\0\0\0\1Bud1",
        "._photo.jpg": b"\0\5\x16\7",
        ".hidden.png": encoded(leaf(), "PNG"),
        "desktop.ini": b"[.ShellClassInfo]",
        "more.zip": b"PK\5\6" + bytes(18),
        "clip.mp4": b"\0\0\0\x18ftypmp42",
        "phone.HEIC": b"\0\0\0\x18ftypheic",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "figure.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "camera.CR2": b"II*\0" + bytes(20),
        "labels.csv": b"name,label\n",
        "nothing": b"",
        "__MACOSX/._leaf.png": b"\0\5\x16\7",
        ".git/HEAD": b"ref: refs/heads/main\n",
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "a_folder.png").mkdir()  # walked into, and empty
    (folder / "broken_link.png").symlink_to("no/such/file.png")
    (folder / "loop").symlink_to(folder, target_is_directory=True)  # walked once only
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket.png"))
    return len(contents) + 3


def write_all(folder: Path) -> dict[str, str | None]:
    """Writes everything; returns the expected result for each image file: OK, a reason, or None for any reason."""
    expected: dict[str, str | None] = {}
    for name, content in odd_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        expected[name] = OK
    for name, (content, reason) in unusable_files().items():
        (folder / name).write_bytes(content)
        expected[name] = reason
    with open(os.fsencode(folder) + b"/not-utf8-\xff\xfe.png", "wb") as file:
        file.write(encoded(leaf(), "PNG"))
    expected[os.fsdecode(b"not-utf8-\xff\xfe.png")] = OK
    return expected
