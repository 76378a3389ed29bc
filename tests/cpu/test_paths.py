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
from stylegan_tf.layers import activations, convolution, modulation, noise, resample
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
    with pytest.raises(UserError, match=r"must be on, off or gpu .* 'no'"):
        chosen()


def test_forms_for_gpus_are_chosen_on_machines_with_one(monkeypatch):
    @paths.replaced_by(lambda: "cpu", gpu=lambda: "gpu")
    def chosen():
        return "plain"

    for setting, expected in {"gpu": "gpu", "on": "cpu", "off": "plain"}.items():
        monkeypatch.setenv(paths.VARIABLE, setting)
        assert chosen() == expected
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["/GPU:0"])
    assert chosen() == "plain"
    monkeypatch.setenv(paths.VARIABLE, "on")
    assert chosen() == "gpu"


FUNCTIONS = {
    "matmul": (convolution.matmul, normal(3, 5), normal(5, 4)),
    "conv2d, kernel of 1": (convolution.conv2d, normal(2, 4, 6, 3), normal(1, 1, 3, 5)),
    "conv2d, kernel of 3": (convolution.conv2d, normal(2, 4, 8, 3), normal(3, 3, 3, 5)),
    "conv2d_down": (convolution.conv2d_down, normal(2, 8, 16, 3), normal(4, 4, 3, 5)),
    "conv2d_up": (convolution.conv2d_up, normal(2, 4, 8, 3), normal(4, 4, 5, 3)),
    "filter2d": (functools.partial(convolution.filter2d, kernel=np.outer([1, 3, 1], [1, 3, 1]).astype(np.float32)), normal(2, 5, 6, 3)),
    "leaky_relu": (activations.leaky_relu, normal(2, 5, 6, 3)),
    "biased_leaky_relu": (activations.biased_leaky_relu, normal(2, 5, 6, 3), normal(3)),
    "add_noise": (noise.add_noise, normal(2, 5, 6, 3), normal(2, 5, 6, 1), normal(3)),
    "add_noise, one map": (noise.add_noise, normal(2, 5, 6, 3), normal(1, 5, 6, 1), normal(3)),
    "adain": (modulation.adain, normal(2, 4, 4, 3), normal(2, 6)),
    "spread_kernel": (resample._spread_kernel, normal(3, 3, 2, 5)),
    "spread_kernel, turned": (functools.partial(resample._spread_kernel, is_turned=True, scale=0.25), normal(3, 3, 2, 5)),
}


WITH_FORMS_FOR_GPUS = ("filter2d", "biased_leaky_relu", "add_noise", "add_noise, one map", "adain")


@pytest.mark.parametrize(("name", "setting"), [*((name, "on") for name in FUNCTIONS), *((name, "gpu") for name in WITH_FORMS_FOR_GPUS)])
@pytest.mark.parametrize("is_graph", [False, True], ids=["eager", "graph"])
def test_values_and_derivatives_of_functions(name, setting, is_graph, small_tiles, monkeypatch):
    monkeypatch.setenv(paths.VARIABLE, setting)
    function, *arguments = FUNCTIONS[name]
    fast = (tf.function(to_second_order) if is_graph else to_second_order)(function, *arguments)
    monkeypatch.setenv(paths.VARIABLE, "off")
    for actual, expected in zip(fast, to_second_order(function, *arguments), strict=True):
        assert_close(actual, expected, 3 * TOLERANCE, name)


def test_blur_under_xla_is_a_sum_of_shifts(monkeypatch):
    function, x = FUNCTIONS["filter2d"]
    plain = to_second_order(functools.partial(function.func.plain, **function.keywords), x)
    monkeypatch.setenv(paths.VARIABLE, "gpu")
    with paths.traced_for_xla():
        shifted = to_second_order(function, x)
        names = {
            operation.type
            for operation in tf.function(lambda x: function(x), autograph=False).get_concrete_function(x).graph.get_operations()
        }
    for actual, expected in zip(shifted, plain, strict=True):
        assert_close(actual, expected, TOLERANCE, "filter2d")
    assert "DepthwiseConv2dNative" not in names


@pytest.mark.parametrize("side", [16, 64])  # from 64 on, means are products
def test_adain_in_bfloat16_has_errors_relative_to_the_deviation(side, monkeypatch):
    # A map of mean 30 and deviation 1, and a constant one: with x * a + b in bfloat16, both would be lost.
    monkeypatch.setenv(paths.VARIABLE, "gpu")
    x = np.stack([30 + np.random.RandomState(0).normal(0, 1, (1, side, side)), np.full((1, side, side), 1.3)], axis=-1)
    x, styles = tf.cast(x, tf.bfloat16), tf.constant([[0.5, 0.5, 1.0, 2.0]])
    expected = modulation.adain.plain(tf.cast(x, tf.float32), styles)
    found = tf.cast(modulation.adain(x, tf.cast(styles, tf.bfloat16)), tf.float32)
    np.testing.assert_allclose(found, expected, atol=2**-7 * np.abs(expected).max())


LARGE = normal(2, 64, 64, 3)  # from this size on, sums in bfloat16 are products
SUMS = {
    "noise": (noise.add_noise, LARGE, normal(2, 64, 64, 1), normal(3)),
    "noise, one map": (noise.add_noise, LARGE, normal(1, 64, 64, 1), normal(3)),
    "bias": (activations.biased_leaky_relu, LARGE, normal(3) + 3.5),  # above 0, where rounding does not change the derivative
    "style": (modulation.adain, LARGE, normal(2, 6)),
}


@pytest.mark.parametrize("name", SUMS)
def test_derivatives_from_products_in_bfloat16(name, monkeypatch):
    function, *arguments = SUMS[name]
    arguments = [tf.cast(argument, tf.bfloat16) for argument in arguments]
    upstream = tf.cast(normal(2, 64, 64, 3, seed=1) + 0.5, tf.bfloat16)
    monkeypatch.setenv(paths.VARIABLE, "gpu")
    found = gradients(function, arguments, upstream)
    monkeypatch.setenv(paths.VARIABLE, "off")
    expected = gradients(function, [tf.cast(argument, tf.float32) for argument in arguments], tf.cast(upstream, tf.float32))
    for actual, value in zip(found, expected, strict=True):
        assert_close(tf.cast(actual, tf.float32), value, 2**-7, name)  # two roundings to 8 bits


def gradients(function, arguments, upstream):
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        y = function(*arguments)
    return tape.gradient(y, arguments, output_gradients=upstream)


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


@pytest.mark.parametrize(("name", "setting"), [*((name, "on") for name in LAYERS), ("styled upscaling", "gpu"), ("downscaling", "gpu")])
def test_values_and_derivatives_of_layers(name, setting, small_tiles, monkeypatch):
    monkeypatch.setenv(paths.VARIABLE, setting)
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


def with_a_bias_of_0(x):
    return activations.biased_leaky_relu(x[:, None], tf.zeros([1], x.dtype))[:, 0]


@pytest.mark.parametrize("setting", ["on", "off", "gpu"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(
    "function", [activations.leaky_relu, lambda x: activations.biased_leaky_relu(x[:, None], tf.zeros([1], x.dtype))[:, 0]]
)
def test_leaky_relu_has_gradient_1_at_0(function, dtype, setting, monkeypatch):
    monkeypatch.setenv(paths.VARIABLE, setting)
    x = tf.constant([-2.0, -0.0, 0.0, 2.0], dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    np.testing.assert_allclose(tf.cast(y, tf.float32), [-0.4, 0, 0, 2], rtol=4e-3, atol=1e-7)
    np.testing.assert_allclose(tf.cast(tape.gradient(y, x), tf.float32), [0.2, 1, 1, 1], rtol=4e-3)


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


@pytest.mark.parametrize("setting", ["on", "gpu"])
def test_a_training_step_with_r1(setting, small_tiles, monkeypatch):
    monkeypatch.setenv(paths.VARIABLE, setting)
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
