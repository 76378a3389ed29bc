"""Builds small picture files that unfold to gigabytes, or that ask for another program, by name."""

import io
import struct
import zlib

from PIL import Image

from tests.data.broken_files import chunk, encoded, leaf, png

HUGE = 30_000  # side in pixels: 3.6 GB in RGB
RUNS_CODE = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n(/tmp/CANARY) (w) file dup (ran) writestring closefile showpage\n"


def bomb_png(side, depth=8, color_type=6):
    """A whole PNG: every row inflates, all pixels are 0."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4, 3: 1}[color_type]
    row = bytes(1 + side * channels * depth // 8)
    deflate = zlib.compressobj(9)
    rows = b"".join(deflate.compress(row) for _ in range(side)) + deflate.flush()
    header = struct.pack(">IIBBBBB", side, side, depth, color_type, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(768)) if color_type == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def unfolding_files():
    """Headers of huge pictures, each in front of few bytes; whole files where decoders would give up early otherwise."""
    side = struct.pack("<HH", HUGE, HUGE)
    icon = io.BytesIO()
    leaf().save(icon, "ICO", sizes=[(32, 32)])
    icon_png = bomb_png(9000)
    tiff = encoded(Image.new("RGB", (2, 2)), "TIFF", compression="tiff_deflate")
    return {
        "rgba.png": bomb_png(11_500),
        "grey16.png": bomb_png(11_500, 16, 0),
        "palette.png": bomb_png(11_500, 8, 3),
        "plain.png": png(bytes(1000), width=HUGE, height=HUGE),
        "rgb.jpg": encoded(leaf(), "JPEG").replace(b"\0\x11\x08\0\x20\0\x20", b"\0\x11\x08\xff\xff\xff\xff", 1),
        "progressive.jpg": encoded(leaf(), "JPEG", progressive=True).replace(b"\0\x11\x08\0\x20\0\x20", b"\0\x11\x08\x2b\0\x2b\0", 1),
        "rgb.tif": encoded(Image.new("RGB", (11_500, 11_500)), "TIFF", compression="tiff_deflate"),
        "header.tif": tiff.replace(struct.pack("<HHIH", 256, 3, 1, 2), struct.pack("<HHIH", 256, 3, 1, HUGE)).replace(
            struct.pack("<HHIH", 257, 3, 1, 2), struct.pack("<HHIH", 257, 3, 1, HUGE)
        ),
        "lossless.webp": b"RIFF\x40\0\0\0WEBPVP8L\x20\0\0\0\x2f" + struct.pack("<I", 16_382 | 16_382 << 14) + bytes(60),
        "extended.webp": b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\x3f\0\xff\x3f\0" + bytes(60),
        "lossy.webp": encoded(leaf(), "WEBP").replace(b"\x9d\x01\x2a\x20\0\x20\0", b"\x9d\x01\x2a\xfe\x3f\xfe\x3f", 1),
        "grey.jp2": _with_size(encoded(leaf(), "JPEG2000"), 11_500),
        "colours.avif": encoded(leaf(), "AVIF").replace(struct.pack(">II", 32, 32), struct.pack(">II", 16_384, 16_384)),
        "rgb.bmp": encoded(leaf(), "BMP").replace(struct.pack("<ii", 32, 32), struct.pack("<ii", HUGE, HUGE), 1),
        "rgb.tga": b"\0\0\x0a" + bytes(9) + side + b"\x18\0" + b"\xff\0\0\0" * 9,
        "rgb.ppm": b"P6 30000 30000 255\n" + bytes(99),
        "grey16.pgm": b"P5 11500 11500 65535\n" + bytes(99),
        "rgb.sgi": b"\x01\xda\x01\x01\0\x03" + struct.pack(">HHH", HUGE, HUGE, 3) + bytes(600),
        "rgb.psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, HUGE, HUGE, 8, 3) + bytes(40),
        "rgba.qoi": b"qoif" + struct.pack(">IIBB", HUGE, HUGE, 4, 0) + b"\xfd" * 99,
        "frame.gif": b"GIF89a" + side + b"\x80\0\0" + bytes(6) + b"," + bytes(4) + side + b"\0\x02\x02\x4c\x01\0;",
        "rgb.dds": _dds(HUGE),
        "bits.xbm": b"#define im_width 99999\n#define im_height 99999\nstatic char im_bits[] = {\n0x00,0x00};\n",
        "icon.ico": icon.getvalue()[:6]
        + struct.pack("<4BHHLL", 32, 32, 0, 0, 1, 32, len(icon_png), 22)
        + icon_png,
    }  # fmt: skip


def program_files():
    """Files that Pillow would hand to Ghostscript or to Windows, under many names."""
    dos = b"\xc5\xd0\xd3\xc6" + struct.pack("<IIIIII", 32, len(RUNS_CODE), 0, 0, 0, 0) + bytes(4) + RUNS_CODE
    iptc = b"".join(
        b"\x1c" + bytes(tag) + struct.pack(">H", len(content)) + content
        for tag, content in [((3, 20), b"\0\x20"), ((3, 30), b"\0\x20"), ((3, 60), b"\1\1"), ((3, 120), b"\5"), ((8, 10), RUNS_CODE)]
    )
    wmf = b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<hhhh", 0, 0, 32, 32) + struct.pack("<HIH", 72, 0, 0) + b"\1\0\t\0" + bytes(40)
    contents = {"eps": RUNS_CODE, "dos.eps": dos, "iptc": iptc, "wmf": wmf, "emf": b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(60)}
    return {f"{kind}{ending}": content for kind, content in contents.items() for ending in (".png", ".jpg", ".tif", ".eps", "")}


def _with_size(jp2, side):
    """A JPEG 2000 file whose codestream (and box) state another size."""
    place = jp2.index(b"\xff\x4f\xff\x51") + 8
    box = jp2.index(b"ihdr") + 4
    stated = struct.pack(">II", side, side)
    jp2 = jp2[:box] + stated + jp2[box + 8 :]
    return jp2[:place] + stated + bytes(8) + stated + jp2[place + 24 :]


def _dds(side):
    header = struct.pack("<IIIIIII", 124, 0x1007, side, side, 0, 0, 0) + bytes(44)
    return b"DDS " + header + struct.pack("<IIIIIIII", 32, 0x40, 0, 24, 0xFF0000, 0xFF00, 0xFF, 0) + bytes(20) + bytes(99)
