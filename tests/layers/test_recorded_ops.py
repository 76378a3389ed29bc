"""Single operations of the original: values, first and second gradients."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.layers.activations import leaky_relu
from stylegan_tf.layers.epilogue import EpilogueLayer
from stylegan_tf.layers.minibatch_stddev import minibatch_stddev
from stylegan_tf.layers.modulation import modulate
from stylegan_tf.layers.normalization import instance_norm, pixel_norm
from stylegan_tf.layers.resample import blur2d, downscale2d, upscale2d
from stylegan_tf.layers.scaled import EqualizedConv2D, EqualizedDense, EqualizedLayer
from tests.closeness import assert_close
from tests.recorded import arrays, nhwc

# Sums of at most 100 float32 products: a few roundings of 6e-8. The recording itself moves by 7.4e-6 between two builds.
TOLERANCE = 3e-6
# The deviation over two samples is linear in their difference: what is recorded of its second gradient is what terms
# of size 1 leave when they cancel, so it is held to their rounding.
CANCELLING = {"mbstd_N2_g4_n1/ddx", "mbstd_N8_g2_n1/ddx"}


def without_weights(function):
    """A case of a function of x alone."""
    return lambda recorded: (function, {})


def of_layer(make_layer, to_ours=lambda kernel: kernel):
    """A case of a layer with the recorded kernel, turned into our layout."""

    def make(recorded):
        layer = make_layer(recorded["var/weight"].shape[-1])
        layer.build(nhwc(recorded["x"]).shape)
        layer.kernel.assign(to_ours(recorded["var/weight"]))
        return layer, {"weight": (layer.kernel, to_ours)}

    return make


def convolution(kernel_size=3, *, rotated=False, **options):
    """A case of a convolution. The original's fused upscaling applies its kernels rotated by 180 degrees."""
    return of_layer(
        lambda filters: EqualizedConv2D(filters, kernel_size, use_bias=False, **options),
        (lambda kernel: kernel[::-1, ::-1]) if rotated else (lambda kernel: kernel),
    )


def dense(to_ours=lambda kernel: kernel, **options):
    """A case of a dense layer."""
    return of_layer(lambda units: EqualizedDense(units, use_bias=False, **options), to_ours)


def rows_to_nhwc(kernel):
    """Rows of a dense kernel on [2, 4, 4] features, from [C, H, W] order to [H, W, C]."""
    return kernel.reshape(2, 4, 4, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)


def bias(lrmul):
    """A case of adding a bias alone."""

    def make(recorded):
        layer = EqualizedLayer(lrmul=lrmul)
        layer.bias = tf.Variable(recorded["var/bias"])
        return layer.add_bias, {"bias": (layer.bias, lambda x: x)}

    return make


def style(recorded):
    """The case of a style alone: affine, then scale and shift."""
    layer = EqualizedDense(recorded["var/StyleMod/bias"].size, gain=1.0)
    layer.build(recorded["dlatent"].shape)
    variables = {"StyleMod/weight": layer.kernel, "StyleMod/bias": layer.bias}
    return lambda x: modulate(x, layer(recorded["dlatent"])), assigned(variables, recorded)


def epilogue(recorded):
    """The case of everything after a convolution."""
    layer = EpilogueLayer(3)
    layer.build_epilogue(recorded["dlatent"].shape[-1])
    variables = {"Noise/weight": layer.noise_strength, "bias": layer.bias,
                 "StyleMod/weight": layer.style.kernel, "StyleMod/bias": layer.style.bias}  # fmt: skip
    return lambda x: layer.finish(x, recorded["dlatent"], nhwc(recorded["noise"])), assigned(variables, recorded)


def noise(recorded):
    """The case of noise alone."""
    layer = EpilogueLayer(3, use_instance_norm=False, use_styles=False)
    layer.activation = tf.identity
    layer.build_epilogue(1)
    return lambda x: layer.finish(x, None, nhwc(recorded["noise"])), assigned({"Noise/weight": layer.noise_strength}, recorded)


def assigned(variables, recorded):
    """Gives variables their recorded values; none of them changes its layout."""
    for name, variable in variables.items():
        variable.assign(recorded[f"var/{name}"])
    return {name: (variable, lambda x: x) for name, variable in variables.items()}


def statistics(group_size, features):
    """A case of the minibatch statistics."""
    return without_weights(lambda x: minibatch_stddev(x, group_size, features))


UP = {"resampling": "up"}
DOWN = {"resampling": "down"}
BLUR = {"blur_filter": (1, 2, 1)}
CASES = {
    "blur2d_121": without_weights(blur2d),
    "blur2d_1331": without_weights(lambda x: blur2d(x, (1, 3, 3, 1))),
    "blur2d_121_nonorm": without_weights(lambda x: blur2d(x, (1, 2, 1), normalize=False)),
    "upscale2d_2": without_weights(upscale2d),
    "upscale2d_4": without_weights(lambda x: upscale2d(x, 4)),
    "downscale2d_2": without_weights(downscale2d),
    "downscale2d_4": without_weights(lambda x: downscale2d(x, 4)),
    "conv2d_k1_gain2_wscale": convolution(1),
    "conv2d_k3_gain2_wscale": convolution(),
    "conv2d_k3_nowscale": convolution(use_wscale=False),
    "dense_lrmul0.01": dense(lrmul=0.01),
    "dense_4d_input": dense(rows_to_nhwc),
    "dense_nowscale_lrmul0.01": dense(lrmul=0.01, use_wscale=False),
    "apply_bias_2d_lrmul0.01": bias(0.01),
    "apply_bias_4d": bias(1.0),
    "leaky_relu": without_weights(leaky_relu),
    "pixel_norm_2d": without_weights(pixel_norm),
    "pixel_norm_4d": without_weights(pixel_norm),
    "instance_norm": without_weights(instance_norm),
    "instance_norm_tiny": without_weights(instance_norm),
    "style_mod": style,
    "apply_noise": noise,
    "layer_epilogue": epilogue,
    **{f"mbstd_N{n}_g4_n1": statistics(4, 1) for n in (1, 2, 3, 4, 8, 12)},
    "mbstd_N8_g4_n2": statistics(4, 2),
    "mbstd_N8_g2_n1": statistics(2, 1),
}
# Either form of ours equals either form of the original: the fused ones are a matter of speed.
RESAMPLED = {
    (f"{theirs}_fused{fused}", is_fused): convolution(rotated=resampling is UP and fused, is_fused=is_fused, **resampling, **blur)
    for theirs, resampling, blur in [
        ("upscale2d_conv2d", UP, {}), ("blur_upscale_conv", UP, BLUR),
        ("conv2d_downscale2d", DOWN, {}), ("blur_conv_downscale", DOWN, BLUR),
    ]
    for fused in (0, 1)
    for is_fused in (False, True)
}  # fmt: skip


def case_of(name):
    """Arrays of one recorded operation."""
    return {key.removeprefix(name + "/"): value for key, value in arrays("ops").items() if key.startswith(name + "/")}


def check_operation(name, make):
    """Compares everything recorded of one operation; every array of it must be looked at."""
    recorded = case_of(name)
    function, variables = make(recorded)
    unseen = set(recorded) - {"x", "R", "R2", "dlatent", "noise"} - {f"var/{variable}" for variable in variables}

    def compare(key, actual, to_ours=nhwc):
        if key in recorded:
            unseen.discard(key)
            expected = to_ours(recorded[key])
            actual = np.zeros_like(expected) if actual is None else actual  # a variable that a sum does not depend on
            scale = 1.0 if f"{name}/{key}" in CANCELLING else None
            assert_close(actual, expected, TOLERANCE, f"{name}/{key}", scale=scale)

    x, R, R2 = (tf.constant(nhwc(recorded[key])) for key in ("x", "R", "R2"))
    tensors = [variable.value if hasattr(variable, "path") else variable for variable, _ in variables.values()]
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([x, R])
        with tf.GradientTape(persistent=True) as inner:
            inner.watch(x)
            y = function(x)
            total = tf.reduce_sum(y * R)
        dx = inner.gradient(total, x)
        second = tf.reduce_sum(dx * R2)
    compare("y", y)
    compare("dx", dx)
    compare("ddx", outer.gradient(second, x))
    compare("dR", outer.gradient(second, R))
    for (variable, (_, to_ours)), tensor in zip(variables.items(), tensors, strict=True):
        compare(f"dvar/{variable}", inner.gradient(total, tensor), to_ours)
        compare(f"ddvar/{variable}", outer.gradient(second, tensor), to_ours)
    assert not unseen


@pytest.mark.parametrize("name", CASES)
def test_operation_equals_the_originals(name):
    check_operation(name, CASES[name])


@pytest.mark.parametrize(("name", "is_fused"), RESAMPLED)
def test_resampling_convolution_equals_the_originals(name, is_fused):
    check_operation(name, RESAMPLED[name, is_fused])


def test_every_recorded_operation_is_tested():
    assert {key.split("/")[0] for key in arrays("ops")} == set(CASES) | {name for name, _ in RESAMPLED}
