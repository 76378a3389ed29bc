"""Hostile files: no reader runs code in them, allocates memory without bound, or fails with anything but a UserError."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stylegan_tf.inference import latents
from stylegan_tf.safe_pickle import read_pickle, write_pickle
from tests import hostile_arrays, hostile_pickles

CHECKOUT = Path(__file__).parents[1]
MEGABYTES = 1024  # above what is in use when reading starts


def read_all(reader, folder, megabytes=MEGABYTES):
    """What came of each file of a folder, read in another process."""
    command = [sys.executable, "-m", "tests.hostile_reader", reader, str(folder), str(megabytes)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def write_all(folder, files, suffix=".pkl"):
    for number, content in enumerate(files.values()):
        (folder / f"{number:03d}{suffix}").write_bytes(content)
    return {f"{number:03d}{suffix}": kind for number, kind in enumerate(files)}


def assert_harmless(results, kinds, *, allowed=("UserError",)):
    """`allowed`: a damaged copy may well still be a whole file ("value"); a hostile one never is."""
    problems = []
    for name, result in results.items():
        kind = kinds.get(name, name)
        if result["events"]:
            problems.append(f"{kind}: ran {result['events']}")
        if result["outcome"] not in allowed:
            problems.append(f"{kind}: {result['outcome']} {result['message'][:200]}")
        elif len(result["message"]) > 1000 or "\x1b" in result["message"]:
            problems.append(f"{kind}: message of {len(result['message'])} characters {result['message'][:200]!r}")
    assert not problems, f"{len(problems)} problems\n" + "\n".join(problems[:20])


def test_there_are_enough_kinds():
    assert len(hostile_pickles.FILES) >= 150


@pytest.mark.parametrize("reader", ["read_pickle", pytest.param("official", marks=pytest.mark.slow)])
def test_pickles_do_nothing(tmp_path, reader):
    kinds = write_all(tmp_path, hostile_pickles.FILES)
    results = read_all(reader, tmp_path)
    assert set(results) == set(kinds)
    assert_harmless(results, kinds)


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["load", "state"])
def test_snapshots_and_states_do_nothing(tmp_path, reader):
    kinds = write_all(tmp_path, hostile_pickles.FILES)
    assert_harmless(read_all(reader, tmp_path), kinds)


def test_pickles_behind_our_own_first_bytes(tmp_path):  # what decides whose file it is must not decide how it is read
    start = b"\x80\x04\x8c\x14stylegan_tf networks0"
    kinds = write_all(tmp_path, {kind: start + content[2:] for kind, content in hostile_pickles.FILES.items() if content[:1] == b"\x80"})
    assert_harmless(read_all("load", tmp_path), kinds)


def test_weights_of_metrics_do_nothing(tmp_path):
    kinds = write_all(tmp_path, {k: v for k, v in hostile_pickles.FILES.items() if k.startswith(("call", "array", "claim"))})
    assert_harmless(read_all("weights", tmp_path), kinds)


def test_latents_do_nothing(tmp_path):
    kinds = write_all(tmp_path, {k: v for k, v in hostile_pickles.FILES.items() if not k.startswith("bomb")}, ".npy")
    (tmp_path / "bomb.npz").write_bytes(hostile_pickles.zip_bomb(1100))
    header = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }" % (1 << 36)
    (tmp_path / "claim.npy").write_bytes(header.ljust(127) + b"\n" + bytes(100))
    (tmp_path / "objects.npy").write_bytes(header.replace(b"'<f4'", b"'|O' ").ljust(127) + b"\n" + bytes(100))
    assert_harmless(read_all("latents", tmp_path), kinds)


@pytest.mark.parametrize(
    ("reader", "suffix"),
    [("read_npy", ".npy"), ("map_npy", ".npy"), ("read_npz", ".npz"), ("weights", ".npz"), ("latents", ".npz")],
)
def test_arrays_do_nothing(tmp_path, reader, suffix):
    kinds = write_all(tmp_path, hostile_arrays.NPY if suffix == ".npy" else hostile_arrays.npz_files(), suffix)
    results = read_all(reader, tmp_path, 600)
    assert set(results) == set(kinds)
    assert_harmless(results, kinds)
    assert max(result["megabytes"] for result in results.values()) < 100


def test_odd_files_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.pkl")
    (tmp_path / "folder.pkl").mkdir()
    (tmp_path / "zero.pkl").symlink_to("/dev/zero")
    (tmp_path / "nowhere.pkl").symlink_to(tmp_path / "none")
    (tmp_path / "loop.pkl").symlink_to(tmp_path / "loop.pkl")
    assert_harmless(read_all("read_pickle", tmp_path), {})
    assert_harmless(read_all("official", tmp_path), {})
    assert_harmless(read_all("read_npy", tmp_path), {})
    assert_harmless(read_all("read_npz", tmp_path), {})


def false_claims(snapshot):
    """Copies of a whole snapshot with one impossible value each, by what is wrong."""
    wrong = {"none": None, "text": "x", "list": [1], "array": np.zeros(3), "nan": float("nan"), "huge": 10**12}
    for name in snapshot:
        yield f"without {name}", {key: value for key, value in snapshot.items() if key != name}
        for kind, value in wrong.items():
            yield f"{name} is {kind}", snapshot | {name: value}
    for config in ("G_config", "D_config", "G_settings", "D_settings", "shape"):  # files of version 1 and of version 2
        for name in snapshot.get(config, ()):
            for kind, value in wrong.items():
                yield f"{config} {name} is {kind}", snapshot | {config: snapshot[config] | {name: value}}
    for network in ("G", "D", "G_ema"):
        name = list(snapshot[network])[2]
        for kind, value in {**wrong, "small": np.zeros((1, 1)), "complex": snapshot[network][name] * 1j}.items():
            yield f"{network} {name} is {kind}", snapshot | {network: snapshot[network] | {name: value}}
    for lod in (-1.0, 99.0, float("inf")):
        yield f"lod {lod}", snapshot | {"lod": lod}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ours.pkl", "version1.pkl"])
def test_snapshots_with_false_claims(whole_files, tmp_path, name):
    whole = read_pickle(whole_files / name)
    kinds = {}
    for number, (kind, value) in enumerate(false_claims(whole)):
        write_pickle(tmp_path / f"{number:04d}.pkl", value)
        kinds[f"{number:04d}.pkl"] = kind
    results = read_all("load", tmp_path, 2048)
    assert_harmless(results, kinds, allowed=("UserError", "value"))


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """A small file of every kind that we read, all of them in order."""
    from stylegan_tf import snapshot
    from tests.inference.small_network import small_discriminator, small_generator
    from tests.legacy.official_files import official_bytes
    from tests.metrics.weights_files import TorchWriter

    folder = tmp_path_factory.mktemp("whole")
    G = small_generator()
    snapshot.save_networks(folder / "ours.pkl", snapshot.Networks(G, small_discriminator(), G, dataset={"name": "x"}, config={"a": [1]}))
    (folder / "version1.pkl").write_bytes((CHECKOUT / "tests" / "golden" / "snapshot_v1.pkl").read_bytes())
    snapshot.save_state(folder / "state.pkl", {"nimg": 1, "moments": {"a": np.ones(4)}, "list": [1, (2, None)], "set": {1}})
    for protocol in (2, 4, 5):
        (folder / f"official{protocol}.pkl").write_bytes(official_bytes(protocol=protocol))
    latents.save_latents(folder / "latents.npz", z=np.ones((2, 3), np.float32))
    latents.save_latents(folder / "latents.npy", z=np.ones((2, 3), np.float32))
    weights = {"conv.weight": np.ones((2, 3, 3, 3), np.float32), "conv.bias": np.zeros(2, np.float32), "count": np.array(0, np.int64)}
    TorchWriter(weights).write_zip(folder / "weights.pth")
    TorchWriter(weights).write_legacy(folder / "old.pth")
    np.savez(folder / "weights.npz", **weights)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "name", "count"),
    [
        ("read_pickle", "ours.pkl", 4000),
        ("state", "state.pkl", 4000),
        ("official", "official2.pkl", 3000),
        ("official", "official4.pkl", 3000),
        ("official", "official5.pkl", 3000),
        ("load", "ours.pkl", 300),
        ("load", "version1.pkl", 300),
        ("load", "official4.pkl", 300),
        ("latents", "latents.npz", 2000),
        ("latents", "latents.npy", 2000),
        ("torch", "weights.pth", 3000),
        ("torch", "old.pth", 3000),
        ("read_npz", "weights.npz", 2000),
    ],
)
def test_damaged_copies_do_nothing(whole_files, tmp_path, reader, name, count):
    base = tmp_path / name
    base.write_bytes((whole_files / name).read_bytes())
    base.with_suffix(".count").write_text(str(count))
    results = read_all(reader, base)
    assert len(results) == count
    assert_harmless(results, {}, allowed=("UserError", "value"))
    refused = sum(result["outcome"] == "UserError" for result in results.values())
    assert refused > count // 4  # the damage does something
