"""Steps compiled with XLA move the weights as the others do; on the CPU, where a GPU's kernels cannot be tried."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.cpu import paths
from stylegan_tf.settings import NetworkOptimizerSettings, OptimizerSettings
from stylegan_tf.training.compilation import BackgroundCompiler, compile_inner_functions, is_for_xla
from tests import flat_networks as networks
from tests.closeness import assert_close
from tests.training.stylegan_steps import make_stage, make_trainer

OPTIONS = {"resolution": 8, "fmap_base": 64, "fmap_max": 8, "label_size": 2}
WIDTHS = {"z_dim": 8, "w_dim": 8, "mapping_fmaps": 8, "mapping_layers": 2}
LRATE = 0.001
LABELS = np.eye(2, dtype=np.float32)
# Other orders of summation. Adam divides tiny gradients by themselves: the epsilon below keeps them tiny.
TOLERANCE = 1e-5


@functools.cache
def plain():
    return trained(make_one("off"))


def make_one(xla):
    """A trainer of the same small networks every time."""
    G, G_ema = (networks.Generator(**OPTIONS, **WIDTHS) for _ in range(2))
    made = {"G": G, "D": networks.Discriminator(**OPTIONS), "G_ema": G_ema}
    random = np.random.RandomState(1)
    for network in made.values():
        weights = {name: random.normal(0, 0.7, value.shape) for name, value in sorted(networks.named_weights(network).items())}
        networks.assign_weights(network, weights)
    # XLA makes another key of a seed than TensorFlow's own kernels do, and so another noise: the maps of the network instead.
    optimizer = NetworkOptimizerSettings(epsilon=1e-2)
    settings = {"optimizer": OptimizerSettings(G=optimizer, D=optimizer)}
    return make_trainer(*made.values(), settings=settings, label_pool=LABELS, xla=xla)


def batches(lod):
    side = 8 >> int(lod)
    images = np.random.RandomState(2).randint(0, 256, [8, side, side, 3], np.uint8)
    return iter(tf.data.Dataset.from_tensors((images, LABELS[np.arange(8) % 2])).repeat())


def stage_at(lod):
    return make_stage(lod=lod, minibatch=8, lrate=LRATE)


def trained(trainer):
    """Weights by name after two iterations, and the statistics of the second."""
    data = batches(0.5)
    for nimg in (0, 8):
        (statistics,) = trainer.run(data, stage_at(0.5), nimg=nimg)
        if trainer.compiler is not None:
            trainer.compiler.wait()
    made = {"G": trainer.G, "D": trainer.D, "G_ema": trainer.G_ema}
    weights = {f"{kind}/{name}": value.numpy() for kind, network in made.items() for name, value in networks.named_weights(network).items()}
    return weights, {name: float(value) for name, value in statistics.items()}


def is_compiled(trainer, stage, nimg):
    graph = trainer.trace(batches(stage.lod), stage, nimg=nimg).graph
    calls = (operation for operation in graph.get_operations() if operation.type in ("PartitionedCall", "StatefulPartitionedCall"))
    return any(is_for_xla(graph._get_function(call.get_attr("f").name)) for call in calls)


def assert_agrees_with_plain(weights, statistics):
    for name, value in plain()[0].items():
        assert_close(weights[name], value, TOLERANCE, name)
    for name in ("Loss/G", "Loss/D", "Loss/penalty"):
        assert_close(statistics[name], plain()[1][name], TOLERANCE, name)


def test_two_iterations_agree():
    trainer = make_one("foreground")
    assert is_compiled(trainer, stage_at(0.5), 0)
    assert_agrees_with_plain(*trained(trainer))


def test_the_forms_for_gpus_agree_under_xla(monkeypatch):
    plain()  # without them
    monkeypatch.setenv(paths.VARIABLE, "gpu")
    assert_agrees_with_plain(*trained(make_one("foreground")))


def test_a_stage_begins_without_xla_and_the_next_one_is_compiled_meanwhile():
    trainer, lines = make_one("background"), []
    trainer.compiler.log = lines.append
    assert not is_compiled(trainer, stage_at(0.5), 0)
    assert_agrees_with_plain(*trained(trainer))
    assert is_compiled(trainer, stage_at(0.5), 16)
    trainer.prepare(batches(0.0), stage_at(0.0), nimg=16)
    trainer.compiler.wait()
    assert [line.partition(" (in ")[0] for line in lines] == [
        "A step at 8x8, fading in is compiled with XLA",
        "A step at 8x8 is compiled with XLA",
    ]
    trainer.forget_traces(stage_at(0.0))
    assert is_compiled(trainer, stage_at(0.0), 16)
    assert not is_compiled(trainer, stage_at(0.5), 16)


def test_what_cannot_be_compiled_goes_on_without_xla():
    compiler, lines = BackgroundCompiler(), []
    compiler.log = lines.append

    def trace():
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory\nand more")

    compiler.request("key", "A step", trace)
    compiler.wait()
    assert compiler.ready("key") is None
    assert not compiler.can_request("key")
    assert lines == ["A step is not compiled with XLA and continues without it: ResourceExhaustedError: out of memory"]


def test_functions_that_assign_variables_are_not_called():
    count = tf.Variable(0.0)
    adds = tf.function(lambda x: count.assign_add(x), jit_compile=True, autograph=False)
    squares = tf.function(lambda x: x * x * count, jit_compile=True, autograph=False)
    graph = tf.function(lambda x: adds(squares(x))).get_concrete_function(tf.TensorSpec([])).graph
    assert compile_inner_functions(graph) == 1
    assert float(count) == 0


def test_what_one_of_several_functions_fails_with_is_raised():
    cannot = tf.function(lambda x: tf.raw_ops.EuclideanNorm(input=x, axis=[0]), jit_compile=True, autograph=False)
    squares = tf.function(lambda x: x * x, jit_compile=True, autograph=False)
    graph = tf.function(lambda x: (cannot(x), squares(x))).get_concrete_function(tf.TensorSpec([2])).graph
    with pytest.raises(tf.errors.OpError, match="EuclideanNorm"):
        compile_inner_functions(graph)
