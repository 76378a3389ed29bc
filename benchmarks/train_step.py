"""Speed of a whole training iteration: D with R1, G, both averages, style mixing.

    python -m benchmarks.train_step
    python -m benchmarks.train_step --resolution 32 --fmap-max 128 --batch 16
    python -m benchmarks.train_step --precision mixed_bfloat16 --profile --stage-change
    python -m benchmarks.train_step --background --stage-change                    # run.xla=auto on one GPU
    python -m benchmarks.train_step --resolution 256 --batch 32 --compare          # both precisions, without and with XLA
    python -m benchmarks.train_step --resolution 8 --fmap-max 8 --batch 4 --repeats 2 --compare        # tries it on a CPU

Prints one JSON line, and with --stage-change the same line again with its time; with --compare a table in Markdown. Asserts nothing.
"""

import sys
import time

import numpy as np

from benchmarks import programs
from benchmarks.options import parse
from stylegan_tf import command_line
from stylegan_tf.errors import UserError

DESCRIPTION = __doc__


def main() -> None:
    if "--compare" in sys.argv:
        print(compared([argument for argument in sys.argv[1:] if argument != "--compare"]))
        return
    workload, options = parse(DESCRIPTION, resolution=64, fmap_max=512, batch=8, is_training=True)
    import tensorflow as tf

    from benchmarks import ceiling, flops, measure, profiles
    from stylegan_tf import models
    from stylegan_tf.training.step import Trainer

    compilation = "background" if options.background else "foreground" if options.xla else "off"
    trainer = Trainer(models.find("stylegan"), workload.settings(), **workload.networks(), xla=compilation)
    shape = [workload.batch, workload.resolution, workload.resolution, workload.channels]
    images = np.random.RandomState(0).randint(0, 256, shape, np.uint8)
    batches = iter(tf.data.Dataset.from_tensors((images, np.zeros([workload.batch, 0], np.float32))).repeat())

    def step():
        (statistics,) = trainer.run(batches, workload.stage(), nimg=0)
        float(statistics["Loss/G"]), float(statistics["Gradients/G_norm"])

    step()
    first_step_sec = measure.process_age_sec()
    meanwhile = steps_while_compiling(trainer, step, workload.batch) if options.background else {}
    result = measure.summary(measure.repeat(step, repeats=options.repeats), workload.batch)
    found = ceiling.ceiling_tflops(workload)
    nominal = workload.training_flops()
    if options.profile:
        profiles.print_profile(step, options.profile)
    result = {
        **vars(workload), "xla": compilation, **result, "nominal_flops_per_image": nominal,
        "executed_flops_per_image": flops.executed_flops(trainer.trace(batches, workload.stage(), nimg=0).graph) / workload.batch,
        **found,
        "share_of_ceiling": result["images_per_sec"] * nominal / 1e12 / found["ceiling_tflops"], "first_step_sec": first_step_sec,
        **meanwhile,
    }  # fmt: skip
    measure.print_result(result)
    if options.stage_change:  # with its compilation, it can take longer than everything before
        next_stage = workload.stage(lod=0.5)
        if options.background:
            trainer.prepare(batches, next_stage, nimg=0)
            result["prepared_sec"] = steps_while_compiling(trainer, step, workload.batch)["compiled_sec"]
        result["stage_change_sec"] = seconds_of_new_stage(trainer, batches, next_stage)
        measure.print_result(result)


def compared(arguments: list[str]) -> str:
    """Markdown: this benchmark in both precisions, without and with XLA. Raises UserError where one of the four fails."""
    rows = {}
    for precision in ("float32", "mixed_bfloat16"):
        for xla in ([], ["--xla"]):
            name = f"{precision}{', XLA' if xla else ''}"
            rows[name], printed = programs.run(["train_step", *arguments, "--precision", precision, *xla])
            if not rows[name]:
                raise UserError(f"{name}: {printed}")
    return programs.table(rows)


def steps_while_compiling(trainer, step, batch: int) -> dict[str, float]:
    """Runs steps until nothing is compiled in the background: the seconds that takes, and the images/s meanwhile."""
    start, count = time.perf_counter(), 0
    while not trainer.compiler.is_idle:
        step()
        count += 1
    seconds = time.perf_counter() - start
    return {"compiled_sec": seconds, "images_per_sec_meanwhile": count * batch / seconds}


def seconds_of_new_stage(trainer, batches, stage) -> float:
    """From the last step of a stage to the first of the next one, that step included: here the fade into this resolution."""
    start = time.perf_counter()
    trainer.forget_traces(stage)
    float(trainer.run(batches, stage, nimg=0)[0]["Loss/G"])
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
