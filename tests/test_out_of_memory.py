"""Errors of exhausted memory in their several forms, and the messages of the programs. Training: training/test_faults.py."""

import http.client
import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import generate
import metrics.bench
from metrics import evaluate
from metrics.options import Options
from stylegan_tf import command_line, nvidia, out_of_memory
from stylegan_tf.errors import UserError
from stylegan_tf.inference.explorer.server import ExplorerServer

CARD = nvidia.Card("NVIDIA L4", (8, 9), 24.2, 23.9)
OOM = tf.errors.ResourceExhaustedError
# Messages of TensorFlow 2.21, of XLA, and of CUDA's libraries through TensorFlow.
GPU_ERRORS = [
    (OOM, "{{function_node __wrapped__AddV2_device_/job:localhost/replica:0/task:0/device:GPU:0}} failed to allocate memory [Op:AddV2]"),
    (OOM, "OOM when allocating tensor with shape[32,64,256,256] and type bfloat16 on /job:localhost/device:GPU:0 by allocator GPU_0_bfc"),
    (OOM, "Out of memory while trying to allocate 17179869184 bytes. [Op:__inference_traced_1]"),
    (OOM, "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 68719476736 bytes.\nBufferAssignment OOM Debugging."),
    (
        tf.errors.InternalError,
        "Failed copying input tensor from CPU:0 to GPU:0: Dst tensor is not initialized.",
    ),
    (tf.errors.InternalError, "Failed to allocate request for 1.00GiB (1073741824B) on device ordinal 0"),
    (tf.errors.InternalError, "CUDA runtime implicit initialization on GPU:0 failed. Status: CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
    (tf.errors.UnknownError, "Failed to create cuBLAS handle: CUBLAS_STATUS_ALLOC_FAILED"),
    (
        tf.errors.NotFoundError,
        "No algorithm worked!  Error messages:\n  Profiling failure on CUDNN engine 1: RESOURCE_EXHAUSTED: Out of memory while trying to "
        "allocate 16777232 bytes. [Op:Conv2D]",
    ),
]


@pytest.mark.parametrize(("kind", "text"), GPU_ERRORS)
def test_forms_of_exhausted_memory_of_a_gpu(kind, text, monkeypatch):
    monkeypatch.setattr(nvidia, "other_programs", lambda: ["blender (pid 77) 21.0 GB"])
    error = kind(None, None, text)
    assert out_of_memory.is_out_of_memory(error)
    assert out_of_memory.holders(error) == "Other programs hold memory of the GPU: blender (pid 77) 21.0 GB. "


@pytest.mark.parametrize(
    "error",
    [
        OOM(None, None, "events.out.tfevents.1; No space left on device"),
        OOM(None, None, "leaves-r05.tfrecords; Too many open files"),
        tf.errors.NotFoundError(None, None, "No algorithm worked!  Error messages:\n  CUDNN_STATUS_NOT_SUPPORTED"),
        ValueError("out of memory"),
        UserError("Out of memory."),
    ],
)
def test_other_errors(error):
    assert not out_of_memory.is_out_of_memory(error)


def test_memory_of_this_machine(monkeypatch):
    """Real errors of NumPy and TensorFlow, for 1 PB on the CPU."""
    monkeypatch.setattr(nvidia, "other_programs", lambda: pytest.fail("the GPU does not matter"))
    for allocate in (lambda: np.zeros(2**48), lambda: tf.zeros(2**48)):
        with tf.device("CPU:0"), pytest.raises((MemoryError, OOM)) as raised:
            allocate()
        assert out_of_memory.is_out_of_memory(raised.value)
        assert out_of_memory.holders(raised.value) == ""


def test_use_of_the_cards_where_programs_are_not_known(monkeypatch):
    """In a container, and if the memory was exhausted before this process had any."""
    error = OOM(None, None, GPU_ERRORS[0][1])
    monkeypatch.setattr(nvidia, "other_programs", list)
    monkeypatch.setattr(nvidia, "read_driver", lambda: nvidia.Driver("580.1", (CARD,)))
    assert out_of_memory.holders(error) == "23.9 of 24.2 GB of NVIDIA L4 are in use. "
    monkeypatch.setattr(nvidia, "read_driver", lambda: None)
    assert out_of_memory.holders(error) == ""


def fail(*_, **__):
    raise OOM(None, None, GPU_ERRORS[0][1])


@pytest.fixture
def held(monkeypatch):
    monkeypatch.setattr(nvidia, "other_programs", lambda: ["python3 (pid 4321) 20.1 GB"])
    return "Out of memory. Other programs hold memory of the GPU: python3 (pid 4321) 20.1 GB. "


@pytest.mark.parametrize(("batch", "advice"), [("8", "--batch 4 (half as many images at once, same images), or --device cpu."),
                                               ("1", "--device cpu.")])  # fmt: skip
def test_generate_names_the_option_that_halves_it(held, monkeypatch, capsys, tmp_path, batch, advice):
    monkeypatch.setitem(generate.COMMANDS, "images", (*generate.COMMANDS["images"][:2], fail))
    outdir = str(tmp_path / "out")
    assert command_line.run(generate.main, ["images", "--network", "x.pkl", "--seeds", "1", "--batch", batch, "--outdir", outdir]) == 2
    assert capsys.readouterr().err == f"error: {held}Try {advice}\n"
    assert not os.path.exists(outdir)


def test_the_explorer_has_no_batch(held, monkeypatch, capsys):  # it did not start: the advice read --batch
    monkeypatch.setitem(generate.COMMANDS, "explore", (*generate.COMMANDS["explore"][:2], fail))
    assert command_line.run(generate.main, ["explore", "--network", "x.pkl"]) == 2
    assert capsys.readouterr().err == f"error: {held}Try --device cpu.\n"


def test_metrics_name_the_option_that_halves_it(held, monkeypatch):
    bench = SimpleNamespace(resolution=256)
    monkeypatch.setattr(metrics.bench, "Bench", lambda *_: bench)
    monkeypatch.setattr(evaluate, "check_suits", lambda *_: None)
    monkeypatch.setattr(evaluate, "request_of", lambda *_: "")
    monkeypatch.setattr(evaluate, "_score", fail)
    with pytest.raises(UserError) as raised:
        evaluate.evaluate(SimpleNamespace(model="x"), [SimpleNamespace(check_size=lambda _: None)], Options(), dataset=SimpleNamespace())
    assert str(raised.value) == f"{held}Try python -m metrics with --batch-size 16 (half as many images at a time, same scores)."


def test_the_explorer_does_not_call_it_a_bug(held):
    server = ExplorerServer("127.0.0.1", 0, SimpleNamespace(requests={"image": fail}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    connection.request("POST", "/api/image", b"{}", {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert f"{held}Try generate.py explore --device cpu." in answer.read().decode()
    assert answer.status == 400
    server.shutdown()
    server.server_close()
