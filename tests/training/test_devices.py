"""The choice of devices and precision."""

import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.settings import RunSettings
from stylegan_tf.training import devices

AMPERE, TURING = {"compute_capability": (8, 0)}, {"compute_capability": (7, 5)}


@pytest.mark.parametrize(
    ("gpus", "cpu_flags", "policy"),
    [
        ([AMPERE], "", "mixed_bfloat16"),
        ([AMPERE, TURING], "", "float32"),  # the oldest GPU decides
        ([{}], "amx_bf16", "float32"),  # the CPU's flags do not matter where a GPU computes
        ([], "avx2 amx_bf16 avx512f", "mixed_bfloat16"),
        ([], "avx2 avx512_bf16", "float32"),
    ],
)
def test_auto_precision(gpus, cpu_flags, policy):
    assert devices.resolve_precision("auto", gpus, cpu_flags) == policy


def test_a_requested_precision_is_used():
    assert devices.resolve_precision("mixed_float16", [], "") == "mixed_float16"


def test_one_machine_trains_on_the_cpu_where_there_is_no_gpu():
    chosen = devices.open_devices(RunSettings(precision="float32"))
    assert (chosen.num_devices, chosen.num_workers, chosen.is_chief) == (1, 1, True)
    assert "float32" in chosen.description


def test_more_gpus_than_there_are_is_a_message():
    with pytest.raises(UserError, match=r"--gpus 99 is more than the number of visible GPUs"):
        devices.open_devices(RunSettings(num_gpus=99))


def test_a_cluster_that_is_not_valid_is_a_message(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(UserError, match="TF_CONFIG is not valid: not JSON"):
        devices.open_devices(RunSettings())
