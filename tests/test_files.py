"""Files are whole or not there."""

import pytest

from stylegan_tf.files import atomic_path, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "grid.png"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == tmp_path  # on the same file system: a rename, not a copy
        assert temporary.suffix == ".png"  # writers choose a format by it
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert names(tmp_path) == ["grid.png"]


def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / "state.pkl"
    path.write_bytes(b"older")

    def write():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_bytes() == b"older"
    assert names(tmp_path) == ["state.pkl"]


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    path = tmp_path / "state.pkl"
    path.write_bytes(b"older")
    with pytest.raises(FileNotFoundError), atomic_path(path):
        pass
    assert path.read_bytes() == b"older"


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "nowhere" / "log.txt", "x")


def test_two_writers_do_not_meet(tmp_path):  # two metrics of one run may write at the same time
    path = tmp_path / "cache.npz"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert path.read_bytes() == b"first"  # the outer one ends last
    assert names(tmp_path) == ["cache.npz"]


def test_text_is_utf8_whatever_the_locale(tmp_path):
    write_text(tmp_path / "log.txt", "Blätter → 葉\n")
    assert (tmp_path / "log.txt").read_bytes() == "Blätter → 葉\n".encode()
