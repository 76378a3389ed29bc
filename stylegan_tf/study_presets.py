"""Presets of the studies of digits and scenes: DCGANs, conditional GANs and Wasserstein GANs. `config.py` adds them to its own."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from stylegan_tf.models.cgan import settings as cgan_settings
from stylegan_tf.models.dcgan import settings as dcgan_settings
from stylegan_tf.models.resnet import settings as resnet_settings
from stylegan_tf.settings import (
    AugmentSettings,
    DataSettings,
    LossSettings,
    NetworkOptimizerSettings,
    OptimizerSettings,
    RunSettings,
    ScheduleSettings,
    TrainingSettings,
)

# Digits. The study trains on 55,000 digits an epoch (5,000 are kept for validation); here all 60,000 of the dataset are used, and an
# epoch counts 55 kimg, so that the number of steps is the study's.
EPOCH_KIMG = 55.0
DIGITS_ADAM = NetworkOptimizerSettings(beta1=0.5, beta2=0.999)
DIGITS_DATA = "datasets/mnist"
# What the networks for digits have in common: TensorFlow's batch normalisation, biases, leaky ReLU in both networks, images of 28x28.
DIGITS = {"use_bias": True, "border": 2, "slope": 0.2, "keep": 0.99, "epsilon": 1e-3}
COMPACT = {**DIGITS, "fmaps": 128, "init": "glorot"}
CONDITIONAL = {**DIGITS, "fmaps": 128, "kernel": 5, "init": "truncated"}


def _digits(
    shared: dict, *, G: dict | None = None, D: dict | None = None, G_step: dict | None = None, **run,
) -> dcgan_settings.Settings:  # fmt: skip
    """A DCGAN for digits: settings of both networks, of each, and of the run (see `_digits_run`)."""
    return dcgan_settings.Settings(
        name="digits",
        G=dcgan_settings.GeneratorSettings(**shared, **(G or {})),
        D=dcgan_settings.DiscriminatorSettings(**shared, **(D or {})),
        G_step=dcgan_settings.GStepSettings(reuse_fakes=False, **(G_step or {})),
        **_digits_run(**run),
    )


def _digits_run(
    epochs: int = 25, *, loss: LossSettings | None = None, lrate: float = 0.0002, schedule: dict | None = None, is_conditional: bool = False
) -> dict:
    """The groups of settings that all models share, for digits: minibatches of 100, Adam 0.0002 with beta1 0.5, no average of G."""
    loss = loss or LossSettings(regulariser=None)
    return {
        "loss": loss,
        "optimizer": OptimizerSettings(G=DIGITS_ADAM, D=DIGITS_ADAM, ema_kimg=0),
        "schedule": ScheduleSettings(
            total_kimg=epochs * EPOCH_KIMG * loss.D_steps,
            start_resolution=32,
            minibatch_base=100,
            G_lrate=lrate,
            D_lrate=lrate,
            tick_kimg=EPOCH_KIMG * loss.D_steps,
            tick_kimg_by_resolution={},
            **(schedule or {}),
        ),
        "data": DataSettings(path=DIGITS_DATA, resolution=32, conditional=is_conditional),
        "run": RunSettings(grid_columns=20, grid_rows=10, network_snapshot_ticks=5, state_ticks=1),
    }


def _cdcgan(*, target: float = 1.0, shared: dict | None = None, G_step: dict | None = None) -> dcgan_settings.Settings:
    """A conditional DCGAN: 7x7 and 14x14 with kernels of 5x5, 30 epochs, rates that fall by 5 % in every 500 steps of D."""
    return _digits(
        {**CONDITIONAL, **(shared or {})}, G={"first_side": 7}, D={"last_side": 7}, G_step=G_step, epochs=30, is_conditional=True,
        loss=LossSettings(regulariser=None, real_target=target), schedule={"lrate_decay": 0.95, "lrate_decay_kimg": 50},
    )  # fmt: skip


# Scenes: 64x64 photographs of one place, 15,100 of each in the study.
SCENES_DATA = "datasets/corridor"


def _scenes_run(kimg: float, *, loss: LossSettings, adam: NetworkOptimizerSettings, lrate: float, minibatch: int) -> dict:
    """The groups of settings that all models share, for scenes."""
    return {
        "loss": loss,
        "optimizer": OptimizerSettings(G=adam, D=adam, ema_kimg=0),
        "schedule": ScheduleSettings(
            total_kimg=kimg,
            start_resolution=64,
            minibatch_base=minibatch,
            G_lrate=lrate,
            D_lrate=lrate,
            tick_kimg=15.1,
            tick_kimg_by_resolution={},
        ),
        "data": DataSettings(path=SCENES_DATA, resolution=64),
        "run": RunSettings(grid_columns=12, grid_rows=6, network_snapshot_ticks=10, state_ticks=1),
    }


def dcgan(**changes) -> TrainingSettings:
    """DCGAN as in PyTorch's tutorial, 64x64: batches of 128, Adam 0.0002 with beta1 0.5, no average of G; 26 epochs of 15,100."""
    run = _scenes_run(393, loss=LossSettings(regulariser=None), adam=DIGITS_ADAM, lrate=0.0002, minibatch=128)
    return dcgan_settings.Settings(name="dcgan", **{**run, **changes})


PENALTY = LossSettings(G="wgan", D="wgan_gp", regulariser=None, wgan_drift=0, gp_lambda=10, D_steps=5)
PENALTY_ADAM = NetworkOptimizerSettings(beta1=0.5, beta2=0.9)
CLIPPING = LossSettings(G="wgan", D="wgan", regulariser=None, wgan_drift=0, D_steps=5, clip=0.01)
CRITIC_KIMG = 11_200.0  # 35,000 steps of G, after which the study saw little gain; it went on to 97,500


def _critic(
    norm: str = "batch", *, loss: LossSettings = PENALTY, adam: NetworkOptimizerSettings = PENALTY_ADAM, lrate: float = 1e-4
) -> TrainingSettings:
    """DCGAN's networks with a critic: minibatches of 64, new latents for G's step."""
    return dcgan_settings.Settings(
        name="critic",
        D=dcgan_settings.DiscriminatorSettings(norm=norm),
        G_step=dcgan_settings.GStepSettings(reuse_fakes=False),
        **_scenes_run(CRITIC_KIMG, loss=loss, adam=adam, lrate=lrate, minibatch=64),
    )


def _resnet() -> TrainingSettings:
    """Residual WGAN-GP for 64x64 (Gulrajani et al. 2017, appendix F), 28,000 steps of G."""
    run = _scenes_run(8_960, loss=PENALTY, adam=PENALTY_ADAM, lrate=1e-4, minibatch=64)
    return resnet_settings.Settings(name="resnet", **run)


# Name -> function that makes the settings, which then get that name.
PRESETS: dict[str, Callable[[], TrainingSettings]] = {
    # The baseline of the study of digits: digits enlarged to 64x64, 1024 feature maps at 4x4.
    "digits-dcgan": partial(_digits, {**COMPACT, "side": 64}),
    # For 28x28: 512 feature maps at 4x4, and a last kernel of 13x13 in G.
    "digits-dcgan-compact": partial(_digits, COMPACT),
    # A discriminator of five layers, whose last kernel is 2x2 here; the study does not say how it shrinks.
    "digits-dcgan-deep": partial(_digits, COMPACT, D={"last_side": 2}),
    "digits-dcgan-no-norm": partial(_digits, {**COMPACT, "norm": "none"}),
    # As many steps of G as in 25 epochs of one step.
    "digits-dcgan-3-steps": partial(_digits, COMPACT, loss=LossSettings(regulariser=None, D_steps=3)),
    "digits-dcgan-fast": partial(_digits, COMPACT, lrate=0.002),
    # Dense layers. The public code has no batch normalisation, although the study says "removed".
    "digits-cgan": lambda: cgan_settings.Settings(name="cgan", **_digits_run(100, is_conditional=True)),
    # Labels join the latent, and the image as constant planes. All ten digits are drawn (the public code: 0 to 8).
    "digits-cdcgan": _cdcgan,
    "digits-cdcgan-no-norm": partial(_cdcgan, shared={"norm": "none"}),
    # Two more layers in each network: a 5x5 convolution at each of both sides (the study does not give their shape).
    "digits-cdcgan-extended": partial(_cdcgan, shared={"convs_per_side": 2}),
    # Labels go through a convolution of their own before they join (at 28x28 our own choice of widths).
    "digits-cdcgan-branches": partial(_cdcgan, shared={"labels": "branches"}),
    # One-sided label smoothing.
    "digits-cdcgan-smoothing": partial(_cdcgan, target=0.9),
    # Smoothing, and the loss of a classifier in G's loss (`python -m stylegan_tf.lenet_training` trains it).
    "digits-cdcgan-feedback": partial(_cdcgan, target=0.9, G_step={"classifier": "classifiers/document.npz", "alpha": 1.0}),
    "dcgan": dcgan,
    # D takes a step only where its loss is above 0.1.
    "scenes-dcgan-min-loss": partial(dcgan, loss=LossSettings(regulariser=None, D_min_loss=0.1)),
    # Noisy labels: the study does not give the targets.
    "scenes-dcgan-noisy": partial(dcgan, loss=LossSettings(regulariser=None, real_target=(0.8, 1.0), fake_target=(0.0, 0.2))),
    # Adaptive augmentation and twice the width, which the study asks for.
    "scenes-dcgan-ada": partial(dcgan, augment=AugmentSettings(kind="ada")),
    "scenes-dcgan-wide": partial(
        dcgan, G=dcgan_settings.GeneratorSettings(fmaps=128), D=dcgan_settings.DiscriminatorSettings(fmaps=128)
    ),
    # Clipping before each of D's steps and PyTorch's RMSProp (Arjovsky et al. 2017). As in their code, D takes 100 steps before each of the
    # first 25 steps of G and before every 500th, and 5 before the others.
    "scenes-wgan": partial(
        _critic, loss=replace(CLIPPING, D_trains_ahead=True, clip_when="before"), lrate=5e-5,
        adam=NetworkOptimizerSettings(kind="rmsprop_torch", beta2=0.99, epsilon=1e-8),
    ),
    # Clipping after each of D's five steps and TensorFlow's RMSProp, as in the code of Gulrajani et al. 2017.
    "scenes-wgan-tf": partial(
        _critic, loss=CLIPPING, lrate=5e-5, adam=NetworkOptimizerSettings(kind="rmsprop_tf", beta2=0.9, epsilon=1e-10)
    ),
    # D normalises each image, with a gain and an offset for each feature map (Gulrajani's code), or for each pixel of each feature map
    # (PyTorch's LayerNorm); the study does not say which.
    "scenes-wgan-gp": partial(_critic, "layer"),
    "scenes-wgan-gp-elements": partial(_critic, "layer_per_element"),
    "scenes-wgan-gp-resnet": _resnet,
}  # fmt: skip
