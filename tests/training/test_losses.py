"""Every loss of both networks and its gradients by every weight, against the original's."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf import losses
from stylegan_tf.models.base import Context, Part
from stylegan_tf.models.stylegan.settings import Settings
from stylegan_tf.resolution import split_lod
from stylegan_tf.settings import DataSettings, LossSettings
from stylegan_tf.training.step import compute_part
from tests import flat_networks as networks
from tests.closeness import assert_close, relative_error
from tests.recorded import NET32, arrays, nhwc, our_array, our_name, shrink
from tests.training.stylegan_steps import ConstNoiseStyleGAN

# Ten layers' rounding, and logits that nearly cancel; measured below 2e-6.
LOSS_TOLERANCE = 1e-5
# First and second gradients by all weights: measured up to 7e-5 where a gradient nearly cancels over the batch, and
# 8e-7 for half of the weights. A wrong factor anywhere would move most of them.
GRADIENT_TOLERANCE = 2e-4
MEDIAN_TOLERANCE = 1e-5
# One value in D's 16x16/conv0 (fake 3, feature 46, at lod 0) is +1.9e-6 before its leaky ReLU, which is rounding; the
# original had it below 0. This bias moves it to the original's side: without it the slope of that one pixel (1 or 0.2)
# moves G's gradients by 7e-3. In float64 the value is positive as well.
KINK = ("16x16/conv0/bias", 46, -5e-6)

R1 = losses.InputGradientPenalty("real")
LODS = [0, 1.5]
G_LOSSES = {name: {"G": name} for name in ("logistic_nonsaturating", "logistic_saturating", "wgan")}
D_LOSSES = {
    "logistic": {"regulariser": None},
    "logistic_simplegp_r1_gamma10_r2_gamma0": {"regulariser": "r1"},
    "logistic_simplegp_r1_gamma0_r2_gamma10": {"regulariser": "r2"},
    "logistic_simplegp_r1_gamma10_r2_gamma10": {"regulariser": "r1+r2"},
    "wgan": {"D": "wgan", "regulariser": None},
    "wgan_gp": {"D": "wgan_gp", "regulariser": None},
    "wgan_gp_wgan_target750": {"D": "wgan_gp", "regulariser": None, "gp_target": 750.0},
    "hinge": {"D": "hinge", "regulariser": None},
    "hinge_gp": {"D": "hinge_gp", "regulariser": None},
}


@pytest.fixture(scope="module")
def recorded():
    return arrays("losses_32")


@pytest.fixture(scope="module", name="D32")
def discriminator_on_the_originals_side(D32):
    """A copy of the recorded D with the one value of `KINK` moved."""
    D = networks.Discriminator(**NET32)
    arrays_by_name = {name: variable.numpy() for name, variable in networks.named_weights(D32).items()}
    name, feature, difference = KINK
    arrays_by_name[name][feature] += difference
    networks.assign_weights(D, arrays_by_name)
    return D


def part_of(recorded, lod):
    """The recorded inputs as one device gets them: images at the level's own size, and no mixing of styles."""
    n = len(recorded["latents"])
    return Part(
        reals=tf.constant(shrink(nhwc(recorded["reals"]), 2 ** int(lod))), real_labels=tf.zeros([n, 0]), labels=tf.zeros([n, 0]),
        z=tf.constant(recorded["latents"]), mixing_factors=tf.constant(recorded["mixing_factors"].reshape(n)), own={}, shared={},
        noise_seed=None, weights=tf.fill([n], 1 / n),
    )  # fmt: skip


def step(networks_of_run, recorded, lod, phase, gamma=10.0, due=frozenset(["r1", "r2"]), **loss):
    """Gradients by name and statistics of one phase, as training computes them."""
    G, D = networks_of_run
    settings = Settings("test", G=G.settings, D=D.settings, loss=LossSettings(**loss), data=DataSettings(resolution=32))
    phases = {phase.name: phase for phase in ConstNoiseStyleGAN().phases(settings, G, D, {})}
    context = Context(lambda images, labels: D(images, labels, lod=lod), split_lod(lod), gamma, 1.0, due)
    variables = {name: v.value for name, v in networks.named_weights(D if phase == "D" else G).items() if v.trainable}
    gradients, statistics, _ = compute_part(phases[phase], context, variables, part_of(recorded, lod))
    return gradients, {name: float(value) for name, value in statistics.items()}


def compare_gradients(recorded, network, key, gradients):
    """Norms of the gradients by all variables, and those gradients that are recorded whole."""
    errors, largest = [], np.max(recorded[f"{key}/gradnorm"])

    def compare(actual, expected, name):
        # D's last bias under a WGAN loss: terms of size 1 cancel down to the drift's 1e-4.
        scale = max(np.max(np.abs(expected)), 1e-3 * largest)
        errors.append((relative_error(actual, expected, scale=scale), name))

    names = [our_name(f"{network}/{theirs}", 32) for theirs in recorded[f"{network}_trainables"]]
    assert set(gradients) == set(names)
    for name, expected in zip(names, recorded[f"{key}/gradnorm"], strict=True):
        norm = 0.0 if gradients[name] is None else np.linalg.norm(np.ravel(gradients[name]))
        compare(norm, expected, name)
    whole = [theirs for theirs in recorded if theirs.startswith(f"{key}/grad/")]
    assert whole
    for theirs in whole:
        name = our_name(f"{network}/{theirs.removeprefix(f'{key}/grad/')}", 32)
        expected = our_array(name, recorded[theirs])
        actual = np.zeros_like(expected) if gradients[name] is None else gradients[name]
        compare(actual, expected, name)
    assert max(errors)[0] < GRADIENT_TOLERANCE, max(errors)
    assert np.median([error for error, _ in errors]) < MEDIAN_TOLERANCE


@pytest.mark.parametrize("lod", LODS)
@pytest.mark.parametrize("name", G_LOSSES)
def test_generator_loss_equals_the_originals(G32, D32, recorded, name, lod):
    gradients, statistics = step((G32, D32), recorded, lod, "G", **G_LOSSES[name])
    key = f"G_{name}/lod{lod}"
    assert_close(statistics["Loss/G"], recorded[f"{key}/loss"].mean(), LOSS_TOLERANCE)
    compare_gradients(recorded, "G", key, gradients)


@pytest.mark.parametrize("lod", LODS)
@pytest.mark.parametrize("name", D_LOSSES)
def test_discriminator_loss_equals_the_originals(G32, D32, recorded, name, lod):
    gradients, statistics = step((G32, D32), recorded, lod, "D", **D_LOSSES[name])
    key = f"D_{name}/lod{lod}"
    assert_close(statistics["Loss/D"], recorded[f"{key}/loss"].mean(dtype=np.float64), LOSS_TOLERANCE)
    compare_gradients(recorded, "D", key, gradients)


def test_r2_beside_r1_has_a_weight_of_its_own(G32, D32, recorded):
    def loss(gamma=10.0, **settings):
        return step((G32, D32), recorded, 1.5, "D", gamma, **settings)[1]["Loss/D"]

    plain = loss(regulariser=None)
    expected = loss(regulariser="r1") + loss(gamma=2.0, regulariser="r2") - plain
    assert_close(loss(regulariser="r1+r2", r2_gamma=2.0), expected, LOSS_TOLERANCE)


def test_lazy_penalties_are_rare_and_strong(G32, D32, recorded):
    _, plain = step((G32, D32), recorded, 1.5, "D", regulariser=None)
    _, every = step((G32, D32), recorded, 1.5, "D")
    _, without = step((G32, D32), recorded, 1.5, "D", lazy_interval=16, due=frozenset())
    _, strong = step((G32, D32), recorded, 1.5, "D", lazy_interval=16)
    assert without["Loss/D"] == plain["Loss/D"]
    assert "Loss/penalty" not in without
    assert strong["Loss/penalty"] == every["Loss/penalty"]  # shown as it is; its weight in the loss is 16 times as large
    assert_close(strong["Loss/D"], plain["Loss/D"] + 16 * (every["Loss/D"] - plain["Loss/D"]), LOSS_TOLERANCE)


def test_loss_scale_is_divided_out_of_penalties(D32, recorded):
    part = part_of(recorded, 1.5)

    def critic(images):
        return D32(images, lod=1.5)

    for penalty in (
        lambda scale: R1.logits_and_penalty(critic, part.reals, lod_floor=1, loss_scale=scale)[1],
        lambda scale: losses.MixedGradientPenalty().penalty(critic, part.reals, lod_floor=1, loss_scale=scale),
    ):
        assert_close(penalty(1024.0), penalty(1.0).numpy(), 1e-6)  # powers of two scale without rounding


def test_penalty_counts_pixels_of_the_full_resolution(recorded):
    images = tf.constant(shrink(nhwc(recorded["reals"]), 4))

    def critic(x):
        return tf.reduce_mean(x, axis=[1, 2])[:, :1]  # gradient 1 / pixels for each pixel of the first channel

    for floor in (0, 2):
        _, penalty = R1.logits_and_penalty(critic, images, lod_floor=floor)
        np.testing.assert_allclose(penalty, np.full(8, 64 / 64**2 / 4**floor), rtol=1e-6)
        norm = 64**-0.5 / 2**floor
        mixed = losses.MixedGradientPenalty(target=2.0).penalty(critic, images, lod_floor=floor)
        np.testing.assert_allclose(mixed, np.full(8, (norm - 2) ** 2 / 4), rtol=1e-6)


@pytest.mark.parametrize("kind", ["logistic_nonsaturating", "logistic_saturating", "wgan", "hinge", "least_squares"])
def test_generator_loss_falls_as_fakes_look_more_real(kind):
    loss = losses.loss_of_generator(LossSettings(G=kind))
    values = loss.of_generator(tf.constant([[-3.0], [0.0], [0.9]])).numpy()
    assert values[0] > values[1] > values[2]


def test_least_squares_equals_mao_et_al():  # equation 9 with a = 0, b = c = 1
    loss, logits = losses.loss_of_discriminator(LossSettings(D="least_squares")), tf.constant([[3.0], [-1.0]])
    np.testing.assert_allclose(loss.on_reals(logits), [2.0, 2.0])
    np.testing.assert_allclose(loss.on_fakes(logits), [4.5, 0.5])
    np.testing.assert_allclose(loss.of_generator(logits), [2.0, 2.0])


def test_settings_name_the_penalties():
    def names(**settings):
        return [penalty.name for penalty in losses.penalties(LossSettings(**settings))]

    assert names() == ["r1"]
    assert names(regulariser=None) == []
    assert names(regulariser="r1+r2") == ["r1", "r2"]
    assert names(regulariser=None, D="wgan_gp") == ["gp"]


def test_huge_logits_give_finite_losses():
    logits = tf.constant([[-1e4], [1e4]])
    for values in (losses.Logistic().on_reals(logits), losses.Logistic().on_fakes(logits), losses.Logistic().of_generator(logits)):
        assert np.isfinite(values).all()
