"""Fast paths and plain operations agree, from single functions to a training step, and nothing of the fast ones runs when they are off."""

import functools
import importlib
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf import layers
from stylegan_tf.cpu import bfloat16, derivatives, graph_optimizer, paths, winograd
from stylegan_tf.errors import UserError
from stylegan_tf.layers import activations, convolution, modulation, resample
from stylegan_tf.layers.epilogue import StyledConstant, StyledConv, StyledDense
from stylegan_tf.layers.scaled import EqualizedConv2D, EqualizedDense
from stylegan_tf.models.stylegan.model import StyleGAN
from stylegan_tf.settings import NetworkOptimizerSettings, OptimizerSettings, RunSettings
from tests import flat_networks as networks
from tests.closeness import assert_close
from tests.cpu.derivatives import to_second_order
from tests.training.stylegan_steps import make_stage, make_trainer

# Sums of up to a few hundred float32 products in another order; tiles of Winograd's algorithm round ten times as much.
TOLERANCE = 1e-5


def normal(*shape, seed=0):
    return tf.constant(np.random.RandomState(seed).normal(0, 0.5, shape), tf.float32)


@pytest.fixture(name="small_tiles")
def tiles_for_small_images(monkeypatch):
    """Winograd's algorithm is used for small images of few maps as well, which are quick to test."""
    monkeypatch.setattr(winograd, "_LEAST_SIZE", 4)
    monkeypatch.setattr(winograd, "_LEAST_MAPS", 2)


def test_chosen_by_the_environment_and_the_devices(monkeypatch):
    @paths.replaced_by(lambda: "fast")
    def on_cpus():
        return "plain"

    @paths.replaced_by(lambda: "fast", on_gpus=True)
    def everywhere():
        return "plain"

    def chosen():
        return on_cpus(), everywhere()

    assert chosen() == ("fast", "fast") if not tf.config.list_logical_devices("GPU") else ("plain", "fast")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["/GPU:0"])
    assert chosen() == ("plain", "fast")
    monkeypatch.setenv(paths.VARIABLE, "off")
    assert chosen() == ("plain", "plain")
    monkeypatch.setenv(paths.VARIABLE, "no")
    with pytest.raises(UserError, match=r"must be on or off .* 'no'"):
        chosen()


FUNCTIONS = {
    "matmul": (convolution.matmul, normal(3, 5), normal(5, 4)),
    "conv2d, kernel of 1": (convolution.conv2d, normal(2, 4, 6, 3), normal(1, 1, 3, 5)),
    "conv2d, kernel of 3": (convolution.conv2d, normal(2, 4, 8, 3), normal(3, 3, 3, 5)),
    "conv2d_down": (convolution.conv2d_down, normal(2, 8, 16, 3), normal(4, 4, 3, 5)),
    "conv2d_up": (convolution.conv2d_up, normal(2, 4, 8, 3), normal(4, 4, 5, 3)),
    "filter2d": (functools.partial(convolution.filter2d, kernel=np.outer([1, 3, 1], [1, 3, 1]).astype(np.float32)), normal(2, 5, 6, 3)),
    "leaky_relu": (activations.leaky_relu, normal(2, 5, 6, 3)),
    "adain": (modulation.adain, normal(2, 4, 4, 3), normal(2, 6)),
    "spread_kernel": (resample._spread_kernel, normal(3, 3, 2, 5)),
    "spread_kernel, turned": (functools.partial(resample._spread_kernel, is_turned=True, scale=0.25), normal(3, 3, 2, 5)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("is_graph", [False, True], ids=["eager", "graph"])
def test_values_and_derivatives_of_functions(name, is_graph, small_tiles, monkeypatch):
    function, *arguments = FUNCTIONS[name]
    fast = (tf.function(to_second_order) if is_graph else to_second_order)(function, *arguments)
    monkeypatch.setenv(paths.VARIABLE, "off")
    for actual, expected in zip(fast, to_second_order(function, *arguments), strict=True):
        assert_close(actual, expected, 3 * TOLERANCE, name)


def test_every_replaced_function_is_compared():
    modules = [importlib.import_module(f"{layers.__name__}.{module.name}") for module in pkgutil.iter_modules(layers.__path__)]
    replaced = {value for module in modules for value in vars(module).values() if hasattr(value, "plain")}
    assert replaced == {getattr(function, "func", function) for function, *_ in FUNCTIONS.values()}


LAYERS = {
    "dense": (functools.partial(EqualizedDense, 5), normal(3, 4)),
    "convolution": (functools.partial(EqualizedConv2D, 5), normal(2, 8, 8, 3)),
    "upscaling": (functools.partial(EqualizedConv2D, 5, resampling="up", blur_filter=(1, 2, 1)), normal(2, 4, 4, 3)),
    "fused upscaling": (functools.partial(EqualizedConv2D, 5, resampling="up", blur_filter=(1, 2, 1), is_fused=True), normal(2, 4, 4, 3)),
    "downscaling": (functools.partial(EqualizedConv2D, 5, resampling="down", blur_filter=(1, 2, 1)), normal(2, 8, 8, 3)),
    "fused downscaling": (functools.partial(EqualizedConv2D, 5, resampling="down", blur_filter=(1, 2, 1), is_fused=True),
                          normal(2, 8, 8, 3)),
    "styled constant": (functools.partial(StyledConstant, 4), normal(3, 6), normal(3, 4, 4, 1)),
    "styled dense": (functools.partial(StyledDense, 4), normal(3, 6), normal(3, 4, 4, 1)),
    "styled convolution": (functools.partial(StyledConv, 4), normal(2, 4, 4, 3), normal(2, 6, seed=1), normal(2, 4, 4, 1)),
    "styled upscaling": (functools.partial(StyledConv, 4, resampling="up", blur_filter=(1, 2, 1), is_fused=True), normal(2, 4, 4, 3),
                         normal(2, 6, seed=1), normal(2, 8, 8, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_values_and_derivatives_of_layers(name, small_tiles, monkeypatch):
    make, *arguments = LAYERS[name]
    layer = make()
    layer.build(*[argument.shape for argument in arguments if argument.shape[-1] > 1])  # all but the noise
    weights = [normal(*weight.shape, seed=index) for index, weight in enumerate(layer.trainable_weights)]
    num_inputs = len(arguments)

    def apply(*tensors):
        scope = keras.StatelessScope(zip(layer.trainable_weights, tensors[num_inputs:], strict=True))
        with scope:
            return layer(*tensors[:num_inputs])

    fast = to_second_order(apply, *arguments, *weights)
    monkeypatch.setenv(paths.VARIABLE, "off")
    for actual, expected in zip(fast, to_second_order(apply, *arguments, *weights), strict=True):
        assert_close(actual, expected, 10 * TOLERANCE, name)  # the normalisation divides by small deviations


@pytest.mark.parametrize("setting", ["on", "off"])
def test_leaky_relu_has_gradient_1_at_0(setting, monkeypatch):
    monkeypatch.setenv(paths.VARIABLE, setting)
    x = tf.constant([-2.0, -0.0, 0.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = activations.leaky_relu(x)
    np.testing.assert_allclose(y, [-0.4, 0, 0, 2])
    np.testing.assert_allclose(tape.gradient(y, x), [0.2, 1, 1, 1])


def step_of_training():
    """One step of D with R1 and one of G, of the same small networks every time: losses, gradients, weights by name."""
    shape = {"resolution": 8, "fmap_base": 32, "fmap_max": 8}
    widths = {"z_dim": 6, "w_dim": 6, "mapping_layers": 1, "mapping_fmaps": 6}
    made = {
        "G": networks.Generator(**shape, **widths),
        "D": networks.Discriminator(**shape),
        "G_ema": networks.Generator(**shape, **widths),
    }
    for network in made.values():
        random = np.random.RandomState(1)
        weights = {name: random.normal(0, 1.5, weight.shape) for name, weight in sorted(networks.named_weights(network).items())}
        networks.assign_weights(network, weights)
    # Adam's step is the gradient divided by itself: this epsilon keeps the rounding of tiny gradients from becoming a whole step.
    optimizer = NetworkOptimizerSettings(epsilon=1e-2)
    settings = {"optimizer": OptimizerSettings(G=optimizer, D=optimizer), "run": RunSettings(seed=3)}
    trainer = make_trainer(*made.values(), model=StyleGAN(), settings=settings)
    images = np.random.RandomState(2).randint(0, 256, (4, 8, 8, 3), np.uint8)
    batches = iter(tf.data.Dataset.from_tensors((images, np.zeros([4, 0], np.float32))))
    (statistics,) = trainer.run(batches, make_stage(), nimg=0)
    values = {name: value.numpy() for name, value in statistics.items() if not name.startswith("Timing/")}
    for name in ("G_optimizer", "D_optimizer"):  # beta1 is 0: the first moments are the gradients
        moments = trainer.state()[name]["first_moments"]
        values.update({f"{name}/{weight}": gradient for weight, gradient in moments.items()})
    for kind, network in made.items():
        values.update({f"{kind}/{name}": weight.numpy() for name, weight in networks.named_weights(network).items()})
    return values


def test_a_training_step_with_r1(small_tiles, monkeypatch):
    fast = step_of_training()
    monkeypatch.setenv(paths.VARIABLE, "off")
    plain = step_of_training()
    assert set(fast) == set(plain)
    assert plain["Loss/penalty"] > 0.1
    for name, value in plain.items():
        # The rounding of each layer, through all layers of G and D, forwards and twice backwards. Measured: up to 4e-6.
        assert_close(fast[name], value, 2 * TOLERANCE, name)


def test_nothing_of_the_fast_paths_runs_when_they_are_off(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a fast path was used")

    monkeypatch.setenv(paths.VARIABLE, "off")
    for module, names in {
        derivatives: ["with_derivatives", "_derivatives"],
        winograd: ["fits", "correlate", "kernel_gradient"],
        bfloat16: ["summed_in_float32", "has_bfloat16"],
        tf.config.optimizer: ["set_experimental_options"],
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, refuse)
    with graph_optimizer.disabled_on_cpus():
        assert np.isfinite(step_of_training()["Loss/D"])
