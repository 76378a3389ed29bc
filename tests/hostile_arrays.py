"""Hostile .npy and .npz files by kind: what a reader of arrays must refuse without allocating, waiting or crashing."""

import struct
import zipfile
from io import BytesIO

import numpy as np

from tests.hostile_pickles import zip_bomb


def npy(descr="'<f4'", shape="(2,)", order="False", content=bytes(8), version=b"\x01\x00", rest="") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {rest}}}".encode()
    return with_header(header, content, version)


def with_header(header: bytes, content=bytes(8), version=b"\x01\x00", length=None) -> bytes:
    form = "<H" if version == b"\x01\x00" else "<I"
    header += b" " * (-len(header) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack(form, len(header) if length is None else length) + header + content


def npz(members: dict[str, bytes], compression=zipfile.ZIP_STORED) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def laughing_shape() -> bytes:
    return npy(shape="(" + "1099511627775, " * 40 + ")")


NPY = {
    "more than the file": npy(shape="(1099511627776,)"),
    "shape that overflows": npy(shape="(4294967296, 4294967296, 4294967296)"),
    "many sides": laughing_shape(),
    "shape of nothing and all": npy(shape="(0, 1099511627776, 1099511627776)"),
    "negative shape": npy(shape="(-1,)"),
    "shape of floats": npy(shape="(2.0,)"),
    "shape that is a list": npy(shape="[2]"),
    "objects": npy(descr="'|O'"),
    "void": npy(descr="'|V1000000000'"),
    "text": npy(descr="'<U1000000000'"),
    "dates": npy(descr="'<M8[ns]'"),
    "complex": npy(descr="'<c8'", shape="(1,)"),
    "fields": npy(descr="[('a', '<f4')]"),
    "fields in fields": npy(descr="[('a', [('b', '<f4', (1000000, 1000000))])]"),
    "subarray": npy(descr="('<f4', (1000000000,))", shape="(1,)"),
    "type that is none": npy(descr="'no such type'"),
    "type that is a number": npy(descr="7"),
    "order that is none": npy(order="'maybe'"),
    "one key too many": npy(rest="'more': 1"),
    "call": with_header(b"__import__('os').system('echo STYLEGAN_TF_CANARY')"),
    "not a dictionary": with_header(b"[1, 2]"),
    "half a dictionary": with_header(b"{'descr': '<f4'"),
    "open string": with_header(b"{'descr': '''<f4"),  # NumPy hands it to a tokenizer, whose error is none of the usual ones
    "line that goes on": with_header(b"{'descr': \\"),
    "bad indent": with_header(b"  if 1:\n x\n   y"),
    "deep brackets": with_header(b"(" * 9000),
    "deep signs": with_header(b"-" * 9000 + b"1"),
    "null bytes": with_header(b"\0" * 100),
    "no ASCII": with_header(b"\xff\xfe" * 40),
    "header beyond the file": with_header(b"{", length=60_000),
    "header of gigabytes": with_header(b"{", length=2**32 - 1, version=b"\x02\x00"),
    "huge integer": npy(shape="(" + "9" * 5000 + ",)"),
    "version 3": npy(version=b"\x03\x00"),
    "version 9": npy(version=b"\x09\x00"),
    "magic alone": b"\x93NUMPY",
    "nothing": b"",
    "pickle": b"\x80\x04cos\nsystem\n(S'echo STYLEGAN_TF_CANARY'\ntR.",
    "text file": b"1 2 3\n",
    "cut": npy(shape="(3,)"),
}


def end_record(count: int, size: int, offset: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, size, offset, 0)


def many_members(count: int) -> bytes:
    """Each is a directory entry of 47 bytes, and an object of some hundreds in memory."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * count
    return directory + end_record(min(count, 65535), len(directory), 0)


def many_members_64(count: int) -> bytes:
    """The same with a modest end record: zipfile believes the 64-bit record in front of it."""
    directory = many_members(count)[:-22]
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(directory), 1)
    return directory + record + locator + end_record(1, 47, 0)


def changed(content: bytes, offset: int, replacement: bytes, every: bool = False) -> bytes:
    """Bytes of the first directory entry (or of each) replaced."""
    first, *entries = content.split(b"PK\x01\x02")
    for number in range(len(entries) if every else 1):
        entries[number] = entries[number][: offset - 4] + replacement + entries[number][offset - 4 + len(replacement) :]
    return b"PK\x01\x02".join([first, *entries])


def with_claim(content: bytes, num_bytes: int, every: bool = False) -> bytes:
    """Another unpacked size."""
    return changed(content, 24, struct.pack("<L", num_bytes), every)


def encrypted(content: bytes) -> bytes:
    return changed(content, 8, b"\x01\x00")


def compressed_by(method: int, content: bytes) -> bytes:
    return changed(content, 10, struct.pack("<H", method))


def npz_files() -> dict[str, bytes]:
    """.npz files by kind; the bombs among them take some seconds to make."""
    good = npz({"z.npy": npy()})
    return {
        "bomb": zip_bomb(1100),
        "two claims of half a gigabyte": with_claim(npz({"a.npy": npy(), "z.npy": npy()}), 600 << 20, every=True),
        "bomb that understates itself": with_claim(zip_bomb(64), 1000),
        "claim of gigabytes": with_claim(good, 2**32 - 2),
        "array larger than its member": npz({"z.npy": npy(shape="(1073741824,)")}),
        "million members": many_members(1_000_000),
        "million members behind a 64-bit record": many_members_64(1_000_000),
        "directory that is not there": end_record(5, 1000, 2**31),
        "directory elsewhere": good[:-22] + b"PK\x06\x07" + bytes(16) + good[-22:],
        "encrypted": encrypted(good),
        "unknown compression": compressed_by(99, good),
        "wrong checksum": good[:34] + b"\xff" + good[35:],
        "no arrays": npz({"z.npy": b"hello"}),
        "pickle inside": npz({"z.npy": NPY["pickle"]}),
        "objects inside": npz({"z.npy": NPY["objects"]}),
        "header of gigabytes inside": npz({"z.npy": NPY["header of gigabytes"] + bytes(1 << 20)}, zipfile.ZIP_DEFLATED),
        "zip in a zip": npz({"z.npy": good}),
        "not a zip": npy(),
        "nothing": b"",
        "half": good[:60],
        "path upwards": npz({"../../z.npy": NPY["cut"]}),
        "noise": b"PK\x03\x04" + np.random.default_rng(0).bytes(1000) + end_record(1, 900, 0),
    }  # fmt: skip
