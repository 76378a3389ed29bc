"""LSUN: an LMDB whose values are image files."""

from pathlib import Path

from stylegan_tf.data.sources.base import Source, UnusableImage
from stylegan_tf.errors import UserError


class LsunSource(Source):
    """The first `max_images` entries of an LMDB, in the order of their keys; no labels."""

    def __init__(self, lmdb_dir: str | Path, max_images: int | None = None):
        super().__init__()
        try:
            import lmdb
        except ImportError:
            raise UserError("LSUN needs the package lmdb: pip install lmdb") from None
        self.title = f"LSUN in {lmdb_dir}"
        path = Path(lmdb_dir)
        if not (path / "data.mdb").is_file():
            raise UserError(f"{path} is no LMDB folder: it holds no data.mdb. Unzip what LSUN's download.py fetched.")
        try:
            self._database = lmdb.open(str(path), readonly=True, lock=False, readahead=False, create=False, max_readers=256)
            with self._database.begin() as transaction:
                self._keys = []
                for key in transaction.cursor().iternext(keys=True, values=False):
                    if max_images is not None and len(self._keys) >= max_images:
                        break
                    self._keys.append(bytes(key))
        except lmdb.Error as error:
            raise UserError(f"{lmdb_dir} cannot be read as LMDB: {error}") from None
        self._error = lmdb.Error
        self.names = [key.decode("utf-8", "backslashreplace") for key in self._keys]

    def read(self, index: int) -> bytes:
        """Content of an image file."""
        try:
            with self._database.begin() as transaction:  # read transactions are cheap, and each thread needs its own
                content = transaction.get(self._keys[index])
        except self._error as error:
            raise UnusableImage("damaged in the archive", str(error)) from error
        return content or b""

    def close(self) -> None:
        """Closes the database."""
        self._database.close()
