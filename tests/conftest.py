"""What tests share: the networks with the weights that were recorded from the original."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session", name="G32")
def recorded_generator():
    """The recorded 32x32 generator. Tests must leave its weights alone."""
    return _recorded_network("G")


@pytest.fixture(scope="session", name="D32")
def recorded_discriminator():
    """The recorded 32x32 discriminator. Tests must leave its weights alone."""
    return _recorded_network("D")


def _recorded_network(which):
    # TensorFlow takes seconds to import, and half of the tests do without it.
    from tests import flat_networks as networks
    from tests import recorded

    weights = recorded.our_weights(recorded.arrays("net32_vars"), which, 32)
    network = networks.Generator(**recorded.NET32, **recorded.WIDTHS32) if which == "G" else networks.Discriminator(**recorded.NET32)
    networks.assign_weights(network, weights)
    return network
