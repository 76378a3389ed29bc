"""The directory's size is the one that zipfile goes by."""

import io
import zipfile

import pytest

from stylegan_tf.files import MAX_DIRECTORY_BYTES, directory_bytes
from tests.hostile_arrays import end_record, many_members, many_members_64


def archive(count, comment=b""):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.comment = comment
        for number in range(count):
            opened.writestr(f"{number:05d}", b"")
    return file


@pytest.mark.parametrize("comment", [b"", b"made by hand" * 1000])
def test_size_of_an_archive(comment):
    assert directory_bytes(archive(100, comment)) == 100 * (46 + 5)


@pytest.mark.parametrize("make", [many_members, many_members_64])
def test_many_members_are_seen_before_they_are_read(make):
    content = make(40_000)
    assert directory_bytes(io.BytesIO(content)) == 40_000 * 47 > MAX_DIRECTORY_BYTES
    with zipfile.ZipFile(io.BytesIO(content)) as opened:  # it is what zipfile reads
        assert len(opened.infolist()) == 40_000


@pytest.mark.parametrize(
    "content", [b"", b"PK\x05\x06", archive(3).getvalue()[:-1], end_record(0, 0, 0)[:-1], b"PK\x06\x07" + bytes(16) + end_record(1, 47, 0)]
)
def test_no_directory(content):
    assert directory_bytes(io.BytesIO(content)) is None
