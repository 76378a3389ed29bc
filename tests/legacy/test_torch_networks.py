"""Published networks of StyleGAN2-ADA: the same images without PyTorch, and what is refused in such files."""

import json
import shlex

import numpy as np
import pytest

import stylegan_tf
from metrics import program
from stylegan_tf import command_line, data, loading
from stylegan_tf.errors import UserError
from stylegan_tf.legacy.__main__ import main
from stylegan_tf.legacy.torch_modules import is_torch_pickle
from tests.closeness import assert_close
from tests.hostile_pickles import Call, header, name, push
from tests.recorded import arrays, golden_path, nhwc
from tests.test_hostile_files import assert_harmless, read_all
from tests.test_train import run  # noqa: F401  a fixture
from tests.training.conftest import tiny_dataset  # noqa: F401  a fixture of `run`

FILES = ["official-sg2-ada-small", "official-sg2-ada-small-torch1"]
TOLERANCE = 1e-4  # asked for; measured below 2e-6


@pytest.fixture(scope="module", params=FILES)
def official(request):
    return golden_path(f"{request.param}.pkl"), arrays(request.param)


def test_images_and_logits(official):
    path, recorded = official
    nets = stylegan_tf.load(path)
    assert nets.model == "stylegan2"
    labels = recorded["c"] if nets.G_ema.label_size else None
    assert_close(nets.G_ema.mapping(recorded["z"], labels), recorded["ws"], TOLERANCE)
    images = nhwc(recorded["img_const"])
    assert_close(nets.G_ema.preview(recorded["z"], labels), images, TOLERANCE)
    psi = nets.G_ema(recorded["z"], labels, truncation_psi=0.7, noise_mode="const")
    assert_close(psi, nhwc(recorded["img_const_psi0.7"]), TOLERANCE)
    assert_close(nets.D(images, labels), recorded["logits"], TOLERANCE)


def test_settings_are_those_of_the_file(official):
    contents = loading.read(official[0])
    G, D = contents.G_ema.settings, contents.D.settings
    assert (G.z_dim, G.w_dim, G.fmap_base, G.fmap_max, G.half_resolutions, G.clamp) == (32, 32, 512, 32, 2, 256)
    assert (G.mapping_lrmul, G.w_avg_beta, D.architecture, D.mbstd_group_size, D.half_resolutions) == (0.01, 0.995, "resnet", 4, 2)
    conditional = contents.shape.label_size == 3
    assert (contents.shape.resolution, G.mapping_layers) == (32 if conditional else 16, 2)


def test_conversion_and_information(official, tmp_path, capsys):
    path, recorded = official
    assert command_line.run(main, ["info", str(path)]) == 0
    assert "G_ema  Generator" in capsys.readouterr().out
    assert command_line.run(main, ["convert", str(path), str(tmp_path / "ours.pkl")]) == 0
    nets = stylegan_tf.load(tmp_path / "ours.pkl")
    labels = recorded["c"] if nets.G_ema.label_size else None
    assert_close(nets.G_ema.preview(recorded["z"], labels), nhwc(recorded["img_const"]), TOLERANCE)


def test_half_precision_of_the_file_is_used_where_it_is_asked_for(official):
    path, recorded = official
    nets = stylegan_tf.load(path, dtype="mixed_bfloat16")
    labels = recorded["c"] if nets.G_ema.label_size else None
    assert_close(nets.G_ema.preview(recorded["z"], labels), nhwc(recorded["img_const"]), 0.03)  # 8 bits


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A dataset of 12 images, 16x16, as the second recorded network generates."""
    folder = tmp_path_factory.mktemp("datasets") / "photographs"
    with data.DatasetWriter(folder, resolution=16, channels=3) as writer:
        for image in np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8):
            writer.add(image)
    return str(folder)


def test_scores(photographs, tmp_path):
    path = golden_path(f"{FILES[1]}.pkl")
    assert program.run_all(["d_scores10", "--network", str(path), "--data", photographs, "--outdir", str(tmp_path)]) == 0
    assert "d_scores10_generated" in json.loads((tmp_path / "metric-d_scores10.jsonl").read_text())["values"]


def test_training_starts_from_its_weights(run, photographs, capsys):  # noqa: F811
    path, recorded = golden_path(f"{FILES[1]}.pkl"), arrays(FILES[1])
    arguments = ["--preset", "stylegan2-auto", "--data", photographs, "--init-from", str(path), "--total-kimg", "0.016"]
    for setting in ("data.resolution=16", "schedule.start_resolution=16", "schedule.minibatch_base=8"):
        arguments += ["--set", setting]
    code, _, errors = run(*arguments, "--set", "G.fmap_max=64", "--set", "D.fmap_max=64", "--set", "transfer.min_share=1", capsys=capsys)
    assert code == 2
    assert len(errors) < 3000  # a line for each of 150 weights hid the advice
    advice = errors[errors.index("Try the source's networks: ") :].partition(", or ")[0].partition(": ")[2]
    code, printed, errors = run(*arguments, *shlex.split(advice), "--set", "transfer.min_share=1", capsys=capsys)
    assert code == 0, errors
    assert printed[printed.index("\nall") :].split()[2:4] == ["0", "0"]  # resized, fresh
    nets = stylegan_tf.load(next(run.results.iterdir()))
    assert_close(nets.G_ema.preview(recorded["z"], None), nhwc(recorded["img_const"]), TOLERANCE)


def damaged(old: bytes, new: bytes):
    """The first recorded file with bytes replaced by others of the same length."""
    content = golden_path(f"{FILES[0]}.pkl").read_bytes()
    assert len(old) == len(new)
    assert old in content
    return content.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"_reconstruct_persistent_obj", b"_import_module_from_source_", "not a data-only file"),
        (b"_load_from_bytes", b"_load_from_files", "not a data-only file"),
        (b"torch\nFloatStorage", b"torch\nFlaatStorage", "not a data-only file"),
        (b"FloatStorage", b"DoubleStorag", "not a data-only file"),
        (b"Generator", b"Gonerator", "Expected a Generator. Found: Gonerator"),
        (b"lrelu", b"swish", "the activation swish"),
        (b"architecture\x94\x8c\x04skip", b"architecture\x94\x8c\x04orig", "architecture orig"),
        (b"G_ema", b"G_emu", "does not contain the networks G, D, G_ema"),
        (b"noise_strength", b"noise_strongth", "unknown weight: 'synthesis.b4.conv1.noise_strongth'"),
        (b"_parameters", b"_porameters", "do not fit its settings|damaged|not StyleGAN2"),
        (b"mapping", b"mopping", "not StyleGAN2's, or is damaged"),
    ],
)
def test_what_cannot_be_right_is_refused_with_one_message(tmp_path, old, new, message):
    path = tmp_path / "official.pkl"
    path.write_bytes(damaged(old, new))
    with pytest.raises(UserError, match=rf"official\.pkl(.|\n)*({message})"):
        stylegan_tf.load(path)


def storage(content=bytes(16), count=4, key="0", root=None):
    """A file of `torch.save` of one storage, in its old form."""
    facts = b"(" + push("storage") + name("torch", "FloatStorage") + push(key) + push("cpu") + push(count) + push(None) + b"tQ"
    numbers = count.to_bytes(8, "little") + content
    parts = [push(0x1950A86A20F9469CFC6C), push(1001), push({}), facts if root is None else root, push([key])]
    return b"".join(header() + part + b"." for part in parts) + numbers


def module(**state):
    """A call of `_reconstruct_persistent_obj`; values of `state` are opcodes."""
    pairs = b"".join(push(key) + value for key, value in state.items())
    meta = push("type") + push("class") + push("class_name") + push("Generator") + push("state") + b"}(" + pairs + b"u"
    return name("torch_utils.persistence", "_reconstruct_persistent_obj") + b"}(" + meta + b"u\x85R"


def tensor(content, shape=(4,), stride=(1,), offset=0):
    loaded = Call("torch.storage", "_load_from_bytes", content).push()
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + loaded + push(offset) + push(shape) + push(stride) + push(False) + b"}tR"


def network(value):
    """A file whose G, D and G_ema are modules with one parameter."""
    made = module(_parameters=b"}" + push("x") + value + b"s")
    return header() + b"}(" + b"".join(push(which) + made for which in ("G", "D", "G_ema")) + b"u."


SHELL = Call("os", "system", "echo STYLEGAN_TF_CANARY").push()
HOSTILE = {
    "whole but empty networks": network(tensor(storage())),
    "call in a storage": network(tensor(storage(root=SHELL))),
    "storage in a storage": network(tensor(storage(root=Call("torch.storage", "_load_from_bytes", storage()).push()))),
    "plain value as a storage": network(tensor(storage(root=push(3)))),
    "numbers missing": network(tensor(storage(content=bytes(8)))),
    "more numbers than the file": network(tensor(storage(count=1 << 40), shape=(1 << 40,))),
    "tensor beyond its storage": network(tensor(storage(), shape=(5,))),
    "stride of zero": network(tensor(storage(), shape=(1 << 20, 1 << 20), stride=(0, 0))),
    "negative offset": network(tensor(storage(), offset=-1)),
    "text as a storage": network(tensor("text")),
    "empty storage file": network(tensor(b"")),
    "parameter that is a number": network(push(3)),
    "module as a parameter": network(module()),
    "call beside the networks": header() + b"}(" + push("torch_utils.persistence") + SHELL + b"u.",
    "state that is a list": header() + name("torch_utils.persistence", "_reconstruct_persistent_obj")
    + push({"type": "class", "class_name": "G", "state": []}) + b"\x85R.",
    # The same megabyte again and again: 6 bytes each in the file.
    "one storage loaded a hundred thousand times": header() + b"](" + name("torch.storage", "_load_from_bytes") + b"\x94"
    + push(storage(bytes(1 << 20), 1 << 18)) + b"\x85\x94" + b"h\x00h\x01R" * 100_000 + b"e" + push("torch_utils.persistence") + b"0.",
    "module in itself": header() + b"}\x94" + push("torch_utils.persistence") + b"h\x00s.",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_with_one_message(tmp_path, kind):
    (tmp_path / "official.pkl").write_bytes(HOSTILE[kind])
    with pytest.raises(UserError, match=r"official\.pkl") as caught:
        loading.read(tmp_path / "official.pkl")
    assert len(str(caught.value)) < 500


@pytest.mark.slow
def test_damaged_copies_do_nothing(tmp_path):  # in a process of its own: limited memory, every call watched
    (tmp_path / "official.pkl").write_bytes(golden_path(f"{FILES[1]}.pkl").read_bytes())
    (tmp_path / "official.count").write_text("1000")
    results = read_all("official", tmp_path / "official.pkl")
    assert_harmless(results, {}, allowed=("UserError", "value"))


def test_other_files_are_not_taken_for_networks_of_pytorch(tmp_path):
    (tmp_path / "ours.pkl").write_bytes(b"\x80\x05}.")
    assert not is_torch_pickle(tmp_path / "ours.pkl")
    assert not is_torch_pickle(tmp_path / "none.pkl")
