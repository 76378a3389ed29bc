"""The devices of a run."""

import pytest
import tensorflow as tf

from stylegan_tf import nvidia
from stylegan_tf.errors import UserError
from stylegan_tf.settings import RunSettings
from stylegan_tf.training import devices


def test_one_machine_trains_on_the_cpu_where_there_is_no_gpu():
    chosen = devices.open_devices(RunSettings(precision="float32"))
    assert (chosen.num_devices, chosen.num_workers, chosen.is_chief) == (1, 1, True)
    assert "float32" in chosen.description


def test_more_gpus_than_there_are_is_a_message():
    with pytest.raises(UserError, match=r"--gpus 99 is more than the number of visible GPUs"):
        devices.open_devices(RunSettings(num_gpus=99))


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="for machines without a GPU that TensorFlow sees")
def test_a_gpu_that_tensorflow_does_not_see_is_named_unless_the_cpu_is_asked_for(monkeypatch):
    card = nvidia.Card("NVIDIA L4", (8, 9), 24.0, 1.0)
    monkeypatch.setattr(nvidia, "read_driver", lambda: nvidia.Driver("580.1", (card,)))
    first, second = devices.open_devices(RunSettings()).notes
    assert first.startswith("This machine has NVIDIA L4, but TensorFlow finds no GPU: ")
    assert second.endswith("To use it without this message: --gpus 0")
    assert devices.open_devices(RunSettings(num_gpus=0)).notes == ()
    with pytest.raises(UserError, match=r"there is none. Omit --gpus to train on the CPU. This machine has NVIDIA L4"):
        devices.open_devices(RunSettings(num_gpus=1))


def test_memory_grows_on_the_gpus_that_are_used_and_the_others_are_hidden(monkeypatch):
    """Without growth, TensorFlow reserves nearly all memory of every GPU at its first operation."""
    calls = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:0", f"{kind}:1"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda gpus, kind: calls.append((tuple(gpus), kind)))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, grows: calls.append((gpu, grows)))
    assert devices._visible_gpus(1) == ["GPU:0"]
    assert calls == [(("GPU:0",), "GPU"), ("GPU:0", True)]
    calls.clear()
    devices._visible_gpus(None)
    assert calls == [(("GPU:0", "GPU:1"), "GPU"), ("GPU:0", True), ("GPU:1", True)]


def test_a_cluster_that_is_not_valid_is_a_message(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{")
    with pytest.raises(UserError, match="TF_CONFIG is not valid: not JSON"):
        devices.open_devices(RunSettings())
