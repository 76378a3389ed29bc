"""Tests of zips and tars, valid and malicious: the same images as in a folder, and nothing is written outside the target."""

import io
import struct
import tarfile
import zipfile
import zlib

import pytest

from stylegan_tf.data.sources import UnusableImage, open_images
from stylegan_tf.errors import UserError
from tests.data.broken_files import encoded, leaf

HOSTILE = ("../evil.png", "/abs/evil.png", "ok/../../evil.png", "..\\evil.png", "C:\\evil.png", "C:/evil.png")


def image(index=0):
    return encoded(leaf(index), "PNG")


def write_zip(path, entries, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def write_tar(path, entries, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in entries:
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


FRIENDLY = [("b/2.png", image(1)), ("a/1.png", image(0)), ("a/notes.txt", b"x"), (".hidden.png", image(2)), ("dataset.json", b"{}")]


@pytest.mark.parametrize("kind", ["zip", "zip stored", "tar", "tar.gz", "tar.bz2", "tar.xz", "folder"])
def test_every_kind_of_source_gives_the_same_images(kind, tmp_path):
    if kind.startswith("zip"):
        path = write_zip(tmp_path / "a.zip", FRIENDLY, zipfile.ZIP_STORED if "stored" in kind else zipfile.ZIP_DEFLATED)
    elif kind.startswith("tar"):
        path = write_tar(tmp_path / f"a.{kind}", FRIENDLY, "w" if kind == "tar" else f"w:{kind[4:]}")
    else:
        path = tmp_path / "folder"
        for name, content in FRIENDLY:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    with open_images(path) as source:
        assert source.names == ["a/1.png", "b/2.png"]
        assert source.read(0) == image(0)
        assert source.read(1) == image(1)
        assert source.other_files.counts == {"not an image file": 2, "hidden file": 1}
        assert source.side_file("dataset.json") == b"{}"
        assert source.side_file("missing.json") is None


@pytest.mark.parametrize("writer", [write_zip, write_tar])
def test_names_that_point_outside_are_ignored_and_nothing_is_unpacked(writer, tmp_path):
    (tmp_path / "in").mkdir()
    path = writer(tmp_path / "in" / "archive", [*((name, image()) for name in HOSTILE), ("good.png", image())])
    before = sorted(tmp_path.rglob("*"))
    with open_images(path) as source:
        assert source.names == ["good.png"]
        assert source.other_files.counts["unusable name (outside of the archive, or too long)"] == len(HOSTILE)
        source.read(0)
    assert sorted(tmp_path.rglob("*")) == before


def test_links_and_devices_of_a_tar_are_not_followed(tmp_path):
    members = []
    for name, kind, target in (("sym.png", tarfile.SYMTYPE, "/etc/passwd"), ("hard.png", tarfile.LNKTYPE, "good.png")):
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        members.append((member, b""))
    for name, kind in (("device.png", tarfile.CHRTYPE), ("pipe.png", tarfile.FIFOTYPE)):
        member = tarfile.TarInfo(name)
        member.type = kind
        members.append((member, b""))
    with open_images(write_tar(tmp_path / "a.tar", [*members, ("good.png", image())])) as source:
        assert source.names == ["good.png"]
        assert source.other_files.counts == {"link in the archive": 2, "not a regular file": 2}


def test_a_link_in_a_zip_is_not_followed(tmp_path):
    info = zipfile.ZipInfo("link.png")
    info.external_attr = 0o120777 << 16
    with open_images(write_zip(tmp_path / "a.zip", [(info, b"/etc/passwd"), ("good.png", image())])) as source:
        assert source.names == ["good.png"]


def test_sizes_are_checked_before_memory_is_allocated(tmp_path):
    zeros = bytes(80 << 20)
    with open_images(write_zip(tmp_path / "a.zip", [("bomb.png", zeros), ("good.png", image())])) as source:
        assert source.names == ["good.png"]
        assert list(source.other_files.counts) == ["entry that unpacks to more than 200 times its size"]


def test_an_entry_of_another_size_than_announced_is_unusable(tmp_path):
    path = write_zip(tmp_path / "a.zip", [("lie.png", bytes(100_000)), ("good.png", image())])
    content = path.read_bytes()
    true_size, wrong_size = struct.pack("<I", 100_000), struct.pack("<I", 1000)
    assert content.count(true_size) == 2  # local header and central directory
    path.write_bytes(content.replace(true_size, wrong_size))
    with open_images(path) as source, pytest.raises(UnusableImage, match="damaged in the archive"):
        source.read(source.names.index("lie.png"))


def test_a_tar_entry_larger_than_the_archive_is_not_read(tmp_path):
    member = tarfile.TarInfo("huge.png")
    member.size = 400 << 20
    (tmp_path / "a.tar").write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(UserError, match=r"a\.tar.*(damaged tar|contains no)"):
        open_images(tmp_path / "a.tar")


def test_encrypted_and_repeated_entries_are_counted(tmp_path):
    path = write_zip(tmp_path / "a.zip", [("locked.png", image()), ("good.png", image(1))])
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\1\2")
    content[central + 8] |= 1  # the flag of the first entry in the central directory
    path.write_bytes(content)
    with open_images(path) as source:
        assert source.names == ["good.png"]
        assert source.other_files.counts == {"encrypted (unpack the archive first)": 1}
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_zip(tmp_path / "b.zip", [("same.png", image()), ("same.png", image(1))])
    with open_images(tmp_path / "b.zip") as source:
        assert source.other_files.counts == {"repeated name in the archive": 1}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_truncated_archives_are_refused_or_read_up_to_the_damage(kind, tmp_path):
    entries = [(f"{number}.png", image(number)) for number in range(4)]
    whole = (
        write_zip(tmp_path / "whole", entries)
        if kind == "zip"
        else write_tar(tmp_path / "whole", entries, "w" if kind == "tar" else f"w:{kind[4:]}")
    )
    content = whole.read_bytes()
    for place in range(1, len(content) - 1, max(1, len(content) // 25)):
        (tmp_path / "cut").write_bytes(content[:place])
        try:
            with open_images(tmp_path / "cut") as source:
                for index, name in enumerate(source.names):
                    assert source.read(index) == image(int(name[0]))
        except UserError:
            continue


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_flipped_bytes_of_an_archive_give_an_error_message(kind, tmp_path):
    entries = [(f"{number}.png", image(number)) for number in range(3)]
    whole = (write_zip if kind == "zip" else write_tar)(tmp_path / "whole", entries)
    content = whole.read_bytes()
    for place in range(0, len(content), 37):
        (tmp_path / "flipped").write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            with open_images(tmp_path / "flipped") as source:
                for index in range(len(source)):
                    try:
                        source.read(index)
                    except UnusableImage:
                        continue
        except UserError:
            continue


def test_a_path_that_is_neither_folder_nor_archive_is_refused(tmp_path):
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(UserError, match="not a folder, zip or tar"):
        open_images(tmp_path / "text.txt")
    (tmp_path / "cut.gz").write_bytes(zlib.compress(b"x"))
    with pytest.raises(UserError):
        open_images(tmp_path / "cut.gz")


def test_names_in_utf8_without_the_flag_are_decoded(tmp_path):  # zipfile takes them for code page 437
    path = write_zip(tmp_path / "a.zip", [("gruen/a.png", image())])
    content = path.read_bytes().replace(b"gruen/a.png", "gr\u00fcn/a.png".encode())
    path.write_bytes(content)
    with open_images(path) as source:
        assert source.names == ["gr\u00fcn/a.png"]
        assert source.read(0) == image()
