"""A model for tests: no styles, no growth, one or two dense layers a network; `register(monkeypatch)` adds it to the known ones."""

from stylegan_tf import models


def register(monkeypatch):
    """Makes the model known as "tiny" for one test."""
    monkeypatch.setitem(models.PACKAGES, "tiny", "tests.tiny_model")
