"""Settings of D's steps that apply to every model: targets, clipping, the least loss; decays of rates and averages; classifiers."""

import numpy as np
import pytest
import tensorflow as tf

import config
from stylegan_tf import models, settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.losses import Logistic
from stylegan_tf.models.cgan.networks import CGANDiscriminator, CGANGenerator
from stylegan_tf.models.weights import named_weights, weight_arrays
from stylegan_tf.settings import ScheduleSettings
from stylegan_tf.training.inputs import RandomInputs
from stylegan_tf.training.schedule import TrainingSchedule, is_generator_due
from stylegan_tf.training.settings_check import check
from stylegan_tf.training.step import Trainer
from tests.closeness import assert_close
from tests.models import tiny_presets
from tests.training.stylegan_steps import make_stage

SMALL = ["G.units=3", "D.units=3", "G.z_dim=5", "G.border=1", "D.border=1", "data.resolution=8", "data.conditional=false"]
MINIBATCH, LRATE = 4, 0.01


def run_once(*assignments, D_steps=1, logit=None):
    """One iteration of a small dense GAN: weights before and after it, statistics, trainer. `logit`: what D says of any image."""
    settings = settings_text.override(config.preset("digits-cgan"), [*SMALL, f"loss.D_steps={D_steps}", *assignments])
    made = {"G": CGANGenerator, "D": CGANDiscriminator, "G_ema": CGANGenerator}
    networks = {kind: make(getattr(settings, kind[0]), resolution=8, channels=1) for kind, make in made.items()}
    random = np.random.RandomState(1)
    for network in networks.values():
        for variable in network.variables:
            variable.assign(random.normal(0, 0.3, variable.shape))
    if logit is not None:
        for name, variable in named_weights(networks["D"]).items():
            variable.assign(tf.fill(variable.shape, logit if name == "dense1/bias" else 0.0))
    before = {kind: weight_arrays(network) for kind, network in networks.items()}
    trainer = Trainer(models.find("cgan"), settings, **networks)
    images = np.random.RandomState(3).randint(0, 256, (D_steps, MINIBATCH, 8, 8, 1), np.uint8)
    batches = iter(tf.data.Dataset.from_tensor_slices((images, np.zeros([D_steps, MINIBATCH, 0], np.float32))))
    (statistics,) = trainer.run(batches, make_stage(lrate=LRATE), nimg=0)
    return before, {kind: weight_arrays(network) for kind, network in networks.items()}, statistics, trainer


@pytest.fixture(scope="module", name="plain")
def run_without_options():
    return run_once()


@pytest.mark.parametrize("target", [0.9, 0.2, 1.0, 0.0])
def test_loss_with_a_target_is_the_cross_entropy(target):
    logits = np.float32([[-3], [0.5], [4]])
    share = 1 / (1 + np.exp(-np.float64(logits[:, 0])))
    expected = -target * np.log(share) - (1 - target) * np.log(1 - share)
    loss = Logistic(real_target=target, fake_target=target)
    assert_close(loss.on_reals(logits), expected, 1e-6)
    assert_close(loss.on_fakes(logits), expected, 1e-6)
    assert_close(loss.of_generator(logits), -np.log(share), 1e-6)  # smoothing is one-sided


def test_targets_are_drawn_for_each_image_and_enter_the_loss():
    noisy = ["loss.real_target=[0.8, 1]", "loss.fake_target=[0, 0.2]"]
    settings = settings_text.override(config.preset("digits-cgan"), [*SMALL, *noisy])
    inputs = RandomInputs(models.find("cgan"), settings, z_dim=5).make(tf.constant([0, 0]), 1000, 0)
    for name, least, most in (("real_target", 0.8, 1.0), ("fake_target", 0.0, 0.2)):
        drawn = inputs.own[name].numpy()
        assert (drawn.min() >= least, drawn.max() <= most) == (True, True)
        assert drawn.std() == pytest.approx(0.2 / 12**0.5, rel=0.1)
    _, _, statistics, trainer = run_once(*noisy, logit=1.0)
    own = trainer.inputs.make(tf.random.experimental.stateless_fold_in(tf.constant([0, 0]), 0), MINIBATCH, 0).own
    expected = 2 * np.log(1 + np.e) - np.mean(own["real_target"]) - np.mean(own["fake_target"])  # softplus(x) - target * x
    assert_close(statistics["Loss/D"], expected, 1e-6)


@pytest.mark.parametrize("taken", [True, False])
def test_a_step_of_the_discriminator_is_left_out_where_its_loss_is_low(plain, taken):
    before, after, statistics, trainer = run_once(f"loss.D_min_loss={-1 if taken else 100}")
    assert float(statistics["TrainD/steps_taken"]) == taken
    assert int(trainer.optimizers["D"].step) == taken
    for name, array in after["D"].items():
        np.testing.assert_array_equal(array, plain[1]["D"][name] if taken else before["D"][name], err_msg=name)
    moments = trainer.optimizers["D"].state()["second_moments"]
    assert all(np.any(array) == taken for array in moments.values())
    assert any(np.any(after["G"][name] != before["G"][name]) for name in after["G"])  # G's step is taken in any case


def test_weights_of_the_discriminator_are_clipped_after_its_step():
    before, after, _, _ = run_once("loss.clip=0.1", D_steps=2)
    assert max(np.abs(array).max() for array in before["D"].values()) > 0.5
    assert max(np.abs(array).max() for array in after["D"].values()) == np.float32(0.1)
    assert max(np.abs(array).max() for array in after["G"].values()) > 0.5


def test_weights_of_the_discriminator_are_clipped_before_its_step():
    before, after, _, _ = run_once("loss.clip=0.1", "loss.clip_when=before")
    moved = [np.abs(after["D"][name] - np.clip(array, -0.1, 0.1)) for name, array in before["D"].items()]
    largest_step = LRATE * (1 - 0.999) ** 0.5 / (1 - 0.5) * 0.5 / 0.001**0.5  # Adam's first step
    assert max(array.max() for array in moved) <= largest_step * 1.001
    assert max(array.max() for array in moved) > 0.5 * largest_step


def test_average_of_the_generator_can_decay_by_iterations():
    before, after, _, _ = run_once("optimizer.ema_decay=0.999")
    for name, array in after["G_ema"].items():
        assert_close(array, after["G"][name] + (before["G_ema"][name] - after["G"][name]) * 0.999, 1e-6)


def test_learning_rates_fall_in_steps():
    schedule = TrainingSchedule(
        ScheduleSettings(start_resolution=32, G_lrate=2e-4, D_lrate=1e-4, lrate_decay=0.95, lrate_decay_kimg=50), 32
    )
    assert (schedule.at(0).G_lrate, schedule.at(49_900).D_lrate) == (2e-4, 1e-4)
    assert schedule.at(50_000).G_lrate == pytest.approx(2e-4 * 0.95)
    assert schedule.at(1_649_900).G_lrate == pytest.approx(2e-4 * 0.95**32)  # the last step of the study: 0.194 of the first


def test_labels_of_the_generator_are_all_ten_digits():  # the public code of the study never draws a 9
    settings = config.preset("digits-cdcgan")
    inputs = RandomInputs(models.find("dcgan"), settings, z_dim=100, label_pool=np.eye(10, dtype=np.float32))
    assert set(np.argmax(inputs.make(tf.constant([0, 0]), 500, 0).labels, axis=1)) == set(range(10))


def test_loss_of_the_classifier_is_added_to_that_of_the_generator(tmp_path):
    classifier = tiny_presets.write_classifier(tmp_path / "lenet.npz")
    found = {}
    for alpha in (0, 2):
        settings = tiny_presets.tiny("digits-cdcgan-feedback", "", f"G_step.classifier={classifier}", f"G_step.alpha={alpha}")
        model = models.find("dcgan")
        G, G_ema = (model.Generator(settings.G, resolution=32, channels=1, label_size=10) for _ in range(2))
        D = model.Discriminator(settings.D, resolution=32, channels=1, label_size=10)
        for network in (G, D, G_ema):
            random = np.random.RandomState(1)
            for variable in network.variables:
                variable.assign(np.abs(random.normal(0, 0.3, variable.shape)))
        trainer = Trainer(model, settings, G, D, G_ema, label_pool=np.eye(10, dtype=np.float32))
        images = np.random.RandomState(3).randint(0, 256, (1, MINIBATCH, 32, 32, 1), np.uint8)
        batches = iter(tf.data.Dataset.from_tensor_slices((images, np.eye(10, dtype=np.float32)[None, :MINIBATCH])))
        (found[alpha],) = trainer.run(batches, make_stage(lrate=LRATE), nimg=0)
        found[alpha] |= {"weights": named_weights(G)["7x7/kernel"].numpy()}
    assert float(found[2]["Loss/classifier"]) > 1
    assert float(found[2]["Loss/classifier"]) == pytest.approx(float(found[0]["Loss/classifier"]))
    assert float(found[2]["Loss/G"]) == pytest.approx(float(found[0]["Loss/G"]) + 2 * float(found[2]["Loss/classifier"]), rel=1e-5)
    assert np.any(found[2]["weights"] != found[0]["weights"])


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["loss.real_target=0.9", "loss.D=hinge", "loss.G=hinge"], r"loss\.real_target belongs to loss\.D = logistic"),
        (["loss.fake_target=[0.2, 0.1]"], "the least and the most of a range"),
        (["loss.clip=0"], "above 0"),
    ],
)
def test_what_cannot_work_is_refused(assignments, message):
    with pytest.raises(UserError, match=message):
        check(settings_text.override(config.preset("digits-cgan"), assignments))


def test_d_takes_100_steps_before_the_first_25_steps_of_g_and_every_500th():
    found, steps_of_D = [], 0
    for iteration in range(3000):
        steps_of_D += 5
        if is_generator_due(iteration):
            found.append(steps_of_D)
            steps_of_D = 0
    assert found == [100 if step < 25 or step % 500 == 0 else 5 for step in range(len(found))]
    assert len(found) > 1500


def test_where_d_trains_ahead_g_stays_as_it_is():
    before, after, statistics, _ = run_once("loss.D_trains_ahead=true")
    for name, weight in before["G"].items():
        np.testing.assert_array_equal(after["G"][name], weight, err_msg=name)
    assert not all(np.array_equal(after["D"][name], weight) for name, weight in before["D"].items())
    assert "Loss/G" not in statistics
