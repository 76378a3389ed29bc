"""The files of onnxruntime-web that a page needs: from the package of the npm registry, by npm or from its archive."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from stylegan_tf.errors import UserError
from stylegan_tf.files import read_bounded

VERSION = "1.30.0"
ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"
_INTEGRITY = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="  # SHA-512 of the archive
_MAX_BYTES = 64 << 20
_TIMEOUT_SEC = 600
# The runtime for processors, its loader and its WebAssembly. The package's other files are for GPUs and for other ways to load it.
FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_HOW = f"Install npm (Node.js), or download https://registry.npmjs.org/onnxruntime-web/-/{ARCHIVE} and name it: --onnxruntime-web {ARCHIVE}"


def read_files(archive: str | None) -> dict[str, bytes]:
    """`FILES` by name.

    Args:
        archive: the archive of the package; None: `npm pack` downloads it.

    Raises:
        MissingFileError: there is no such archive.
        UserError: no npm, no network, or another file than that of this version.
    """
    if archive is not None:
        return _members(Path(archive))
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"The page needs onnxruntime-web {VERSION}, and there is no npm to download it. {_HOW}")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"onnxruntime-web@{VERSION}", "--pack-destination", folder]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_SEC, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"onnxruntime-web {VERSION} could not be downloaded: {error}. {_HOW}") from error
        if done.returncode or not (Path(folder) / ARCHIVE).is_file():
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or ["no answer"]
            raise UserError(f"onnxruntime-web {VERSION} could not be downloaded: {lines[0].strip()}. {_HOW}")
        return _members(Path(folder) / ARCHIVE)


def _members(archive: Path) -> dict[str, bytes]:
    digest = hashlib.sha512(read_bounded(archive, _MAX_BYTES)).digest()
    if base64.b64encode(digest).decode() != _INTEGRITY:
        raise UserError(f"{archive} is not {ARCHIVE} of the npm registry: its SHA-512 differs. {_HOW}")
    with tarfile.open(archive) as opened:
        return {name: opened.extractfile(f"package/dist/{name}").read() for name in FILES}
