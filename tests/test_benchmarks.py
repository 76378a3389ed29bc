"""What the benchmarks count, against figures worked out by hand or stated by the original release."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from benchmarks import ceiling, counting, gpu, paper_run, profiles, programs
from benchmarks.flops import executed_flops
from benchmarks.workload import Workload

ROOT = Path(__file__).parents[1]


def test_full_width_at_64_is_276_gflop_an_image():
    assert Workload(resolution=64).training_flops() == pytest.approx(276e9, rel=0.003)


def test_operations_do_not_depend_on_batch_or_precision():
    assert Workload(batch=4, precision="mixed_bfloat16").training_flops() == Workload(batch=32).training_flops()


@pytest.mark.parametrize("resolution", paper_run.RESOLUTIONS)
def test_model_of_the_papers_run_meets_the_originals_own_times(resolution):
    counted = paper_run.hours(paper_run.V100_FLOAT32, paper_run.run_totals(resolution), paper_run.ORIGINAL_ACCESSES)
    assert counted == pytest.approx(paper_run.ORIGINAL_HOURS[resolution], rel=0.12)


@pytest.mark.parametrize(("images_per_sec", "accesses"), [(121, paper_run.ACCESSES), (518, paper_run.FUSED_ACCESSES)])
def test_model_of_the_papers_run_meets_the_speeds_measured_on_an_h200(images_per_sec, accesses):
    values = paper_run.PASSES * paper_run.values_moved(256)
    seconds = 3600 * paper_run.hours(paper_run.GPUS[-1], (Workload(256).training_flops(), values), accesses)
    assert 1 / seconds == pytest.approx(images_per_sec, rel=0.05)


def test_hours_in_the_documents_are_those_of_the_program(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["paper_run"])
    paper_run.main()
    documented = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.partition("\n\n")[0] in documented


@pytest.mark.parametrize(("gpus", "in_flight"), [(["/GPU:0"], 30), ([], 1)])
def test_the_ceiling_of_a_gpu_has_many_operations_in_flight(gpus, in_flight, monkeypatch):
    """With one, waiting for the host took longer than the operation: 115 to 207 TFLOP/s in place of 784."""
    calls, waits = [], []
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf, "function", lambda operation, autograph: operation)
    monkeypatch.setattr(ceiling, "_wait_for", waits.append)
    assert ceiling._best_sec(lambda: calls.append(0), repeats=2) > 0
    assert (len(calls), len(waits)) == (1 + 2 * in_flight, 3)


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


def test_kernels_and_their_bytes_are_counted_by_class():
    @tf.function
    def step(x, kernel):
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tf.reduce_sum(tf.reshape(tf.nn.relu(y[:, None]) + 1.0, [-1]), axis=0)  # a slice of everything is not a kernel

    counted = counting.count(step.get_concrete_function(tf.TensorSpec([2, 8, 8, 3]), tf.TensorSpec([1, 1, 3, 5])).graph)
    image, result, weights = 4 * 2 * 8 * 8 * 3, 4 * 2 * 8 * 8 * 5, 4 * 3 * 5
    assert counted["products"][:4] == (1, 0, image + weights + result, 2 * 2 * 8 * 8 * 3 * 5)
    assert counted["elementwise"][:3] == (2, 0, 2 * 2 * result + 4)  # both read and write; the 1 is a number
    assert counted["reductions"][:3] == (1, 0, result + 4 + 4)


def test_a_kernel_takes_the_longer_of_its_two_least_times():
    moved, flops = 3.35e12, 989e12 * paper_run.MATRIX_SHARE  # of an H100 in a second, in bfloat16
    assert counting.Passes().with_one(moved, flops / 2).sec == pytest.approx(1)
    assert counting.Passes().with_one(moved, 3 * flops).sec == pytest.approx(3)
    assert counting.Passes().with_one(moved, 3 * flops, rate=flops / 2).sec == pytest.approx(6)


def test_a_mean_iteration_is_the_sum_of_its_steps():
    steps = [{"moves": counting.Passes(2, 1, 8.0)}, {"moves": counting.Passes(4, 0, 4.0), "blur": counting.Passes(8, 8, 16.0)}]
    assert counting.total(steps, [1, 1 / 4]) == {"moves": (3, 1, 9.0, 0, 0), "blur": (2, 2, 4.0, 0, 0)}


def test_kernels_of_a_program_of_xla_are_counted():
    program = """HloModule step
fused_computation { ROOT add.1 = f32[4,2]{1,0} add(f32[4,2]{1,0} a, f32[4,2]{1,0} b) }
ENTRY main {
  x.1 = bf16[4,2]{1,0} parameter(0)
  kernel.2 = f32[2,2]{1,0} parameter(1)
  loop.3 = f32[4,2]{1,0} fusion(x.1), kind=kLoop, calls=fused_computation
  ROOT dot.4 = f32[4,2]{1,0} dot(loop.3, kernel.2), lhs_contracting_dims={1}
}"""
    counted = {kind: found[:3] for kind, found in counting.count_compiled(program).items()}
    assert counted == {"elementwise": (1, 0, 16 + 32), "products": (1, 0, 32 + 16 + 32)}


def test_kernels_of_a_profile_are_summed_by_class():
    space = profiles.XSpace()
    plane = space.planes.add(name="/device:GPU:0")
    names = ["sm90_xmma_fprop_implicit_gemm_bf16", "void tensorflow::BiasGradNHWC_SharedAtomics", "Mul_GPU_DT_BFLOAT16_kernel", "MemcpyD2H"]
    for number, name in enumerate(names):
        plane.event_metadata[number].name = name
    for line_name in ("Stream #17(Compute)", "Stream #20(MemcpyD2H)", "TensorFlow Ops"):  # the last repeats what the streams have
        line = plane.lines.add(name=line_name)
        for number in range(3) if "Compute" in line_name else [3] if "Memcpy" in line_name else range(4):
            line.events.add(metadata_id=number, duration_ps=int((number + 1) * 1e9))
    space.planes.add(name="/host:CPU").lines.add(name="Stream of the host").events.add(metadata_id=0, duration_ps=10**12)
    times = profiles.kernels(space)
    assert times == dict(zip(names, [1.0, 2.0, 3.0, 4.0], strict=True))
    assert profiles.by_class(times) == {"convolutions and products": 1.0, "reductions": 2.0, "elementwise": 3.0, "copies": 4.0}


def test_results_of_several_benchmarks_are_one_table():
    rows = {"256x256": {"images_per_sec": 121.4, "first_step_sec": 42.0, "batch": 32}, "256x256 XLA": {"images_per_sec": 518.2}, "lost": {}}
    assert programs.table(rows).splitlines() == [
        "| | images_per_sec | first_step_sec |",
        "| --- | ---: | ---: |",
        "| 256x256 | 121 | 42 |",
        "| 256x256 XLA | 518 | - |",
        "| lost | - | - |",
    ]


def test_a_benchmark_that_fails_or_takes_too_long_does_not_end_the_others():
    row, printed = programs.run(["train_step", "--resolution", "7"])
    assert row == {}
    assert printed.startswith("exit code 2: error: ")
    assert programs.run(["train_step"], limit_sec=0.01) == ({}, "not done after 0 s")


def test_what_a_benchmark_printed_before_its_time_ended_counts(monkeypatch):
    def stopped(command, **options):
        raise subprocess.TimeoutExpired(command, 5, output=b'Profile.\n{"images_per_sec": 7.5}\n{"images_pe')

    monkeypatch.setattr(subprocess, "run", stopped)
    row, printed = programs.run(["train_step"])
    assert row == {"images_per_sec": 7.5, "stopped_after_sec": 5}
    assert printed.endswith("not done after 5 s")


@pytest.mark.parametrize("program", [*gpu.chosen(False), *gpu.chosen(True)], ids=lambda program: program.name)
def test_benchmarks_for_a_gpu_know_their_options(program, monkeypatch):
    name, *arguments = program.arguments.split()
    monkeypatch.setattr(sys, "argv", [name, *arguments, "--help"])  # what is before --help is checked first
    with pytest.raises(SystemExit) as end:
        importlib.import_module(f"benchmarks.{name}").main()
    assert end.value.code == 0


def test_flags_of_a_benchmark_for_a_gpu_follow_those_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    assert gpu.Program("name", "train_step", 1, xla_flags=gpu.PARALLEL).environment(tmp_path) == {
        "XLA_FLAGS": f"--xla_dump_to=x {gpu.PARALLEL}"
    }
    assert set(gpu.Program("name", "train_step", 1, has_cache=True).environment(tmp_path)) == {"XLA_FLAGS", "TF_XLA_FLAGS"}


def test_benchmarks_for_a_gpu_go_on_where_the_time_ended(monkeypatch, tmp_path, capsys):
    called = []

    def run(arguments, *, limit_sec, environment):
        called.append(arguments)
        rows = {2: {}, 4: {"images_per_sec": 3.0, "stopped_after_sec": 5}}
        return rows.get(len(called), {"images_per_sec": 3.0}), "exit code 2"

    monkeypatch.setattr(programs, "run", run)
    monkeypatch.setattr(sys, "argv", ["gpu", "--small", "--out", str(tmp_path)])
    gpu.main()
    assert len(called) == len(gpu.chosen(True))
    gpu.main()
    # Those that had failed or were stopped; the folder of a profile differs.
    shown = [[argument for argument in arguments if "/" not in argument] for arguments in called]
    assert shown[len(gpu.chosen(True)) :] == [shown[1], shown[3]]
    assert capsys.readouterr().out.count("| 256x256 XLA | 3 |") == 2


NETWORK = {"images_per_sec", "images_per_sec_min", "images_per_sec_max", "share_of_ceiling", "nominal_flops_per_image",
           "executed_flops_per_image", "ceiling_tflops", "peak_rss_gb", "first_step_sec"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("train_step --resolution 8 --fmap-max 8 --batch 4 --repeats 1 --profile", NETWORK),
        ("train_step --resolution 8 --fmap-max 8 --batch 4 --repeats 1 --precision mixed_bfloat16", NETWORK),
        (
            "train_step --resolution 8 --fmap-max 8 --batch 4 --repeats 1 --background --stage-change",
            NETWORK | {"compiled_sec", "images_per_sec_meanwhile", "prepared_sec", "stage_change_sec"},
        ),
        ("inference --resolution 16 --fmap-max 8 --repeats 1 --xla", NETWORK),
        ("explorer --resolution 16 --fmap-max 8 --repeats 1", {"images_per_sec", "network_ms", "network_ms_max", "peak_rss_gb"}),
        (
            "pipeline --resolution 16 --num-images 8 --batch-size 4 --repeats 1",
            {"raw", "png", "jpeg", "peak_rss_gb"},
        ),
        ("dataset_tool --num-images 4 --repeats 1", {"pass through", "encode anew", "resize", "jpeg to jpeg", "raw"}),
        ("metrics --only frechet --repeats 1", {"frechet", "peak_rss_gb"}),
        (
            "augment --resolution 8 --fmap-max 8 --batch 4 --repeats 1",
            {"kind", "forward_ms", "with_gradient_ms_max", "share_of_plain_iteration", "peak_rss_gb"},
        ),
        ("passes --resolution 8 --fmap-max 8 --batch 4", {"plain_products", "gpu_elementwise"}),
        ("passes --count drawing --resolution 8 --fmap-max 8 --batch 4", {"plain_all", "gpu_all"}),
        ("passes --count layer --resolution 8 --fmap-max 8 --batch 4", {"plain, gradient_all", "gpu_elementwise"}),
        ("passes --count ada --resolution 16", {"forward_all", "penalty_moves", "iteration_all"}),
        ("passes --count stylegan2 --resolution 16", {"gpu_products", "gpu_all"}),
        ("layers --side 8 --maps 8 --batch 2 --repeats 1 --precision mixed_bfloat16", {"adain, gpu, d", "sums by product, f"}),
        ("growth --resolution 8 --fmap-max 8 --batch 4 --cycles 2", {"peak_mb_by_cycle", "mb_a_stage"}),
    ],
)
def test_every_benchmark_prints_its_line(command, keys):
    done = subprocess.run([sys.executable, "-m", *f"benchmarks.{command}".split()], cwd=ROOT, capture_output=True, text=True, check=True)
    assert keys <= json.loads(done.stdout.splitlines()[-1]).keys()
