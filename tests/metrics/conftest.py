"""What the tests of metrics share: golden files and weights that may not be here, and a closed-form generator."""

from pathlib import Path

import pytest

from metrics import weights

_GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"


@pytest.fixture(scope="session")
def golden():
    """The folder of recorded references."""
    if not _GOLDEN.is_dir():
        pytest.skip(f"the recorded references are not here ({_GOLDEN})")
    return _GOLDEN


def _needs(name: str) -> None:
    if not (weights.cache_folder() / "weights" / f"{name}.npz").is_file():
        pytest.skip(f"{name} is not in the cache folder: python -m metrics --fetch")


@pytest.fixture(scope="session")
def inception_weights():
    _needs(weights.INCEPTION)
    return weights.load_inception()


@pytest.fixture(scope="session")
def lpips_weights():
    _needs(weights.LPIPS_VGG16)
    return weights.load_lpips()
