"""Archives, arrays and databases that unfold, lie or are damaged: one message, memory within bounds, and no signal."""

import contextlib
import gzip
import io
import lzma
import os
import pickle
import random
import struct
import tarfile
import tempfile
import zipfile
import zlib

import h5py
import lmdb
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from stylegan_tf.data.sources import UnusableImage, open_images
from stylegan_tf.data.sources.databases import Hdf5Source, LsunSource
from stylegan_tf.data.sources.wellknown import open_cifar100, open_mnist, open_svhn
from stylegan_tf.errors import UserError
from tests.data.broken_files import encoded, leaf
from tests.test_hostile_files import assert_harmless, read_all

ZEROS = 300 << 20  # bytes that hostile files unfold to


def packed_zeros(compressor, count):
    """`count` zeros, compressed."""
    blocks = [compressor.compress(bytes(1 << 20)) for _ in range(count >> 20)]
    return b"".join([*blocks, compressor.flush()])


def long_name(kind):
    """The header of a tar entry whose content, of 300 MB, is the name or another header of the next entry."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = kind, ZEROS
    return member.tobuf(tarfile.GNU_FORMAT)


def xz(content, zeros=0):
    compressor = lzma.LZMACompressor(preset=0)
    return compressor.compress(content) + packed_zeros(compressor, zeros)


def archives(folder):
    """Hostile archives."""
    for name, kind in (("name", tarfile.GNUTYPE_LONGNAME), ("link", tarfile.GNUTYPE_LONGLINK), ("pax", tarfile.XHDTYPE), ("all", b"g")):
        (folder / f"{name}.tar.xz").write_bytes(xz(long_name(kind), ZEROS))
        with open(folder / f"{name}.tar", "wb") as file:  # most of it is not stored on the disk
            file.write(long_name(kind))
            file.truncate(ZEROS + 2048)
    compressor = zlib.compressobj(9, wbits=31)
    image = tarfile.TarInfo("a.png")
    image.size = ZEROS
    (folder / "zeros.tar.gz").write_bytes(compressor.compress(image.tobuf()) + packed_zeros(compressor, ZEROS))
    entries = b"".join(tarfile.TarInfo(f"{number}.png").tobuf() for number in range(110_000))
    (folder / "entries.tar.xz").write_bytes(xz(entries))
    header = lzma.compress(bytes(1000), check=lzma.CHECK_NONE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    (folder / "dictionary.tar.xz").write_bytes(header)
    with zipfile.ZipFile(folder / "few.zip", "w") as archive:
        archive.writestr("a.png", b"x")
    content = (folder / "few.zip").read_bytes()
    (folder / "few.zip").unlink()
    (folder / "directory.zip").write_bytes(content[:-10] + struct.pack("<I", 3 << 30) + content[-6:])


def test_archives_that_unfold_are_refused(tmp_path):
    """A tar.xz with a name of a gigabyte took 4.8 GB."""
    archives(tmp_path)
    results = read_all("images", tmp_path, 250)
    for result in results.values():  # a compressed tar is decompressed into a temporary file without a name
        result["events"] = [event for event in result["events"] if f"os.remove ('{tempfile.gettempdir()}/" not in event]
    assert_harmless(results, {})
    assert max(result["megabytes"] for result in results.values()) < 150


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_zip_entries_with_impossible_properties_are_skipped(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a.png", encoded(leaf(), "PNG") * 20)
    whole = (tmp_path / "a.zip").read_bytes()
    for place in range(30 + len("a.png"), 30 + len("a.png") + 12):
        for value in (0, 0xFF, 0x80):
            (tmp_path / "b.zip").write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            with open_images(tmp_path / "b.zip") as source, contextlib.suppress(UnusableImage):
                source.read(0)


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(UserError, match="neither a folder nor a file"):
        open_images(tmp_path / "a.zip")


def mnist(folder, images, labels):
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(images)
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(labels)
    return folder


def test_idx_files_that_unfold_are_refused(tmp_path):
    few = gzip.compress(struct.pack(">HBBI", 0, 8, 1, 1) + bytes(1))
    compressor = zlib.compressobj(9, wbits=31)
    zeros = compressor.compress(struct.pack(">HBBIII", 0, 8, 3, ZEROS // 784, 28, 28)) + packed_zeros(compressor, ZEROS)
    mnist(tmp_path / "images", zeros, few)
    compressor = zlib.compressobj(9, wbits=31)
    zeros = compressor.compress(struct.pack(">HBBI", 0, 8, 1, ZEROS)) + packed_zeros(compressor, ZEROS)
    mnist(tmp_path / "labels", gzip.compress(struct.pack(">HBBIII", 0, 8, 3, 1, 28, 28) + bytes(784)), zeros)
    mnist(tmp_path / "claim", gzip.compress(struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 28, 28)), few)
    assert_harmless(read_all("idx", tmp_path, 200), {})
    with pytest.raises(UserError, match="at least one image"):
        open_mnist(mnist(tmp_path / "none", gzip.compress(struct.pack(">HBBIII", 0, 8, 3, 0, 28, 28)), few))


def mat_element(zeros, shape):
    """A compressed element that announces an array of bytes, and unfolds to zeros."""
    header = struct.pack("<IIII", 6, 8, 9, 0) + struct.pack("<II4i", 5, 16, *shape) + struct.pack("<HHI", 1, 1, ord("X"))
    inner = struct.pack("<II", 14, len(header) + 8 + zeros) + header + struct.pack("<II", 2, zeros)
    compressor = zlib.compressobj(9)
    content = compressor.compress(inner) + packed_zeros(compressor, zeros)
    return struct.pack("<II", 15, len(content)) + content


def test_mat_files_that_unfold_are_refused(tmp_path):
    start = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM"
    (tmp_path / "zeros.mat").write_bytes(start + mat_element(ZEROS, (32, 32, 3, ZEROS // 3072)))
    (tmp_path / "small.mat").write_bytes(start + mat_element(ZEROS, (32, 32, 3, 1)))
    with h5py.File(tmp_path / "giant.mat", "w", userblock_size=512) as file:
        file.create_dataset("X", (10**9, 3, 32, 32), "u1", chunks=(1, 3, 32, 32))
        file["y"] = np.zeros((1, 10))
    content = bytearray((tmp_path / "giant.mat").read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H", 0x200) + b"IM"
    (tmp_path / "giant.mat").write_bytes(content)
    assert_harmless(read_all("mat", tmp_path, 250), {})


def test_hdf5_with_a_damaged_index_of_its_pieces_is_refused(tmp_path):  # a traceback: sizes are read before the pixels
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file.create_dataset("data3", data=np.zeros((3, 3, 8, 8), np.uint8), chunks=(1, 3, 8, 8))
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes().replace(b"FAHD", b"XAHD"))
    with pytest.raises(UserError, match=r"data3 of \[3, 3, 8, 8\] is damaged"):
        Hdf5Source(tmp_path / "a.h5")


def test_hdf5_files_that_unfold_or_lead_elsewhere_are_refused(tmp_path):
    with h5py.File(tmp_path / "unallocated.h5", "w") as file:
        file.create_dataset("data64", (10**9, 3, 64, 64), "u1", chunks=(1, 3, 64, 64))
    with h5py.File(tmp_path / "chunk.h5", "w") as file:
        file.create_dataset("data64", (50_000, 3, 64, 64), "u1", chunks=(50_000, 3, 64, 64))
    secret = tmp_path.parent / "secret"
    secret.write_bytes(bytes(range(48)))
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("data4", (1, 3, 4, 4), "u1", external=[(str(secret), 0, 48)])
    with h5py.File(tmp_path.parent / "other.h5", "w") as file:
        file["data4"] = np.zeros((1, 3, 4, 4), np.uint8)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["data4"] = h5py.ExternalLink(str(tmp_path.parent / "other.h5"), "data4")
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((1, 3, 4, 4), "u1")
        layout[:] = h5py.VirtualSource(str(tmp_path.parent / "other.h5"), "data4", (1, 3, 4, 4))
        file.create_virtual_dataset("data4", layout)
    with h5py.File(tmp_path / "group.h5", "w") as file:
        file.create_group("data4")
    assert_harmless(read_all("hdf5", tmp_path, 250), {})


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An LMDB of images, some of which have pages of their own."""
    folder = tmp_path_factory.mktemp("lmdb") / "whole"
    with lmdb.open(str(folder), map_size=1 << 26) as environment, environment.begin(write=True) as transaction:
        for number in range(300):
            transaction.put(f"key{number:05d}".encode(), bytes([number % 256]) * (number * 37 % 9000 + 1))
    return folder


def test_lmdb_is_read_as_the_library_reads_it(database):
    with lmdb.open(str(database), readonly=True, lock=False) as environment, environment.begin() as transaction:
        expected = [(bytes(key).decode(), bytes(value)) for key, value in transaction.cursor()]
    with LsunSource(database) as source:
        assert [(name, source.read(index)) for index, name in enumerate(source.names)] == expected
    with LsunSource(database, 7) as source:
        assert len(source) == 7


def test_truncated_and_damaged_lmdb_ends_in_a_message(database, tmp_path):
    """Reading a truncated file ended the process by SIGBUS."""
    whole = (database / "data.mdb").read_bytes()
    pages = len(whole) // 4096
    contents = {f"cut{page}": whole[: page * 4096 + 99] for page in (0, 1, 2, 3, pages // 2, pages - 1)}
    contents |= {"empty": b"", "text": b"hello" * 9999, "loop": whole[:8192] + whole[4096 * (pages - 1) :] * 2}
    for number in range(300):
        rng, damaged = random.Random(number), bytearray(whole)
        for _ in range(rng.randint(1, 200)):
            place = rng.choice([rng.randrange(8192), rng.randrange(len(whole)), rng.randrange(pages) * 4096 + rng.randrange(64)])
            damaged[place] = rng.randrange(256)
        contents[f"damaged{number}"] = bytes(damaged)
    for name, content in contents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").write_bytes(content)
    results = read_all("lmdb", tmp_path, 300)
    assert len(results) == len(contents)
    assert_harmless(results, {}, allowed=("UserError", "value"))
    assert sum(result["outcome"] == "UserError" for result in results.values()) > 50


IMAGES = np.zeros((2, 3072), np.uint8)
CIFAR = {
    "none": {"data": IMAGES[:0], "fine_labels": []},
    "text": {"data": "images", "fine_labels": [0, 1]},
    "no list": {"data": IMAGES, "fine_labels": None},
    "huge": {"data": IMAGES, "fine_labels": [0, 2**70]},
    "negative": {"data": IMAGES, "fine_labels": [0, -1]},
    "too large": {"data": IMAGES, "fine_labels": [0, 100]},
    "words": {"data": IMAGES, "fine_labels": ["a", "b"]},
    "not whole": {"data": IMAGES, "fine_labels": [0, 0.5]},
    "nan": {"data": IMAGES, "fine_labels": [0, float("nan")]},
    "ragged": {"data": IMAGES, "fine_labels": [0, [1, 2]]},
    "few": {"data": IMAGES, "fine_labels": [0]},
    "floats": {"data": IMAGES.astype(np.float32), "fine_labels": [0, 1]},
    "no dict": [1, 2],
}


@pytest.mark.parametrize("case", CIFAR)
def test_cifar_batches_that_are_none_are_refused(tmp_path, case):
    (tmp_path / "train").write_bytes(pickle.dumps(CIFAR[case], 4))
    with pytest.raises(UserError, match="train"):
        open_cifar100(tmp_path)


def test_class_names_of_cifar_can_be_written(tmp_path):
    (tmp_path / "train").write_bytes(pickle.dumps({"data": IMAGES, "fine_labels": [0, 1]}, 4))
    names = [f"class {number}" for number in range(100)]
    for first, shown in (("\ud800", r"\ud800"), ("\x1b[31mred", r"\x1b[31mred")):
        (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": [first, *names[1:]]}, 4).replace(b"?", b"?"))
        assert open_cifar100(tmp_path).class_names[0] == shown
    (tmp_path / "meta").write_bytes(pickle.dumps({"fine_label_names": [*names[1:], "class 1"]}, 4))
    with pytest.raises(UserError, match="are equal"):
        open_cifar100(tmp_path)


X = np.zeros((32, 32, 3, 2), np.uint8)
MAT = {
    "text": {"X": X, "y": "ab"},
    "sparse": {"X": X, "y": scipy.sparse.csc_matrix(np.array([[1.0], [2.0]]))},
    "sparse images": {"X": scipy.sparse.csc_matrix(np.eye(3)), "y": [1, 2]},
    "cells": {"X": X, "y": np.array([1, "b"], object)},
    "structure": {"X": X, "y": {"a": 1}},
    "no images": {"X": X[..., :0], "y": np.zeros((0, 1))},
    "no labels": {"X": X},
    "nan": {"X": X, "y": [1, np.nan]},
    "large": {"X": X, "y": [1, 2.0**70]},
    "eleven": {"X": X, "y": [1, 11]},
    "complex": {"X": X, "y": [1, 1j]},
}


@pytest.mark.parametrize("case", MAT)
def test_mat_files_that_are_not_svhn_are_refused(tmp_path, case):
    scipy.io.savemat(tmp_path / "train_32x32.mat", MAT[case])
    with pytest.raises(UserError, match="train_32x32"):
        open_svhn(tmp_path)


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 16, 17])  # cells (8 GB), ..., text, sparse (ended the process), functions
def test_mat_files_are_not_read_beyond_dense_arrays(tmp_path, kind, is_compressed):
    body = struct.pack("<IIII", 6, 8, kind, 0) + struct.pack("<II2i", 5, 8, 2**20, 2**10) + struct.pack("<HHI", 1, 1, ord("X"))
    body = struct.pack("<II", 14, len(body) + 16) + body + struct.pack("<III4x", 5, 4, 32)
    body = struct.pack("<II", 15, len(zlib.compress(body))) + zlib.compress(body) if is_compressed else body
    (tmp_path / "train_32x32.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM" + body)
    with pytest.raises(UserError, match="cells, text, sparse or complex numbers"):
        open_svhn(tmp_path)


def test_a_good_mat_file_is_read(tmp_path):
    content = io.BytesIO()
    scipy.io.savemat(content, {"X": X, "y": np.array([[10], [3]])}, do_compression=True)
    (tmp_path / "train_32x32.mat").write_bytes(content.getvalue())
    assert open_svhn(tmp_path).labels.tolist() == [0, 3]
