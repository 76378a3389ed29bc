"""Presets of the studies of digits and scenes: DCGANs, conditional GANs and Wasserstein GANs. `config.py` adds them to its own."""

from collections.abc import Callable
from dataclasses import replace

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
    name: str, shared: dict, *, epochs: int, G: dict | None = None, D: dict | None = None, loss: LossSettings | None = None,
    lrate: float = 0.0002, schedule: dict | None = None, is_conditional: bool = False, G_step: dict | None = None,
) -> dcgan_settings.Settings:  # fmt: skip
    """A DCGAN for digits: what all share, and what differs."""
    return dcgan_settings.Settings(
        name=name,
        G=dcgan_settings.GeneratorSettings(**shared, **(G or {})),
        D=dcgan_settings.DiscriminatorSettings(**shared, **(D or {})),
        G_step=dcgan_settings.GStepSettings(reuse_fakes=False, **(G_step or {})),
        **_digits_run(epochs, loss=loss, lrate=lrate, schedule=schedule, is_conditional=is_conditional),
    )


def _digits_run(
    epochs: int, *, loss: LossSettings | None = None, lrate: float = 0.0002, schedule: dict | None = None, is_conditional: bool = False
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


def digits_dcgan() -> TrainingSettings:
    """DCGAN, the baseline of the study of digits: digits enlarged to 64x64, 1024 feature maps at 4x4, 25 epochs."""
    return _digits("digits-dcgan", {**COMPACT, "side": 64}, epochs=25)


def digits_dcgan_compact() -> TrainingSettings:
    """DCGAN for 28x28: 512 feature maps at 4x4, and a last kernel of 13x13 in G."""
    return _digits("digits-dcgan-compact", COMPACT, epochs=25)


def digits_dcgan_deep() -> TrainingSettings:
    """The compact G with a discriminator of five layers, whose last kernel is 2x2 here; the study does not say how it shrinks."""
    return _digits("digits-dcgan-deep", COMPACT, epochs=25, D={"last_side": 2})


def digits_dcgan_no_norm() -> TrainingSettings:
    """The compact DCGAN without batch normalisation."""
    return _digits("digits-dcgan-no-norm", {**COMPACT, "norm": "none"}, epochs=25)


def digits_dcgan_3_steps() -> TrainingSettings:
    """The compact DCGAN with 3 steps of D for one of G; as many steps of G as in 25 epochs of one step."""
    return _digits("digits-dcgan-3-steps", COMPACT, epochs=25, loss=LossSettings(regulariser=None, D_steps=3))


def digits_dcgan_fast() -> TrainingSettings:
    """The compact DCGAN with ten times the learning rate, 0.002."""
    return _digits("digits-dcgan-fast", COMPACT, epochs=25, lrate=0.002)


def digits_cgan() -> TrainingSettings:
    """Conditional GAN of dense layers, 100 epochs. The public code has no batch normalisation, although the study says "removed"."""
    return cgan_settings.Settings(name="digits-cgan", **_digits_run(100, is_conditional=True))


def _cdcgan(name: str, *, target: float = 1.0, **options) -> dcgan_settings.Settings:
    """A conditional DCGAN: 7x7 and 14x14 with kernels of 5x5, 30 epochs, rates that fall by 5 % in every 500 steps of D."""
    loss = LossSettings(regulariser=None, real_target=target)
    decay = {"lrate_decay": 0.95, "lrate_decay_kimg": 50}
    D = {"last_side": 7, **options.pop("D", {})}
    G = {"first_side": 7, **options.pop("G", {})}
    shared = {**CONDITIONAL, **options.pop("shared", {})}
    return _digits(name, shared, epochs=30, G=G, D=D, loss=loss, schedule=decay, is_conditional=True, **options)


def digits_cdcgan() -> TrainingSettings:
    """Conditional DCGAN: labels join the latent, and the image as constant planes. All ten digits are drawn (the public code: 0 to 8)."""
    return _cdcgan("digits-cdcgan")


def digits_cdcgan_no_norm() -> TrainingSettings:
    """The same without batch normalisation."""
    return _cdcgan("digits-cdcgan-no-norm", shared={"norm": "none"})


def digits_cdcgan_extended() -> TrainingSettings:
    """The same with two more layers in each network: a 5x5 convolution at each of both sides (the study does not give their shape)."""
    return _cdcgan("digits-cdcgan-extended", shared={"convs_per_side": 2})


def digits_cdcgan_branches() -> TrainingSettings:
    """The same with labels through a convolution of their own before they join (at 28x28 our own choice of widths)."""
    return _cdcgan("digits-cdcgan-branches", shared={"labels": "branches"})


def digits_cdcgan_smoothing() -> TrainingSettings:
    """The same with one-sided label smoothing: D's target for real digits is 0.9."""
    return _cdcgan("digits-cdcgan-smoothing", target=0.9)


def digits_cdcgan_feedback() -> TrainingSettings:
    """The same with smoothing, and the loss of a classifier in G's loss (`python -m stylegan_tf.lenet_training` trains it)."""
    return _cdcgan("digits-cdcgan-feedback", target=0.9, G_step={"classifier": "classifiers/document.npz", "alpha": 1.0})


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


def dcgan() -> dcgan_settings.Settings:
    """DCGAN as PyTorch's tutorial has it, 64x64: batches of 128, Adam 0.0002 with beta1 0.5, no average of G; 26 epochs of 15,100."""
    return dcgan_settings.Settings(
        name="dcgan", **_scenes_run(393, loss=LossSettings(regulariser=None), adam=DIGITS_ADAM, lrate=0.0002, minibatch=128)
    )


def scenes_dcgan_min_loss() -> TrainingSettings:
    """DCGAN whose D takes a step only where its loss is above 0.1."""
    return replace(dcgan(), name="scenes-dcgan-min-loss", loss=LossSettings(regulariser=None, D_min_loss=0.1))


def scenes_dcgan_noisy() -> TrainingSettings:
    """DCGAN with noisy labels: targets between 0.8 and 1, and between 0 and 0.2 (our own choice; the study does not give them)."""
    loss = LossSettings(regulariser=None, real_target=(0.8, 1.0), fake_target=(0.0, 0.2))
    return replace(dcgan(), name="scenes-dcgan-noisy", loss=loss)


def scenes_dcgan_ada() -> TrainingSettings:
    """DCGAN with adaptive augmentation, which the study asks for."""
    return replace(dcgan(), name="scenes-dcgan-ada", augment=AugmentSettings(kind="ada"))


def scenes_dcgan_wide() -> TrainingSettings:
    """DCGAN of twice the width, which the study asks for."""
    G, D = dcgan_settings.GeneratorSettings(fmaps=128), dcgan_settings.DiscriminatorSettings(fmaps=128)
    return replace(dcgan(), name="scenes-dcgan-wide", G=G, D=D)


def scenes_wgan() -> TrainingSettings:
    """WGAN with clipping before each of D's steps and PyTorch's RMSProp (Arjovsky et al. 2017).

    As in their code, D takes 100 steps before each of the first 25 steps of G and before every 500th, and 5 before the others.
    """
    loss = LossSettings(G="wgan", D="wgan", regulariser=None, wgan_drift=0, D_steps=5, D_trains_ahead=True, clip=0.01, clip_when="before")
    rmsprop = NetworkOptimizerSettings(kind="rmsprop_torch", beta2=0.99, epsilon=1e-8)
    return _critic("scenes-wgan", loss=loss, adam=rmsprop, lrate=5e-5)


def scenes_wgan_tf() -> TrainingSettings:
    """WGAN with clipping after each of D's five steps and TensorFlow's RMSProp, as in the code of Gulrajani et al. 2017."""
    loss = LossSettings(G="wgan", D="wgan", regulariser=None, wgan_drift=0, D_steps=5, clip=0.01)
    rmsprop = NetworkOptimizerSettings(kind="rmsprop_tf", beta2=0.9, epsilon=1e-10)
    return _critic("scenes-wgan-tf", loss=loss, adam=rmsprop, lrate=5e-5)


PENALTY = LossSettings(G="wgan", D="wgan_gp", regulariser=None, wgan_drift=0, gp_lambda=10, D_steps=5)
PENALTY_ADAM = NetworkOptimizerSettings(beta1=0.5, beta2=0.9)
CRITIC_KIMG = 11_200.0  # 35,000 steps of G, after which the study saw little gain; it went on to 97,500


def _critic(name: str, *, loss: LossSettings, adam: NetworkOptimizerSettings, lrate: float, norm: str = "batch") -> TrainingSettings:
    """DCGAN's networks with a critic: minibatches of 64, other latents in G's step."""
    return dcgan_settings.Settings(
        name=name,
        D=dcgan_settings.DiscriminatorSettings(norm=norm),
        G_step=dcgan_settings.GStepSettings(reuse_fakes=False),
        **_scenes_run(CRITIC_KIMG, loss=loss, adam=adam, lrate=lrate, minibatch=64),
    )


def scenes_wgan_gp() -> TrainingSettings:
    """DCGAN as WGAN-GP: D normalises each image, with a gain and an offset for each feature map (Gulrajani's code)."""
    return _critic("scenes-wgan-gp", loss=PENALTY, adam=PENALTY_ADAM, lrate=1e-4, norm="layer")


def scenes_wgan_gp_elements() -> TrainingSettings:
    """The same with a gain and an offset for each pixel of each feature map (PyTorch's LayerNorm); the study does not say which."""
    return _critic("scenes-wgan-gp-elements", loss=PENALTY, adam=PENALTY_ADAM, lrate=1e-4, norm="layer_per_element")


def scenes_wgan_gp_resnet() -> TrainingSettings:
    """Residual WGAN-GP for 64x64 (Gulrajani et al. 2017, appendix F), 28,000 steps of G."""
    return resnet_settings.Settings(
        name="scenes-wgan-gp-resnet", **_scenes_run(8_960, loss=PENALTY, adam=PENALTY_ADAM, lrate=1e-4, minibatch=64)
    )


PRESETS: dict[str, Callable[[], TrainingSettings]] = {
    "digits-dcgan": digits_dcgan,
    "digits-dcgan-compact": digits_dcgan_compact,
    "digits-dcgan-deep": digits_dcgan_deep,
    "digits-dcgan-no-norm": digits_dcgan_no_norm,
    "digits-dcgan-3-steps": digits_dcgan_3_steps,
    "digits-dcgan-fast": digits_dcgan_fast,
    "digits-cgan": digits_cgan,
    "digits-cdcgan": digits_cdcgan,
    "digits-cdcgan-no-norm": digits_cdcgan_no_norm,
    "digits-cdcgan-extended": digits_cdcgan_extended,
    "digits-cdcgan-branches": digits_cdcgan_branches,
    "digits-cdcgan-smoothing": digits_cdcgan_smoothing,
    "digits-cdcgan-feedback": digits_cdcgan_feedback,
    "dcgan": dcgan,
    "scenes-dcgan-min-loss": scenes_dcgan_min_loss,
    "scenes-dcgan-noisy": scenes_dcgan_noisy,
    "scenes-dcgan-ada": scenes_dcgan_ada,
    "scenes-dcgan-wide": scenes_dcgan_wide,
    "scenes-wgan": scenes_wgan,
    "scenes-wgan-tf": scenes_wgan_tf,
    "scenes-wgan-gp": scenes_wgan_gp,
    "scenes-wgan-gp-elements": scenes_wgan_gp_elements,
    "scenes-wgan-gp-resnet": scenes_wgan_gp_resnet,
}
