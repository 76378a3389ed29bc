"""What the benchmarks count, against figures worked out by hand or stated by the original release."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from benchmarks import paper_run
from benchmarks.flops import executed_flops
from benchmarks.workload import Workload

ROOT = Path(__file__).parents[1]


def test_full_width_at_64_is_276_gflop_an_image():
    assert Workload(resolution=64).training_flops() == pytest.approx(276e9, rel=0.003)


def test_operations_do_not_depend_on_batch_or_precision():
    assert Workload(batch=4, precision="mixed_bfloat16").training_flops() == Workload(batch=32).training_flops()


@pytest.mark.parametrize("resolution", paper_run.RESOLUTIONS)
def test_model_of_the_papers_run_meets_the_originals_own_times(resolution):
    counted = paper_run.hours(paper_run.V100_FLOAT32, paper_run.run_totals(resolution), paper_run.ACCESSES)
    assert counted == pytest.approx(paper_run.ORIGINAL_HOURS[resolution], rel=0.12)


def test_operations_inside_functions_are_counted():
    square = tf.function(lambda x: tf.matmul(x, x, transpose_a=True))

    @tf.function
    def step(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = tf.nn.conv2d(x, kernel, 2, "SAME")  # 2 * 3 * 4 * 4 * 5 outputs of 9 * 7 taps
            y = tf.nn.depthwise_conv2d(y, tf.ones([3, 3, 5, 1]), [1, 1, 1, 1], "SAME")
        square(tf.matmul(x[0, 0], x[0, 0], transpose_a=True))  # leads nowhere: not executed
        return y, tape.gradient(y, [x, kernel]), square(tf.ones([11, 13]))

    graph = step.get_concrete_function(tf.TensorSpec([3, 8, 8, 7]), tf.TensorSpec([3, 3, 7, 5])).graph
    conv, depthwise, matmul = 3 * 4 * 4 * 5 * 9 * 7, 3 * 4 * 4 * 5 * 9, 11 * 13 * 13
    assert executed_flops(graph) == 2 * (3 * conv + depthwise + matmul)  # forward, by x and by the kernel


NETWORK = {"images_per_sec", "images_per_sec_min", "images_per_sec_max", "share_of_ceiling", "nominal_flops_per_image",
           "executed_flops_per_image", "ceiling_tflops", "peak_rss_gb", "first_step_sec"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("train_step --resolution 8 --fmap-max 8 --batch 4 --repeats 1 --profile", NETWORK),
        ("train_step --resolution 8 --fmap-max 8 --batch 4 --repeats 1 --precision mixed_bfloat16", NETWORK),
        ("inference --resolution 16 --fmap-max 8 --repeats 1", NETWORK),
        ("explorer --resolution 16 --fmap-max 8 --repeats 1", {"images_per_sec", "network_ms", "network_ms_max", "peak_rss_gb"}),
        (
            "pipeline --resolution 16 --num-images 8 --batch-size 4 --repeats 1",
            {"write_png", "write_raw", "raw", "png", "jpeg", "peak_rss_gb"},
        ),
        ("dataset_tool --num-images 4 --repeats 1", {"pass through", "encode anew", "resize", "jpeg to jpeg", "raw"}),
        ("metrics --only frechet --repeats 1", {"frechet", "peak_rss_gb"}),
        (
            "augment --resolution 8 --fmap-max 8 --batch 4 --repeats 1",
            {"kind", "forward_ms", "with_gradient_ms_max", "share_of_plain_iteration", "peak_rss_gb"},
        ),
        ("growth --resolution 8 --fmap-max 8 --batch 4 --cycles 2", {"peak_mb_by_cycle", "mb_a_stage"}),
    ],
)
def test_every_benchmark_prints_its_line(command, keys):
    done = subprocess.run([sys.executable, "-m", *f"benchmarks.{command}".split()], cwd=ROOT, capture_output=True, text=True, check=True)
    assert keys <= json.loads(done.stdout.splitlines()[-1]).keys()
