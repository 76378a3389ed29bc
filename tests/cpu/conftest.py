"""The fast paths are on in this folder's tests, whatever the environment says."""

import pytest

from stylegan_tf.cpu import paths


@pytest.fixture(autouse=True)
def fast_paths_are_on(monkeypatch):
    monkeypatch.delenv(paths.VARIABLE, raising=False)
