"""How far an array is from the one expected, as the tests state their tolerances."""

import numpy as np


def relative_error(actual, expected, *, scale: float | None = None) -> float:
    """Largest difference as a share of `scale`, by default the largest expected magnitude.

    An AssertionError where shapes differ or a number is not finite.
    """
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    assert np.isfinite(actual).all()
    scale = scale or float(np.max(np.abs(expected))) or 1.0
    return float(np.max(np.abs(actual - expected))) / scale


def assert_close(actual, expected, tolerance: float, name: object = "", *, scale: float | None = None) -> None:
    """Fails where `relative_error` is above `tolerance`."""
    error = relative_error(actual, expected, scale=scale)
    assert error <= tolerance, f"{name}: relative error {error:.2e}, tolerance {tolerance:.0e}"
