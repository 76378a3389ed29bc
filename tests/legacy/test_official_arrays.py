"""The official pickles as arrays: every protocol, version and option; layouts by closed forms."""

from pathlib import Path

import numpy as np
import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.legacy.official import read_official
from stylegan_tf.legacy.stylegan import discriminator_weights, generator_weights, translate
from stylegan_tf.legacy.stylegan import fused_scale as fused_scale_of
from stylegan_tf.legacy.unpickler import is_official, read_networks
from tests.legacy.official_files import (
    SMALL,
    SMALL_G,
    discriminator_state,
    dump,
    generator_state,
    mapping_shapes,
    official_bytes,
    synthesis_shapes,
)


@pytest.fixture
def official(tmp_path):
    def write(content):
        (tmp_path / "official.pkl").write_bytes(content)
        return tmp_path / "official.pkl"

    return write


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("version", [2, 3])
def test_all_protocols_and_versions_give_the_same_networks(official, protocol, version):
    reference = read_official(official(official_bytes()))
    arrays = read_official(official(official_bytes(protocol=protocol, version=version)))
    assert arrays.shape == reference.shape
    for name in ("G", "D", "G_ema"):
        theirs, ours = getattr(reference, name), getattr(arrays, name)
        assert ours.settings == theirs.settings
        assert ours.weights.keys() == theirs.weights.keys()
        for key in theirs.weights:
            np.testing.assert_array_equal(ours.weights[key], theirs.weights[key])


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"label_size": 3},
        {"num_channels": 1},
        {"use_styles": False},
        {"use_noise": False},
        {"const_input_layer": False},
        {"mapping_layers": 1},
        {"mapping_layers": 0, "dlatent_size": 6},
        {"resolution": 16, "fmap_decay": 0.5},
        {"blur_filter": None, "use_instance_norm": False, "use_pixel_norm": True},
        {"truncation_psi": None, "structure": "linear", "randomize_noise": False, "dtype": "float32"},
    ],
)
def test_options_of_the_generator(official, kwargs):
    shared = {key: value for key, value in kwargs.items() if key in ("label_size", "num_channels", "resolution", "fmap_decay")}
    arrays = read_official(official(official_bytes(SMALL_G | kwargs, SMALL | shared)))
    expected = SMALL_G | {"const_input_layer": True, "use_styles": True} | kwargs
    assert (arrays.G.settings.const_input, arrays.G.settings.use_styles) == (expected["const_input_layer"], expected["use_styles"])
    assert (arrays.shape.label_size, arrays.shape.resolution) == (expected["label_size"], expected["resolution"])


@pytest.mark.parametrize("kwargs", [{"mbstd_group_size": 0}, {"mbstd_group_size": 1}, {"mbstd_num_features": 2}, {"label_size": 4}])
def test_options_of_the_discriminator(official, kwargs):
    generator = SMALL_G | {key: value for key, value in kwargs.items() if key == "label_size"}
    arrays = read_official(official(official_bytes(generator, SMALL | kwargs)))
    for name, value in kwargs.items():
        assert getattr(arrays.shape if name == "label_size" else arrays.D.settings, name) == value


def test_lod_of_the_training(official):
    assert read_official(official(official_bytes(lod=0.375))).lod == 0.375
    with pytest.raises(UserError, match="is from 1 to 0"):
        read_official(official(official_bytes(lod=2.0)))


def test_dense_input_computes_the_same_4x4_features():  # their order is [C, H, W], ours [H, W, C]
    rng = np.random.default_rng(1)
    w, kernel = rng.standard_normal((2, 5)), rng.standard_normal((5, 16 * 3))
    ours = generator_weights({"synthesis/4x4/Dense/weight": kernel}, resolution=8, fused_scale="auto")
    theirs = (w @ kernel).reshape(2, 3, 4, 4)
    np.testing.assert_array_equal((w @ ours["synthesis/4x4/dense/kernel"]).reshape(2, 4, 4, 3).transpose(0, 3, 1, 2), theirs)


def test_first_dense_layer_of_the_discriminator_computes_the_same():
    rng = np.random.default_rng(2)
    x, kernel = rng.standard_normal((2, 3, 4, 4)), rng.standard_normal((16 * 3, 5))
    ours = discriminator_weights({"4x4/Dense0/weight": kernel}, resolution=8, fused_scale="auto")["4x4/dense0/kernel"]
    np.testing.assert_allclose(x.transpose(0, 2, 3, 1).reshape(2, -1) @ ours, x.reshape(2, -1) @ kernel, atol=1e-12)


def test_constant_changes_its_layout():
    const = np.arange(48.0).reshape(1, 3, 4, 4)
    ours = generator_weights({"synthesis/4x4/Const/const": const}, resolution=8, fused_scale="auto")
    assert ours["synthesis/4x4/const/const"][1, 2, 0] == const[0, 0, 1, 2]


@pytest.mark.parametrize(
    ("fused_scale", "rotated"), [("auto", [128, 256]), (True, [8, 16, 32, 64, 128, 256]), (False, []), (1, [8, 16, 32, 64, 128, 256])]
)
def test_kernels_rotated_by_the_pickles_own_fused_scale(fused_scale, rotated):
    kernel = np.arange(9.0).reshape(3, 3, 1, 1)
    sides = [8, 16, 32, 64, 128, 256]
    variables = {f"synthesis/{side}x{side}/{layer}/weight": kernel for side in sides for layer in ("Conv0_up", "Conv1")}
    ours = generator_weights(variables, resolution=256, fused_scale=fused_scale_of({"fused_scale": fused_scale}))
    for side in sides:
        expected = np.rot90(kernel, 2) if side in rotated else kernel
        np.testing.assert_array_equal(ours[f"synthesis/{side}x{side}/conv0_up/kernel"], expected)
        np.testing.assert_array_equal(ours[f"synthesis/{side}x{side}/conv1/kernel"], kernel)


def test_defaults_are_the_originals():
    (G, shape), (D, shape_of_D) = translate({}, is_generator=True), translate({}, is_generator=False)
    assert (shape.resolution, shape.channels, G.z_dim, G.truncation_psi, fused_scale_of({})) == (1024, 3, 512, 0.7, "auto")
    assert (shape_of_D.resolution, shape_of_D.channels, D.mbstd_group_size) == (32, 1, 4)


def test_is_official(official, tmp_path):
    assert is_official(official(official_bytes(protocol=2)))
    assert is_official(official(official_bytes(protocol=5)))
    (tmp_path / "ours.pkl").write_bytes(b"\x80\x05}.")
    assert not is_official(tmp_path / "ours.pkl")
    assert not is_official(tmp_path / "none.pkl")


def test_a_single_network_is_read_too(official):  # the original's metric networks are pickled alone
    rng = np.random.default_rng(0)
    content = dump([discriminator_state(SMALL, rng)], protocol=3)
    assert content.endswith(b"\x85q" + content[-2:])  # a tuple of one
    (record,) = read_networks(official(content[: content.rindex(b"\x85q")] + b"."))
    assert (record.name, record.kind) == ("D", "D_basic")


def change(**changes):
    """A pickle whose first network has some of its state replaced."""
    rng = np.random.default_rng(0)
    states = [generator_state("G", SMALL_G, rng), discriminator_state(SMALL, rng), generator_state("Gs", SMALL_G, rng)]
    states[0] |= changes
    return dump(states)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (change(version=4), "version 4.*StyleGAN2"),
        (change(build_func_name="G_main"), "kinds G_main, D_basic, G_style"),
        (change(static_kwargs=SMALL_G | {"architecture": "skip"}), "unknown option: 'architecture'"),
        (change(static_kwargs=SMALL_G | {"resolution": 48}), "resolution must be a power of two.* Received: 48"),
        (change(static_kwargs=SMALL_G | {"fmap_max": 10**9}), "fmap_max must be from 1.* Received: 1000000000"),
        (change(static_kwargs=SMALL_G | {"nonlinearity": "gelu"}), "nonlinearity must be one of lrelu, relu. Received: 'gelu'"),
        (change(variables=[("odd", np.zeros(3, np.float32))]), "unknown variable: 'odd'"),
        (change(variables=[("lod", "0")]), "'lod' is a str"),
        (change(variables=[("lod",)]), "not pairs"),
        (change(variables={}), "variables of a network is a dict"),
        (change(name=None), "name of a network is a NoneType"),
        (dump([discriminator_state(SMALL, np.random.default_rng(0))]), "kinds D_basic"),
        (b"\x80\x04].", "does not contain networks"),
        (b"\x80\x04}.", "does not contain networks"),
    ],
)
def test_impossible_contents_are_named(official, content, message):
    with pytest.raises(UserError, match=rf"official\.pkl.*{message}"):
        read_official(official(content))


def test_claims_beyond_the_file_are_refused_before_anything_is_built(official):
    wide = np.zeros((3, 3, 1024, 1024), np.bool_)  # one byte a weight in the file, shared by all layers
    kwargs = SMALL_G | {"resolution": 64, "fmap_base": 1 << 16, "fmap_max": 1024}
    rng = np.random.default_rng(0)
    state = generator_state("G", SMALL_G, rng)
    shapes = {"synthesis": synthesis_shapes(kwargs), "mapping": mapping_shapes(kwargs)}
    for part, component in state["components"].items():
        component["static_kwargs"] = kwargs
        component["variables"] = [
            (name, wide if shape == wide.shape else np.zeros(shape, np.bool_)) for name, shape in shapes[part].items()
        ]
    state["static_kwargs"] = kwargs
    content = dump([state, discriminator_state(SMALL, rng), generator_state("Gs", SMALL_G, rng)])
    with pytest.raises(UserError, match=r"expands to [0-9,]+ bytes; [0-9,]+ are allowed for a file of this size"):
        read_official(official(content))


def test_the_recorded_official_pickle_is_read():
    path = Path(__file__).parents[2] / "../shared/golden/official-small-32.pkl"
    if not path.exists():
        pytest.skip("the recorded pickle of the original is not on this machine")
    arrays = read_official(path)
    assert (arrays.shape.resolution, arrays.lod) == (32, 0.0)
    assert arrays.D.weights["4x4/dense0/kernel"].shape == (1024, 64)
