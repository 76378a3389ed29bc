"""Runs of tiny models use the fixtures of training."""

from tests.training.conftest import no_time_limits, resume_run, start_run, tiny_dataset, tiny_settings  # noqa: F401  fixtures
