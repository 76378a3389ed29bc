"""ONNX files compute what the generator computes, and are refused where they do not."""

import json

import numpy as np
import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.inference.export.agreement import check_agreement
from stylegan_tf.inference.export.saved_model import ExportedGenerator, ExportedStyleGenerator
from stylegan_tf.models.dcgan.networks import DCGANGenerator
from stylegan_tf.models.dcgan.settings import GeneratorSettings as DCGANSettings
from stylegan_tf.models.stylegan2.generator import StyleGAN2Generator
from stylegan_tf.models.stylegan2.settings import GeneratorSettings as StyleGAN2Settings
from stylegan_tf.seeds import latents_from_seeds
from tests.inference.small_network import small_generator

onnx = pytest.importorskip("onnx", reason="needs the extra `onnx`")
ort = pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
onnx_files = pytest.importorskip("stylegan_tf.inference.export.onnx_files", reason="needs the extra `onnx`")


def compute(content, **inputs):
    """The output of an ONNX file for inputs by name."""
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {name: np.asarray(value, np.float32) for name, value in inputs.items()})[0]


@pytest.mark.parametrize("opset", [18, pytest.param(15, marks=pytest.mark.slow)])
def test_networks_with_classes_noise_and_truncation(opset):
    G = small_generator(label_size=3)
    G.w_avg.assign(np.linspace(-1, 1, 5))
    exported = ExportedStyleGenerator(G, psi=0.6, cutoff=2)
    written = onnx_files.onnx_networks(exported, opset=opset, about={"class_names": ["a", "b", "c"]})
    files = {name: content for name, (content, _) in written.items()}
    assert list(files) == ["mapping", "synthesis", "generator"]
    model = onnx.load_from_string(files["generator"])
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == opset
    assert [value.type.tensor_type.shape.dim[0].dim_param for value in model.graph.input[:2]] == ["N", "N"]
    assert {entry.key: json.loads(entry.value) for entry in model.metadata_props} == {"class_names": ["a", "b", "c"]}

    z, labels = latents_from_seeds([5, 6, 7], 4), np.eye(3)[[2, 0, 1]].astype(np.float32)
    for psi in (0.6, 0.0, -1.0):
        expected = G(z, labels, truncation_psi=psi, truncation_cutoff=2, noise_mode="const")
        images = compute(files["generator"], z=z, labels=labels, psi=psi)
        np.testing.assert_allclose(images, expected, atol=1e-4)
        ws = compute(files["mapping"], z=z, labels=labels, psi=psi)
        np.testing.assert_allclose(compute(files["synthesis"], ws=ws), expected, atol=1e-4)


@pytest.mark.slow
def test_stylegan2():
    settings = StyleGAN2Settings(z_dim=4, w_dim=5, mapping_layers=1, fmap_base=32, fmap_max=4)
    G = StyleGAN2Generator(settings, resolution=8)
    (content, difference), *_ = onnx_files.onnx_networks(ExportedStyleGenerator(G, psi=0.7), names=["generator"]).values()
    assert difference < 1e-4
    z = latents_from_seeds([5, 6, 7], 4)
    np.testing.assert_allclose(compute(content, z=z, psi=0.7), G(z, truncation_psi=0.7, noise_mode="const"), atol=1e-4)


def test_a_model_without_styles_and_a_fixed_batch():
    G = DCGANGenerator(DCGANSettings(z_dim=4, fmaps=2), resolution=16)
    written = onnx_files.onnx_networks(ExportedGenerator(G), batch_size=2)
    assert list(written) == ["generator"]
    z = latents_from_seeds([5, 6], 4)
    np.testing.assert_allclose(compute(written["generator"][0], z=z), G.sample(z), atol=1e-4)
    with pytest.raises(ort.capi.onnxruntime_pybind11_state.InvalidArgument):
        compute(written["generator"][0], z=z[:1])


@pytest.mark.slow
def test_half_grown():
    G = small_generator()
    written = onnx_files.onnx_networks(ExportedStyleGenerator(G, psi=1.0, lod=0.5), names=["synthesis"])
    ws = G.mapping(latents_from_seeds([5], 4)).numpy()
    np.testing.assert_allclose(compute(written["synthesis"][0], ws=ws), G.synthesis(ws, noise_mode="const", lod=0.5), atol=1e-4)


def test_a_file_that_computes_something_else_is_refused_with_both_numbers(monkeypatch):
    G = small_generator()
    convert = onnx_files._to_onnx

    def convert_then_train(*arguments):
        model = convert(*arguments)
        G.synthesis.blocks[1].to_rgb.bias.assign([0.0, 0.5, 0.0])
        return model

    G.synthesis.blocks[1].to_rgb.bias.assign([0.0, 0.0, 0.0])
    monkeypatch.setattr(onnx_files, "_to_onnx", convert_then_train)
    pattern = r"synthesis.onnx gives -?\d\S* in onnxruntime and -?\d\S* in TensorFlow at \[\d, \d, \d, 1\]: they differ by 0\.5"
    with pytest.raises(UserError, match=pattern) as refused:
        onnx_files.onnx_networks(ExportedStyleGenerator(G), names=["synthesis"])
    assert "--tolerance" not in str(refused.value)  # not a difference of rounding


def test_a_difference_above_the_tolerance_is_refused_whatever_the_size_of_the_values():
    expected = np.array([[9.0, 0.5]], np.float32)
    received = expected + np.float32([[1.64e-4, 0]])
    pattern = r"differ by 0\.00016, at most 0\.0001 is accepted\. Nothing was written\. The largest value is 9\. .*: --tolerance 0\.0002$"
    with pytest.raises(UserError, match=pattern):
        check_agreement("generator.onnx", expected, received, "onnxruntime", 1e-4)
    assert check_agreement("generator.onnx", expected, received, "onnxruntime", 2e-4) == pytest.approx(1.64e-4, rel=1e-2)
