"""Builds image files of many formats, depths and options from known samples, with the pixels that their headers define."""

import itertools
import struct
import zlib
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from tests.data.broken_files import chunk, encoded

WIDTH, HEIGHT = 13, 6  # no multiple of 8, so that rows of few bits end inside a byte
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
BOTH = tuple(itertools.product("<>", (1, 8)))


class Case(NamedTuple):
    """A file and its pixels: uint8 [H, W, 1, 3 or 4], None for a file that must be skipped."""

    content: bytes
    pixels: np.ndarray | None


def samples(channels, maximum, seed=0):
    """Random samples [H, W, C] from 0 to `maximum`; both ends occur."""
    values = np.random.RandomState(seed).randint(0, maximum + 1, (HEIGHT, WIDTH, channels), np.int64)
    values[0, 0], values[0, 1] = 0, maximum
    return values


def to_bytes(values, maximum):
    """Samples as 8 bits."""
    return np.rint(values * (255 / maximum)).astype(np.uint8)


def with_alpha(pixels, alpha):
    """Grey or RGB pixels with opacity."""
    return np.dstack([pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels, alpha])


def packed(values, bits, order=">"):
    """Rows of samples [H, W, C] as bytes: each row starts at a byte, the first sample in the highest bits."""
    rows = values.reshape(len(values), -1)
    if bits % 8 == 0:
        return [row.astype(f"{order}u{bits // 8}").tobytes() for row in rows]
    table = (rows[:, :, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
    return [np.packbits(row).tobytes() for row in table.reshape(len(rows), -1)]


def all_cases():
    """Every file by name."""
    return {
        **png_cases(),
        **tiff_cases(),
        **pnm_cases(),
        **bmp_cases(),
        **tga_cases(),
        **sgi_cases(),
        **psd_cases(),
        **sun_cases(),
        **library_cases(),
    }


# PNG


def png(values, depth, colour_type, more=(), interlaced=False):
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    parts = [values[y::down, x::right] for x, y, right, down in passes]
    rows = b"".join(b"\0" + row for part in parts if part.size for row in packed(part, depth))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour_type, 0, 0, interlaced)
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in chunks)


def png_cases():
    cases = {}
    for colour_type, channels, depths in ((0, 1, (1, 2, 4, 8, 16)), (2, 3, (8, 16)), (4, 2, (8, 16)), (6, 4, (8, 16))):
        for depth, interlaced in itertools.product(depths, (False, True)):
            maximum = (1 << depth) - 1
            values = samples(channels, maximum, depth)
            pixels = to_bytes(values, maximum)
            pixels = with_alpha(pixels[:, :, :-1], pixels[:, :, -1:]) if channels in (2, 4) else pixels
            name = f"type{colour_type}_{depth}bit{'_interlaced' * interlaced}"
            cases[f"{name}.png"] = Case(png(values, depth, colour_type, (), interlaced), pixels)
            if channels in (1, 3):
                key = values[2, 3]
                values[4, 4] = np.where(key > 255, key ^ 1, key)  # nearly the same colour, which stays
                hidden = (values == key).all(axis=2)
                pixels = with_alpha(to_bytes(values, maximum), np.where(hidden, 0, 255).astype(np.uint8))
                more = [(b"tRNS", key.astype(">u2").tobytes())]
                cases[f"{name}_key.png"] = Case(png(values, depth, colour_type, more, interlaced), pixels)
    for depth, has_alpha in itertools.product((1, 2, 4, 8), (False, True)):
        values, colours = samples(1, (1 << depth) - 1, depth), np.random.RandomState(depth).randint(0, 256, (1 << depth, 3), np.uint8)
        opacity = np.random.RandomState(9).randint(0, 256, 1 << depth, np.uint8)
        more = [(b"PLTE", colours.tobytes()), *([(b"tRNS", opacity.tobytes())] if has_alpha else [])]
        pixels = colours[values[:, :, 0]]
        pixels = with_alpha(pixels, opacity[values]) if has_alpha else pixels
        cases[f"palette_{depth}bit{'_alpha' * has_alpha}.png"] = Case(png(values, depth, 3, more), pixels)
    return cases


# TIFF


def tiff(values, bits, photometric, *, order="<", planar=1, compression=1, formats=UNSIGNED, extra=None, colours=None, **options):
    """A file with one image; `values` [H, W, C] are integers, or bytes of other types as uint of the same size."""
    height, width, channels = values.shape
    planes = [values] if planar == 1 else [values[:, :, channel : channel + 1] for channel in range(channels)]
    rows, reverse = options.get("rows", height), options.get("reverse", False)
    strips = [b"".join(packed(plane[first : first + rows], bits, order)) for plane in planes for first in range(0, height, rows)]
    if reverse:
        strips = [bytes(int(f"{byte:08b}"[::-1], 2) for byte in strip) for strip in strips]
    strips = [zlib.compress(strip) if compression == 8 else strip for strip in strips]
    entries = [(256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * channels), (259, 3, [compression]), (262, 3, [photometric])]
    entries += [(266, 3, [2 if reverse else 1]), (277, 3, [channels]), (278, 3, [rows]), (284, 3, [planar]), (339, 3, [formats] * channels)]
    entries += [(338, 3, [extra])] if extra is not None else []
    entries += [(320, 3, list(colours))] if colours is not None else []
    entries += [*options.get("tags", ()), (279, 4, [len(strip) for strip in strips])]
    entries.append((273, 4, [0] * len(strips)))
    entries.sort()
    start = 8 + 2 + 12 * len(entries) + 4
    sizes = {3: "H", 4: "I"}
    blob_at, at = start, {}
    for tag, kind, numbers in entries:
        size = struct.calcsize(sizes[kind]) * len(numbers)
        if size > 4:
            at[tag], blob_at = blob_at, blob_at + size
    offsets = list(itertools.accumulate([blob_at, *map(len, strips)]))[:-1]
    directory, blobs = [], []
    for tag, kind, numbers in entries:
        numbers = offsets if tag == 273 else numbers
        content = struct.pack(f"{order}{len(numbers)}{sizes[kind]}", *numbers)
        blobs += [content] if tag in at else []
        directory.append(struct.pack(f"{order}HHI", tag, kind, len(numbers)))
        directory.append(struct.pack(f"{order}I", at[tag]) if tag in at else content.ljust(4, b"\0"))
    magic = b"II*\0" if order == "<" else b"MM\0*"
    head = magic + struct.pack(f"{order}IH", 8, len(entries))
    return head + b"".join(directory) + bytes(4) + b"".join(blobs) + b"".join(strips)


def tiff_cases():
    cases = {}

    def add(name, values, bits, photometric, pixels, *, skipped=(), **options):
        """`skipped`: (byte order, compression) of files that cannot be read."""
        for order, compression in itertools.product("<>", (1, 8)):
            known = None if (order, compression) in skipped else pixels
            full = f"{name}_{'le' if order == '<' else 'be'}{'_deflate' * (compression == 8)}.tif"
            cases[full] = Case(tiff(values, bits, photometric, order=order, compression=compression, **options), known)

    for bits, photometric in itertools.product((1, 2, 4, 8, 12, 16, 32), (0, 1)):
        maximum = (1 << bits) - 1
        values = samples(1, maximum, bits)
        pixels = to_bytes(values, maximum)
        # What Pillow does not know: big-endian or inverted samples of more than 8 bits, except for one.
        is_usual = bits <= 8 or (bits, photometric) == (16, 1)
        skipped = () if is_usual else ((">", 1), (">", 8)) if (bits, photometric) in ((12, 1), (16, 0), (32, 1)) else BOTH
        name = f"grey{bits}_{'white' if photometric == 0 else 'black'}_is_0"
        add(name, values, bits, photometric, 255 - pixels if photometric == 0 else pixels, skipped=skipped)
    for bits in (8, 16):
        maximum = (1 << bits) - 1
        rgb, rgba = samples(3, maximum, bits), samples(4, maximum, bits)
        for planar in (1, 2):
            skipped = (("<", 1), (">", 1)) if planar == 2 and bits == 16 else ()
            add(f"rgb{bits}_planes{planar}", rgb, bits, 2, to_bytes(rgb, maximum), planar=planar, rows=4, skipped=skipped)
            add(f"rgba{bits}_planes{planar}", rgba, bits, 2, to_bytes(rgba, maximum), planar=planar, extra=2, skipped=skipped)
        add(f"rgb{bits}_and_more", rgba, bits, 2, to_bytes(rgba[:, :, :3], maximum), extra=0)
    grey = samples(2, 255, 3)
    add("grey_alpha", grey, 8, 1, with_alpha(grey[:, :, :1].astype(np.uint8), grey[:, :, 1:].astype(np.uint8)), extra=2)
    for bits in (1, 2, 4, 8):
        values, colours = samples(1, (1 << bits) - 1, bits), np.random.RandomState(bits).randint(0, 256, (3, 1 << bits))
        pixels = colours.T[values[:, :, 0]].astype(np.uint8)
        add(f"palette{bits}", values, bits, 3, pixels, colours=(colours * 257).ravel().tolist())
        add(f"palette{bits}_of_bytes", values, bits, 3, pixels, colours=colours.ravel().tolist())
    for bits in (8, 16, 32):
        add(f"signed{bits}", samples(1, (1 << bits) - 1, bits), bits, 1, None, formats=SIGNED)
    floats = np.random.RandomState(0).rand(HEIGHT, WIDTH, 1).astype(np.float32)
    for name, factor, photometric in (("float", 1, 1), ("float_inverted", 1, 0), ("float_large", 255, 1), ("float_negative", -1, 1)):
        values = (floats * np.float32(factor)).view(np.uint32).astype(np.int64)
        pixels = to_bytes(floats if photometric == 1 else 1 - floats, 1) if factor == 1 else None
        add(name, values, 32, photometric, pixels, formats=FLOAT, skipped=((">", 8),))
    add("rgb_floats", samples(3, 9, 0), 32, 2, None, formats=FLOAT)
    premultiplied = samples(4, 255, 5)
    premultiplied[:, :, 3:] = premultiplied[:, :, 3:] // 128 * 255
    premultiplied[:, :, :3] *= premultiplied[:, :, 3:] > 0
    add("premultiplied", premultiplied, 8, 2, premultiplied.astype(np.uint8), extra=1)
    inks = samples(4, 255, 5)
    add("cmyk8", inks, 8, 5, np.rint((255 - inks[:, :, :3]) * (255 - inks[:, :, 3:]) / 255).astype(np.uint8))
    lab = np.random.RandomState(1).randint((110, -10, -10), (130, 10, 10), (HEIGHT, WIDTH, 3))  # colours that sRGB contains
    add("lab", lab & 255, 8, 8, lab_to_srgb(lab[:, :, 0] / 2.55, lab[:, :, 1], lab[:, :, 2]))
    add("other_inks", inks, 8, 5, None, tags=[(332, 3, [2])])
    add("ycbcr", samples(3, 255, 6), 8, 6, None, tags=[(530, 3, [1, 1])])
    values = samples(1, 255, 8)
    for photometric in (0, 1):
        pixels = to_bytes(values, 255)
        content = tiff(values, 8, photometric, reverse=True)
        cases[f"reversed_bits_{photometric}.tif"] = Case(content, None if photometric == 0 else pixels)
    return cases


def lab_to_srgb(lightness, a, b):
    """CIE 1976 L*a*b* of white point D50 to sRGB [..., 3], with the matrix of Bradford's adaptation to D65 (Lindbloom)."""
    y = (lightness + 16) / 116
    cubed = [np.where(t > 6 / 29, t**3, 3 * (6 / 29) ** 2 * (t - 4 / 29)) for t in (y + a / 500, y, y - b / 200)]
    to_rgb = [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
    linear = np.stack(cubed, axis=-1) * (0.9642, 1, 0.8249) @ np.transpose(to_rgb)
    return np.rint(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)).astype(np.uint8)


# Netpbm


def pnm_cases():
    cases = {}

    def add(name, kind, values, maximum, pixels):
        head = f"P%d {WIDTH} {HEIGHT}{'' if kind == 1 else f' {maximum}'}\n"
        text = " ".join(map(str, values.ravel().tolist()))
        cases[f"text_{name}"] = Case((head % kind + text + "\n").encode(), pixels)
        bits = 1 if kind == 1 else 8 if maximum < 256 else 16
        cases[name] = Case((head % (kind + 3)).encode() + b"".join(packed(values, bits)), pixels)

    bits = samples(1, 1)
    add("bits.pbm", 1, bits, 1, to_bytes(1 - bits, 1))
    for maximum in (1, 3, 100, 255, 256, 1000, 4095, 65535):
        for name, kind, channels in (("pgm", 2, 1), ("ppm", 3, 3)):
            values = samples(channels, maximum, maximum)
            add(f"max{maximum}.{name}", kind, values, maximum, to_bytes(values, maximum))
            dark = values // 16 if maximum > 16 else values * 0
            add(f"max{maximum}_dark.{name}", kind, dark, maximum, to_bytes(dark, maximum))
    floats = np.random.RandomState(0).rand(HEIGHT, WIDTH, 1).astype("<f4")
    head = f"Pf\n{WIDTH} {HEIGHT}\n-1.0\n".encode()
    cases["grey.pfm"] = Case(head + floats[::-1].tobytes(), to_bytes(floats, 1))
    cases["large.pfm"] = Case(head + (floats * 9)[::-1].tobytes(), None)
    return cases


# BMP, TGA, SGI


def bmp(values, bits, *, colours=b"", compression=0, masks=b"", is_top_down=False):
    rows = [row.ljust(-(-len(row) // 4) * 4, b"\0") for row in packed(values, bits if values.shape[2] == 1 else 8, "<")]
    start = 54 + len(masks) + len(colours)
    body = b"".join(rows if is_top_down else rows[::-1])
    height = -HEIGHT if is_top_down else HEIGHT
    info = struct.pack("<IiiHHIIiiII", 40, WIDTH, height, 1, bits, compression, len(body), 0, 0, len(colours) // 4, 0)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + masks + colours + body


def bmp_cases():
    cases = {}
    for bits in (1, 4, 8):
        values, colours = samples(1, (1 << bits) - 1, bits), np.random.RandomState(bits).randint(0, 256, (1 << bits, 4), np.uint8)
        colours[:, 3] = 0
        pixels = colours[values[:, :, 0], 2::-1]
        for is_top_down in (False, True):
            cases[f"palette{bits}{'_top' * is_top_down}.bmp"] = Case(
                bmp(values, bits, colours=colours.tobytes(), is_top_down=is_top_down), pixels
            )
    rgb = samples(3, 255)
    for is_top_down in (False, True):
        cases[f"rgb24{'_top' * is_top_down}.bmp"] = Case(bmp(rgb[:, :, ::-1], 24, is_top_down=is_top_down), rgb.astype(np.uint8))
    cases["rgb32.bmp"] = Case(bmp(np.dstack([rgb[:, :, ::-1], rgb[:, :, :1] * 0]), 32), rgb.astype(np.uint8))
    for name, widths in (("555", (5, 5, 5)), ("565", (5, 6, 5))):
        parts = [samples(1, (1 << width) - 1, 7 + place) for place, width in enumerate(widths)]
        values = (parts[0] << widths[1] + widths[2]) | (parts[1] << widths[2]) | parts[2]
        pixels = np.dstack([to_bytes(part, (1 << width) - 1) for part, width in zip(parts, widths, strict=True)])
        masks = struct.pack("<III", *[(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)][name == "565"])
        cases[f"rgb{name}.bmp"] = Case(bmp(values, 16, compression=3, masks=masks), pixels)
    return cases


def tga_cases():
    cases = {}
    for name, kind, channels, bits, attributes in (("grey", 3, 1, 8, 0), ("rgb", 2, 3, 24, 0), ("rgba", 2, 4, 32, 8)):
        values = samples(channels, 255, channels)
        stored = values if channels == 1 else np.dstack([values[:, :, 2::-1], values[:, :, 3:]])
        for is_top_down in (False, True):
            head = struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, WIDTH, HEIGHT, bits, attributes | 0x20 * is_top_down)
            rows = packed(stored if is_top_down else stored[::-1], 8)
            cases[f"{name}{'_top' * is_top_down}.tga"] = Case(head + b"".join(rows), values.astype(np.uint8))
    return cases


def sgi_cases():
    cases = {}
    for size, (name, channels) in itertools.product((1, 2), (("grey", 1), ("rgb", 3), ("rgba", 4))):
        maximum = (1 << 8 * size) - 1
        values = samples(channels, maximum, channels)
        rank = 2 if channels == 1 else 3
        head = struct.pack(">HBBHHHHii", 474, 0, size, rank, WIDTH, HEIGHT, channels, 0, maximum).ljust(512, b"\0")
        planes = [b"".join(packed(values[::-1, :, channel : channel + 1], 8 * size)) for channel in range(channels)]
        cases[f"{name}{8 * size}.sgi"] = Case(head + b"".join(planes), to_bytes(values, maximum))
    return cases


# PSD, Sun


def psd_cases():
    cases = {}
    inks = samples(4, 255, 5)
    kinds = {"bits": (0, samples(1, 1), 1), "grey": (1, samples(1, 255), 8), "rgb": (3, samples(3, 255), 8), "cmyk": (4, 255 - inks, 8)}
    for name, (mode, values, bits) in kinds.items():
        head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", values.shape[2], HEIGHT, WIDTH, bits, mode) + bytes(14)
        pixels = to_bytes(values if bits > 1 else 1 - values, (1 << bits) - 1)
        if name == "cmyk":
            pixels = np.rint((255 - inks[:, :, :3]) * (255 - inks[:, :, 3:]) / 255).astype(np.uint8)
        cases[f"{name}.psd"] = Case(
            head + b"".join(row for plane in np.split(values, values.shape[2], 2) for row in packed(plane, bits)), pixels
        )
    return cases


def sun_cases():
    cases = {}
    rgb, bits = samples(3, 255), samples(1, 1)
    with_unused = np.dstack([rgb[:, :, :1] * 0, rgb])
    kinds = {"bits": (1, 1, bits), "bgr": (24, 1, rgb[:, :, ::-1]), "rgb": (24, 3, rgb), "xrgb": (32, 3, with_unused)}
    for name, (depth, kind, values) in kinds.items():
        body = b"".join(row + bytes(len(row) % 2) for row in packed(values, 1 if depth == 1 else 8))
        pixels = None if depth == 32 else to_bytes(1 - bits, 1) if depth == 1 else rgb.astype(np.uint8)
        cases[f"{name}.ras"] = Case(struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, depth, len(body), kind, 0, 0) + body, pixels)
    return cases


# Formats without a simple writer


def library_cases():
    """Lossless files written by libraries."""
    cases = {}
    pictures = {mode: Image.fromarray(samples(len(mode), 255, 4).astype(np.uint8).squeeze(), mode) for mode in ("L", "LA", "RGB", "RGBA")}
    formats = {"JPEG2000": ("jp2", "L", "LA", "RGB", "RGBA"), "WEBP": ("webp", "RGB", "RGBA"), "QOI": ("qoi", "RGB", "RGBA")}
    formats |= {"PCX": ("pcx", "L", "RGB"), "DDS": ("dds", "L", "LA", "RGB", "RGBA"), "PNG": ("png", "LA")}
    for kind, (ending, *modes) in formats.items():
        for mode in modes:
            options = {"WEBP": {"lossless": True, "exact": True}}.get(kind, {})
            pixels = np.asarray(pictures[mode if mode in ("L", "RGB") else "RGBA"] if mode != "LA" else pictures["LA"].convert("RGBA"))
            cases[f"{mode}.{ending}"] = Case(encoded(pictures[mode], kind, **options), pixels.reshape(HEIGHT, WIDTH, -1))
    deep = samples(1, 65535, 4)
    cases["grey16.jp2"] = Case(encoded(Image.fromarray(deep[:, :, 0].astype(np.uint16)), "JPEG2000"), to_bytes(deep, 65535))
    signed = bytearray(cases["grey16.jp2"].content)
    signed[signed.index(b"\xff\x4f\xff\x51") + 42] |= 128
    cases["signed16.jp2"] = Case(bytes(signed), None)
    for channels in (3, 4):  # white became black: Pillow's sums with half a step overflow
        deep = np.full((64, 64, channels), 65535, np.uint16)
        cases[f"white{channels}_16.jp2"] = Case(cv2.imencode(".jp2", deep)[1].tobytes(), None)
    bits = samples(1, 1, 4)[:, :, 0].astype(bool)  # ones are ink
    rows = np.packbits(bits, axis=1, bitorder="little").ravel()
    head = f"#define x_width {WIDTH}\n#define x_height {HEIGHT}\nstatic char x_bits[] = {{\n"
    content = head + ", ".join(f"0x{byte:02x}" for byte in rows) + "};\n"
    cases["ink.xbm"] = Case(content.encode(), np.where(bits, 0, 255).astype(np.uint8)[:, :, None])
    palette = pictures["RGB"].quantize(16)
    cases["palette.gif"] = Case(encoded(palette, "GIF"), np.asarray(palette.convert("RGB")))
    cases["palette_key.gif"] = Case(encoded(palette, "GIF", transparency=3), np.asarray(_with_key(palette, 3)))
    cases["palette.pcx"] = Case(encoded(palette, "PCX"), np.asarray(palette.convert("RGB")))
    for depth, channels, (name, compression) in itertools.product((8, 16), (1, 3), (("lzw", 5), ("packbits", 32773), ("deflate", 8))):
        values = samples(channels, (1 << depth) - 1, depth)
        stored = values[:, :, ::-1].astype(f"u{depth // 8}").squeeze()
        options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_PREDICTOR, 1 if name == "packbits" else 2]
        content = cv2.imencode(".tif", stored, options)[1].tobytes()
        cases[f"{name}_{depth}bit_{channels}.tif"] = Case(content, to_bytes(values, (1 << depth) - 1))
    return cases


def _with_key(palette, key):
    picture = palette.convert("RGBA")
    picture.putalpha(Image.fromarray(np.where(np.asarray(palette) == key, 0, 255).astype(np.uint8)))
    return picture
