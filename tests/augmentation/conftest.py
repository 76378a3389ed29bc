"""Runs of tiny models use the fixtures of training."""

from tests.training.conftest import enough_patience, resume_run, start_run, tiny_dataset, tiny_settings  # noqa: F401  fixtures
