"""Speed of generation: mapping and synthesis of G_ema, random noise, no truncation.

    python -m benchmarks.inference
    python -m benchmarks.inference --resolution 1024 --batch 1 --precision mixed_bfloat16

Prints one JSON line; asserts nothing.
"""

import sys

from benchmarks.options import parse
from stylegan_tf import command_line

DESCRIPTION = __doc__


def main() -> None:
    workload, options = parse(DESCRIPTION, resolution=256, fmap_max=512, batch=4)
    import tensorflow as tf

    from benchmarks import ceiling, flops, measure, profiles
    from stylegan_tf.training.compilation import with_xla

    G_ema = workload.networks()["G_ema"]
    z = tf.random.stateless_normal([workload.batch, G_ema.z_dim], [0, 0])

    draw = tf.function(with_xla(G_ema.sample, options.xla), autograph=False)

    def run():
        draw(z)[0, 0, 0, 0].numpy()

    run()
    first_step_sec = measure.process_age_sec()
    result = measure.summary(measure.repeat(run, repeats=options.repeats), workload.batch)
    found = ceiling.ceiling_tflops(workload)
    nominal = workload.synthesis_flops()
    if options.profile:
        profiles.print_profile(run, options.profile)
    measure.print_result({
        **vars(workload), "xla": options.xla, **result, "nominal_flops_per_image": nominal,
        "executed_flops_per_image": flops.executed_flops(draw.get_concrete_function(z).graph) / workload.batch,
        **found,
        "share_of_ceiling": result["images_per_sec"] * nominal / 1e12 / found["ceiling_tflops"], "first_step_sec": first_step_sec,
    })  # fmt: skip


if __name__ == "__main__":
    sys.exit(command_line.run(lambda _: main()))
