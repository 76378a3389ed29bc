"""Counts the kernels of a traced function and the bytes that they read and write, by class; nothing is run or measured.

    python -m benchmarks.passes --resolution 256 --batch 32 --precision mixed_bfloat16
    python -m benchmarks.passes --resolution 256 --batch 32 --precision mixed_bfloat16 --xla
    python -m benchmarks.passes --count layer --resolution 256 --batch 4 --precision mixed_bfloat16
    python -m benchmarks.passes --count drawing --resolution 256 --batch 32 --precision mixed_bfloat16
    python -m benchmarks.passes --count features --batch 32
    python -m benchmarks.passes --count stylegan2 --resolution 256 --precision mixed_bfloat16
    python -m benchmarks.passes --count ada --resolution 256

Without XLA every operation of the graph is a kernel on a GPU; TensorFlow's graph optimiser, which removes some of them, is not counted.
Counted are a training iteration of StyleGAN, a layer of G without its convolution, or the generation of images, as `layers/` defines the
operations (plain) and in the forms for GPUs; the features of FID in both precisions; a mean iteration of the preset stylegan2-auto
without ADA; or ADA's transforms in it. With --xla, D's block at the full resolution alone is compiled, with its gradient and the gradient
of its gradient, or ADA's transforms, and the kernels of XLA's program for this machine are counted: a GPU's program has other fusions.

"ms" is the least time on an H100: products at the share of the peak that was measured on an H200 (`paper_run`), memory at the bandwidth of
the data sheet. Prints a table and one JSON line; asserts nothing.
"""

import dataclasses
import os
import sys

import numpy as np

from benchmarks.counting import EXACT_FLOAT32, Passes, compiled, count, total
from benchmarks.options import parse
from stylegan_tf import command_line

DESCRIPTION = __doc__
SHOWN = ("products", "blur", "reductions", "elementwise", "moves", "all")


def block_with_derivatives(block):
    """A function of features: the gradient of its squared norm of gradient, as in R1, through a block of D."""
    import tensorflow as tf

    def compute(x):
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.cast(block(x), tf.float32))
            norm = tf.reduce_sum(tf.square(tf.cast(inner.gradient(y, x), tf.float32)))
            total = y + norm
        return outer.gradient(total, [variable.value for variable in block.trainable_variables])

    return compute


def iteration(workload, *, with_xla: bool) -> dict[str, dict[str, Passes]]:
    """A training iteration of StyleGAN; with XLA, a block of D."""
    import tensorflow as tf

    from stylegan_tf import models
    from stylegan_tf.training.step import Trainer

    networks = workload.networks()

    def counted():
        if not with_xla:
            trainer = Trainer(models.find("stylegan"), workload.settings(xla="off"), **networks)
            return count(trainer.trace(batches(workload), workload.stage(), nimg=0).graph)
        block = networks["D"].blocks[0]
        x = tf.zeros([workload.batch, workload.resolution, workload.resolution, block.filters], block.compute_dtype)
        return compiled(block_with_derivatives(block), x)

    return in_both_forms(counted)


def layer(workload, *, with_xla: bool) -> dict[str, dict[str, Passes]]:
    """What follows a convolution of G at the full resolution (noise, bias, leaky ReLU, normalisation, style); never with XLA."""
    import tensorflow as tf

    from stylegan_tf.layers import activations, modulation, noise

    side, maps = workload.resolution, workload.features(workload.resolution)
    dtype = workload.precision.removeprefix("mixed_")
    shapes = ([workload.batch, side, side, maps], [workload.batch, side, side, 1], [maps], [maps], [workload.batch, 2 * maps])
    arguments = [tf.zeros(shape, dtype) for shape in shapes]

    def forward(x, pixels, strength, bias, styles):
        return modulation.adain(activations.biased_leaky_relu(noise.add_noise(x, pixels, strength), bias), styles)

    def gradient(*tensors):
        with tf.GradientTape() as tape:
            tape.watch([*tensors[:1], *tensors[2:]])
            y = forward(*tensors)
        return tape.gradient(y, [*tensors[:1], *tensors[2:]], y)

    both = {"": forward, ", gradient": gradient}
    found = {
        name: in_both_forms(lambda f=function: count(tf.function(f).get_concrete_function(*arguments).graph))
        for name, function in both.items()
    }
    return {f"{form}{name}": classes for name, forms in found.items() for form, classes in forms.items()}


def drawing(workload, *, with_xla: bool) -> dict[str, dict[str, Passes]]:
    """Images of latents; never with XLA."""
    import tensorflow as tf

    G = workload.networks()["G_ema"]
    z = tf.zeros([workload.batch, G.z_dim])
    return in_both_forms(lambda: count(tf.function(lambda z: G.sample(z), autograph=False).get_concrete_function(z).graph))


def features(workload, *, with_xla: bool) -> dict[str, dict[str, Passes]]:
    """Features of FID of a batch; never with XLA."""
    import tensorflow as tf

    from metrics.features import inception
    from metrics.networks import weights

    inception.has_bfloat16 = lambda: True  # as on a GPU
    arrays, images = weights.load_inception(), tf.zeros([workload.batch, workload.resolution, workload.resolution, 3], tf.uint8)
    networks = {precision: inception.Inception(arrays, precision=precision) for precision in ("float32", "bfloat16")}
    graphs = {name: tf.function(network._forward).get_concrete_function(images).graph for name, network in networks.items()}
    return {name: count(graph, float32=EXACT_FLOAT32) for name, graph in graphs.items()}


def stylegan2(workload, *, with_xla: bool) -> dict[str, dict[str, Passes]]:
    """The preset stylegan2-auto without augmentation, the mean of 16 iterations; never with XLA."""
    from stylegan_tf import models
    from stylegan_tf.cpu import paths
    from stylegan_tf.settings import AugmentSettings
    from stylegan_tf.snapshot import build_networks
    from stylegan_tf.training.step import Trainer

    os.environ[paths.VARIABLE] = "gpu"
    settings, workload = automatic(workload)
    shape = {"resolution": workload.resolution, "channels": workload.channels, "label_size": 0}
    networks = build_networks("stylegan2", {"G": settings.G, "D": settings.D, "G_ema": settings.G}, shape, workload.precision)
    trainer = Trainer(models.find("stylegan2"), dataclasses.replace(settings, augment=AugmentSettings()), **networks, xla="off")
    # Of 16 iterations, 4 have a step of path lengths, and the first one also a step of R1.
    numbers = {0: 1 / 16, 1: 12 / 16, 4: 3 / 16}
    traced = [trainer.trace(batches(workload), workload.stage(), nimg=number * workload.batch) for number in numbers]
    return {"gpu": total([count(function.graph) for function in traced], list(numbers.values()))}


def ada(workload, *, with_xla: bool) -> dict[str, dict[str, Passes]]:
    """The transforms of a minibatch of that preset, and those of a mean iteration."""
    import tensorflow as tf

    from stylegan_tf.augmentation import in_training
    from stylegan_tf.augmentation.sampling import RandomDraws
    from stylegan_tf.cpu import paths

    os.environ[paths.VARIABLE] = "gpu"
    settings, workload = automatic(workload)
    augmentation = in_training.make(settings)
    x = tf.zeros([workload.batch, workload.resolution, workload.resolution, workload.channels])

    def forward(x):
        return augmentation.apply(x, 0.5, RandomDraws(tf.constant([1, 2]), workload.batch))

    def gradient(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = forward(x)
        return y, tape.gradient(y, x, upstream)

    def penalty(x, upstream):  # R1's gradient by the weights of D, which `upstream` depends on
        with tf.GradientTape() as tape:
            tape.watch(upstream)
            y, by_image = gradient(x, upstream)
        return y, tape.gradient(by_image, upstream, by_image)

    counted = compiled if with_xla else lambda function, *tensors: count(tf.function(function).get_concrete_function(*tensors).graph)
    found = {"forward": counted(forward, x), "gradient": counted(gradient, x, x), "penalty": counted(penalty, x, x)}
    # D's real and generated images, G's with their gradient, and R1 in every 16th iteration.
    return {**found, "iteration": total(list(found.values()), [2, 1, 1 / 16])}


def automatic(workload):
    """The settings of stylegan2-auto at the resolution of a workload, and the workload with its minibatch."""
    from config import stylegan2_auto

    settings = stylegan2_auto(workload.resolution)
    return settings, dataclasses.replace(workload, batch=settings.schedule.minibatch_base)


def in_both_forms(counted) -> dict[str, dict[str, Passes]]:
    """What a function counts with plain operations and with the forms for GPUs."""
    from stylegan_tf.cpu import paths

    found = {}
    for name, setting in {"plain": "off", "gpu": "gpu"}.items():
        os.environ[paths.VARIABLE] = setting
        found[name] = counted()
    return found


def batches(workload):
    """An iterator over one black minibatch, again and again."""
    import tensorflow as tf

    images = np.zeros([workload.batch, workload.resolution, workload.resolution, workload.channels], np.uint8)
    return iter(tf.data.Dataset.from_tensors((images, np.zeros([workload.batch, 0], np.float32))).repeat())


CASES = {"iteration": iteration, "layer": layer, "drawing": drawing, "features": features, "stylegan2": stylegan2, "ada": ada}


def main() -> None:
    workload, options = parse(DESCRIPTION, resolution=256, fmap_max=512, batch=32, counted=list(CASES))
    from benchmarks import measure

    found = CASES[options.count](workload, with_xla=options.xla)
    for classes in found.values():
        classes["all"] = Passes(*np.sum(list(classes.values()), axis=0).tolist())
    print(f"{'kernels: all, large':20s}", *(f"{name:>38s}" for name in found))
    for kind in SHOWN:
        shown = [found[name].get(kind, Passes()) for name in found]
        cells = (f"{p.kernels:6,.0f} {p.large:6,.0f} {p.bytes / 1e9:8.2f} GB {1000 * p.sec:6.2f} ms" for p in shown)
        print(f"{kind:20s}", *(f"{cell:>38s}" for cell in cells))
    print(f"{'TFLOP':20s}", *(f"{classes['all'].flops / 1e12:38.2f}" for classes in found.values()))
    counted = {f"{name}_{kind}": [*passes] for name, classes in found.items() for kind, passes in classes.items()}
    measure.print_result({**vars(workload), "count": options.count, "xla": options.xla, **counted})


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
