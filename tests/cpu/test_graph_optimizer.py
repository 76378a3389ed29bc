"""Training steps on CPUs run as they were traced; everything else is optimised as before."""

import pytest
import tensorflow as tf

from stylegan_tf.cpu import graph_optimizer, paths
from stylegan_tf.training.step import Trainer


def is_switched_off():
    return tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)


@pytest.mark.parametrize("before", [False, True])
def test_the_switch_is_restored(before, monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})
    try:
        with graph_optimizer.disabled_on_cpus():
            assert is_switched_off()
        assert is_switched_off() == before
        with pytest.raises(ValueError, match="within"), graph_optimizer.disabled_on_cpus():
            raise ValueError("within")
        assert is_switched_off() == before
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def test_enabled_on_gpus(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["/GPU:0"])
    with graph_optimizer.disabled_on_cpus():
        assert not is_switched_off()


def test_enabled_where_fast_paths_are_off(monkeypatch):
    monkeypatch.setenv(paths.VARIABLE, "off")
    with graph_optimizer.disabled_on_cpus():
        assert not is_switched_off()


def test_steps_are_called_with_it_disabled(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])

    class Function:
        def __call__(self):
            return is_switched_off()

        def experimental_get_tracing_count(self):
            return 1

    class StubTrainer(Trainer):
        def __init__(self):
            """Without networks."""

        def _key(self, *_):
            return ()

        def _function(self, key):
            return Function()

        def _arguments(self, *_):
            return ()

        def prepare(self, *_, **__):
            pass

    assert StubTrainer().run(None, None, nimg=0)
