"""Cost of augmentation: milliseconds an image of the transforms alone, and of a training iteration with and without them.

    python -m benchmarks.augment
    python -m benchmarks.augment --fmap-base 512 --fmap-max 64 --batch 16     # as narrow as the preset leaves64
    python -m benchmarks.augment --resolution 32 --fmap-max 128 --batch 16

An iteration transforms each image three times: D's reals with R1 through them, D's fakes, and G's images. Runs with and without take
turns. Prints one JSON line a kind; asserts nothing.
"""

import dataclasses
import statistics
import sys

import numpy as np

from benchmarks.options import parse
from stylegan_tf import command_line

DESCRIPTION = __doc__
KINDS = {"ada blit": ("ada", "blit"), "ada bgc": ("ada", "bgc"), "ada bgcfnc": ("ada", "bgcfnc"), "diffaugment": ("diffaugment", "bgc")}
CHANCE = 0.5  # the cost does not depend on it


def main() -> None:
    workload, options = parse(DESCRIPTION, resolution=64, fmap_max=512, batch=8)
    import tensorflow as tf

    from benchmarks import measure
    from stylegan_tf import models
    from stylegan_tf.augmentation import in_training
    from stylegan_tf.augmentation.sampling import RandomDraws
    from stylegan_tf.settings import AugmentSettings
    from stylegan_tf.training.step import Trainer

    networks = workload.networks()
    shape = [workload.batch, workload.resolution, workload.resolution, workload.channels]
    images = np.random.RandomState(0).randint(0, 256, shape, np.uint8)
    batches = iter(tf.data.Dataset.from_tensors((images, np.zeros([workload.batch, 0], np.float32))).repeat())

    def iteration(augment):
        settings = dataclasses.replace(workload.settings(xla="on" if options.xla else "off"), augment=augment)
        trainer = Trainer(models.find("stylegan"), settings, **networks)
        return lambda: float(trainer.run(batches, workload.stage(), nimg=0)[0]["Gradients/G_norm"])

    def transforms(augment):
        """Forward alone, and with the gradient by the images."""
        augmentation = in_training.make(dataclasses.replace(workload.settings(), augment=augment))

        def apply(x, seed):
            return augmentation.apply(x, CHANCE, RandomDraws(seed, workload.batch))

        def differentiate(x, seed):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = apply(x, seed)
            return tape.gradient(y, x, y)

        x, seed = tf.cast(images, tf.float32) / 127.5 - 1.0, tf.constant([1, 2])
        functions = [tf.function(function, jit_compile=options.xla) for function in (apply, differentiate)]
        return [lambda function=function: float(function(x, seed)[0, 0, 0, 0]) for function in functions]

    plain = iteration(AugmentSettings())
    for name, (kind, pipe) in KINDS.items():
        augment = AugmentSettings(kind=kind, pipe=pipe, p=CHANCE)
        augmented = iteration(augment)
        times = {"plain": [], "augmented": []}
        for function in (plain, augmented):
            measure.repeat(function, repeats=0)
        for _ in range(options.repeats):
            times["plain"] += measure.repeat(plain, repeats=1, warmup=0)
            times["augmented"] += measure.repeat(augmented, repeats=1, warmup=0)
        forward, backward = (measure.repeat(function, repeats=options.repeats) for function in transforms(augment))
        without, with_it = (statistics.median(times[key]) for key in ("plain", "augmented"))
        measure.print_result({
            **vars(workload), "xla": options.xla, "kind": name,
            **milliseconds("forward", forward, workload.batch), **milliseconds("with_gradient", backward, workload.batch),
            **milliseconds("plain_iteration", times["plain"], workload.batch),
            **milliseconds("augmented_iteration", times["augmented"], workload.batch),
            "share_of_plain_iteration": with_it / without - 1,
            "share_by_smallest_times": min(times["augmented"]) / min(times["plain"]) - 1,
        })  # fmt: skip


def milliseconds(name: str, seconds: list[float], images: int) -> dict[str, float]:
    """Median, smallest and largest milliseconds an image."""
    values = [1000 * sec / images for sec in seconds]
    return {f"{name}_ms": statistics.median(values), f"{name}_ms_min": min(values), f"{name}_ms_max": max(values)}


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
