"""Steps run as they were traced, and the switch is back where it was for everything else."""

import pytest
import tensorflow as tf

from stylegan_tf.cpu import graph_optimizer
from stylegan_tf.training.steps import Trainer


def is_switched_off():
    return tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)


@pytest.mark.parametrize("before", [False, True])
def test_the_switch_comes_back(before, monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": before})
    try:
        with graph_optimizer.left_out_on_cpus():
            assert is_switched_off()
        assert is_switched_off() == before
        with pytest.raises(ValueError, match="within"), graph_optimizer.left_out_on_cpus():
            raise ValueError("within")
        assert is_switched_off() == before
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def test_gpus_keep_it(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["/GPU:0"])
    with graph_optimizer.left_out_on_cpus():
        assert not is_switched_off()


def test_steps_are_called_within(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    trainer = object.__new__(Trainer)
    trainer._round = lambda batches: (lambda value: (value, is_switched_off()), ("an argument",))
    assert trainer.run_pairs(None) == ("an argument", True)
