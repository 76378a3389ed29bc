"""The presets of training runs, for editing, and the folder of the results.

A preset is a function that returns `TrainingSettings`; `PRESETS` contains its name. `train.py --preset NAME` trains with it, and
`--set group.name=value` changes one value. stylegan_tf/settings.py and docs/config.md explain every setting with its unit.
"""

from collections.abc import Callable
from dataclasses import replace

from stylegan_tf import study_presets
from stylegan_tf.errors import UserError, did_you_mean
from stylegan_tf.models.stylegan import settings as stylegan_settings
from stylegan_tf.models.stylegan2 import settings as stylegan2_settings
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

RESULTS_DIR = "results"  # run folders are made here
CPU_RESOLUTION, GPU_RESOLUTION = 64, 256  # largest resolution that is chosen for photographs: larger ones need days
PHOTOGRAPH_RESOLUTION = {"demo": 32, "leaves64": 64}  # the same for presets whose networks are for one resolution
FEW_IMAGES = 5000  # with fewer, the score of a run on a GPU is best long before 25,000 kimg

# The paper's tables. The first one is for 8 GPUs: presets keep it as the global minibatch on any number of devices.
PAPER_MINIBATCH = {
    8: ({4: 512, 8: 256, 16: 128, 32: 64, 64: 32}, 32),
    4: ({4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16}, 16),
    2: ({4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8}, 8),
    1: ({4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4}, 4),
}
PAPER_LRATE = {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003}


def paper_schedule(num_gpus: int = 8) -> ScheduleSettings:
    """The paper's schedule, with its minibatch table for a number of GPUs (8, 4, 2 or 1)."""
    if num_gpus not in PAPER_MINIBATCH:
        raise UserError(f"The paper has minibatch tables for {sorted(PAPER_MINIBATCH)} GPUs. Received: {num_gpus}")
    by_resolution, base = PAPER_MINIBATCH[num_gpus]
    return ScheduleSettings(
        total_kimg=25000,
        start_resolution=8,
        steady_kimg=600,
        fade_kimg=600,
        minibatch_base=base,
        minibatch_by_resolution=dict(by_resolution),
        G_lrate_by_resolution=dict(PAPER_LRATE),
        D_lrate_by_resolution=dict(PAPER_LRATE),
    )


def stylegan(**changes) -> TrainingSettings:
    """The paper's run (configuration F) at the dataset's own resolution, up to 1024x1024, with its 8-GPU minibatches."""
    run = {"schedule": paper_schedule(), "data": DataSettings(path="datasets/ffhq", mirror=True), "run": RunSettings(grid_size="4k")}
    return stylegan_settings.Settings(name="stylegan", **{**run, **changes})


# Configurations F to A of the paper's table 1: the options of G in which each differs from the one before.
ABLATIONS = {
    "f": {},
    "e": {"style_mixing_prob": None},
    "d": {"use_noise": False},
    "c": {"const_input": False},  # a dense layer on w
    # Without mapping network, styles and truncation, with pixel norm.
    "b": {"use_styles": False, "use_pixel_norm": True, "use_instance_norm": False, "mapping_layers": 0, "truncation_psi": None},
    "a": {"blur_filter": None},
}


def _ablated(letter: str, **changes) -> TrainingSettings:
    """A configuration of the paper's table 1 with the minibatches for 1 GPU."""
    options: dict = {}
    for number, added in ABLATIONS.items():
        options |= added
        if number == letter:
            break
    return stylegan(**{"G": stylegan_settings.GeneratorSettings(**options), "schedule": paper_schedule(1), **changes})


def stylegan_a() -> TrainingSettings:
    """Configuration A, the progressive GAN (Karras et al. 2018): no blur, WGAN-GP, from 4x4, 12,000 kimg, G averaged in each iteration."""
    rates = {"G_lrate_by_resolution": {1024: 0.0015}, "D_lrate_by_resolution": {1024: 0.0015}}
    return _ablated(
        "a",
        D=stylegan_settings.DiscriminatorSettings(blur_filter=None),
        loss=LossSettings(G="wgan", D="wgan_gp", regulariser=None, wgan_drift=0.001, gp_lambda=10),
        optimizer=OptimizerSettings(ema_decay=0.999),
        schedule=replace(paper_schedule(1), total_kimg=12000, start_resolution=4, **rates),
    )


def _flowers(mapping_layers: int) -> TrainingSettings:
    """StyleGAN on flowers, 256x256, with this number of mapping layers; all classes are shown equally often."""
    return stylegan(
        G=stylegan_settings.GeneratorSettings(mapping_layers=mapping_layers),
        schedule=paper_schedule(1),
        data=DataSettings(path="datasets/flowers", resolution=256, mirror=True, balance="uniform"),
        run=RunSettings(),
    )


def leaves64() -> TrainingSettings:
    """64x64 photographs on one CPU or one small GPU: a narrow network and a short growth, less than an hour on 2 cores."""
    # Small minibatches, R1 in every 4th step and falling learning rates as in `demo` (docs/apple_leaves.md).
    return stylegan_settings.Settings(
        name="leaves64",
        G=stylegan_settings.GeneratorSettings(z_dim=64, w_dim=64, mapping_fmaps=64, fmap_base=512, fmap_max=64),
        D=stylegan_settings.DiscriminatorSettings(fmap_base=512, fmap_max=64),
        loss=LossSettings(gamma=5.0, gamma_by_resolution={16: 2.0, 32: 0.5, 64: 0.25}, lazy_interval=4),
        optimizer=OptimizerSettings(reset_on_growth=False, ema_kimg=1),
        schedule=ScheduleSettings(
            total_kimg=100,
            steady_kimg_by_resolution={8: 5, 16: 10, 32: 20},
            fade_kimg_by_resolution={16: 3, 32: 3, 64: 4},
            minibatch_base=8,
            G_lrate=0.01,
            D_lrate=0.01,
            lrate_end_share=0.05,
            tick_kimg=2,
            tick_kimg_by_resolution={8: 4, 16: 4},
        ),
        data=DataSettings(path="datasets/apple", mirror=True),
        run=RunSettings(grid_columns=12, grid_rows=6, network_snapshot_ticks=4, state_ticks=2),
    )


def photos32() -> TrainingSettings:
    """32x32 photographs on one CPU: the networks of `leaves64`, without growth, with a weak gradient penalty, half an hour at most."""
    # FID of 900 corridors after 80 kimg: 127; with growth and gamma 0.5, 153 (docs/small_datasets.md).
    settings = leaves64()
    return replace(
        settings,
        loss=LossSettings(gamma=0.02, lazy_interval=4),
        schedule=replace(settings.schedule, total_kimg=80, start_resolution=32),
        data=DataSettings(path="datasets/images", resolution=32, mirror=True),
        run=replace(settings.run, network_snapshot_ticks=10),
    )


def demo() -> TrainingSettings:
    """32x32 drawn leaves, growing from 8x8, minutes on 2 cores: a first run."""
    # Small minibatches (twice as many steps in the same time as with 16), R1 in every 4th step, a short growth, and learning rates
    # that start high and fall to a tenth: with constant rates, the outlines are rough (docs/experiments.md).
    return stylegan_settings.Settings(
        name="demo",
        G=stylegan_settings.GeneratorSettings(
            z_dim=64,
            w_dim=64,
            mapping_layers=4,
            mapping_fmaps=64,
            fmap_base=512,
            fmap_max=64,
            truncation_psi=1,  # the average w is that of all species
        ),
        D=stylegan_settings.DiscriminatorSettings(fmap_base=512, fmap_max=64),
        loss=LossSettings(gamma=10.0, gamma_by_resolution={32: 5.0}, lazy_interval=4),
        optimizer=OptimizerSettings(reset_on_growth=False, ema_kimg=0.5),
        schedule=ScheduleSettings(
            total_kimg=30,
            steady_kimg_by_resolution={8: 4, 16: 6},
            fade_kimg_by_resolution={16: 2, 32: 2},
            minibatch_base=8,
            G_lrate=0.01,
            D_lrate=0.01,
            lrate_end_share=0.1,
            tick_kimg=2,
            tick_kimg_by_resolution={},
        ),
        data=DataSettings(path="datasets/leaves32", conditional=True),
        run=RunSettings(grid_columns=12, network_snapshot_ticks=10, state_ticks=5),
    )


def stylegan2_auto(resolution: int, num_gpus: int = 1) -> TrainingSettings:
    """The "auto" configuration of StyleGAN2-ADA for a resolution and a number of GPUs, with its adaptive augmentation.

    Source: the formulas of that release, which were fitted to a few good runs.
    """
    minibatch = max(min(num_gpus * min(4096 // resolution, 32), 64), num_gpus)
    group = min(minibatch // num_gpus, 4)
    settings = _stylegan2(
        resolution, minibatch, group, fmap_base=32768 if resolution >= 512 else 16384,
        lrate=0.002 if resolution >= 1024 else 0.0025, gamma=0.0002 * resolution**2 / minibatch, ema_kimg=minibatch * 10 / 32,
        ema_rampup=0.05, mapping_layers=2,
    )  # fmt: skip
    return replace(settings, name=f"stylegan2-auto-{resolution}", augment=AugmentSettings(kind="ada"))


def scenes_stylegan2_ada() -> TrainingSettings:
    """`stylegan2_auto` at 64x64 on scenes, 5,000 kimg, as in the study of scenes (48 hours on a T4)."""
    base = stylegan2_auto(64)
    return replace(base, data=replace(base.data, path="datasets/corridor"), schedule=replace(base.schedule, total_kimg=5000))


def stylegan2_cifar() -> TrainingSettings:
    """The runs of StyleGAN2-ADA's paper on CIFAR-10, 32x32: no path length, no style mixing, a discriminator of plain blocks."""
    settings = _stylegan2(32, 64, 32, fmap_base=32768, lrate=0.0025, gamma=0.01, ema_kimg=500, ema_rampup=0.05,
                          mapping_layers=2)  # fmt: skip
    # In the release, G's rate and decay are those for path lengths in every 4th iteration.
    adam = NetworkOptimizerSettings(beta2=0.99**0.8)
    return replace(
        settings,
        G=replace(settings.G, style_mixing_prob=None),
        D=replace(settings.D, architecture="orig"),
        path_length=stylegan2_settings.PathLengthSettings(weight=0),
        optimizer=replace(settings.optimizer, G=adam),
        schedule=replace(settings.schedule, total_kimg=100_000, G_lrate=0.0025 * 0.8),
    )


def _stylegan2(
    resolution: int, minibatch: int, group: int, *, fmap_base: int, lrate: float, gamma: float, ema_kimg: float,
    ema_rampup: float | None = None, mapping_layers: int = 8,
) -> TrainingSettings:  # fmt: skip
    """A configuration of StyleGAN2-ADA, by its differences: minibatch and group of its statistics, widths, rates, R1, average of G."""
    return stylegan2_settings.Settings(
        name="stylegan2",
        G=stylegan2_settings.GeneratorSettings(fmap_base=fmap_base, mapping_layers=mapping_layers),
        D=stylegan2_settings.DiscriminatorSettings(fmap_base=fmap_base, mbstd_group_size=group),
        loss=LossSettings(gamma=gamma, lazy_interval=16),
        optimizer=OptimizerSettings(ema_kimg=ema_kimg, ema_rampup=ema_rampup),
        schedule=ScheduleSettings(
            start_resolution=resolution, minibatch_base=minibatch, G_lrate=lrate, D_lrate=lrate, tick_kimg=4, tick_kimg_by_resolution={}
        ),
        data=DataSettings(path="datasets/images", resolution=resolution),
        run=RunSettings(network_snapshot_ticks=50),
    )


def automatic(
    resolution: int, num_images: int, *, num_gpus: int, wanted_resolution: int | None = None
) -> tuple[TrainingSettings, dict[str, str]]:
    """The settings of a run without a preset, and the reason for each choice.

    Args:
        resolution: of the dataset.
        num_images: of the dataset.
        num_gpus: 0 for the CPU.
        wanted_resolution: of the run, if the user has chosen it.

    Returns:
        The settings, and the reasons by topic.
    """
    side = wanted_resolution or min(resolution, GPU_RESOLUTION if num_gpus else CPU_RESOLUTION)
    size, few = f"{side}x{side}", num_images < FEW_IMAGES
    reasons = {"resolution": f"{size}, that of the dataset"}
    if wanted_resolution:
        reasons["resolution"] = f"{size}, as requested"
    elif side < resolution:
        time = "which takes days on a GPU" if num_gpus else "which takes hours on a CPU"
        reasons["resolution"] = f"{size}, {time}; the dataset has {resolution}x{resolution} (--set data.resolution={resolution})"
    if num_gpus:
        settings = stylegan2_auto(side, num_gpus)
        total_kimg = 5000 if few else 25000
        reasons["model"] = "stylegan2: larger networks than a CPU can train"
        reasons["augmentation"] = "ada: its strength is adapted to the overfitting of D"
    else:
        settings = demo() if side <= 32 else leaves64()
        total_kimg = max(60, settings.schedule.total_kimg)
        reasons["model"] = "stylegan with at most 64 feature maps, small enough for a CPU"
        # 300 leaves, 500 times each: FID 92 without, 135 with DiffAugment (docs/small_datasets.md).
        reasons["augmentation"] = "none: runs of this length were better without it, even with 300 images"
    reasons["length"] = f"{total_kimg:g} kimg: every image is shown {total_kimg * 1000 / num_images:,.0f} times (--total-kimg changes it)"
    schedule = replace(settings.schedule, total_kimg=total_kimg, if_too_short="rescale")
    if settings.grows:
        schedule = replace(schedule, start_resolution=min(schedule.start_resolution, side))
    return replace(settings, name="auto", data=DataSettings(resolution=side), schedule=schedule), reasons


# Name -> function that returns the settings, which then get this name.
PRESETS: dict[str, Callable[[], TrainingSettings]] = {
    "demo": demo,
    "leaves64": leaves64,
    "photos32": photos32,
    # The paper's run, with its minibatches for 8, 4, 2 and 1 GPUs, and at smaller resolutions.
    "stylegan": stylegan,
    "stylegan-4gpu": lambda: stylegan(schedule=paper_schedule(4)),
    "stylegan-2gpu": lambda: stylegan(schedule=paper_schedule(2)),
    "stylegan-1gpu": lambda: stylegan(schedule=paper_schedule(1)),
    "stylegan-512": lambda: stylegan(data=DataSettings(path="datasets/ffhq", resolution=512, mirror=True)),
    "stylegan-256": lambda: stylegan(data=DataSettings(path="datasets/ffhq", resolution=256, mirror=True)),
    "stylegan2-auto": lambda: stylegan2_auto(64),
    # The runs of StyleGAN2-ADA's paper, without augmentation (`--set augment.kind=ada` adds it).
    "stylegan2-paper256": lambda: _stylegan2(256, 64, 8, fmap_base=16384, lrate=0.0025, gamma=1, ema_kimg=20),
    "stylegan2-paper512": lambda: _stylegan2(512, 64, 8, fmap_base=32768, lrate=0.0025, gamma=0.5, ema_kimg=20),
    "stylegan2-paper1024": lambda: _stylegan2(1024, 32, 4, fmap_base=32768, lrate=0.002, gamma=2, ema_kimg=10),
    "stylegan2-cifar": stylegan2_cifar,
    "scenes-stylegan2-ada": scenes_stylegan2_ada,
    "scenes-stylegan2": lambda: replace(scenes_stylegan2_ada(), augment=AugmentSettings()),  # requested by the study
    "stylegan-a": stylegan_a,
    "stylegan-b": lambda: _ablated("b"),
    "stylegan-c": lambda: _ablated("c"),
    "stylegan-d": lambda: _ablated("d"),
    "stylegan-e": lambda: _ablated("e"),
    "stylegan-f": lambda: _ablated("f"),
    "flowers-4": lambda: _flowers(4),  # as in the code of the study of flowers; its text says 5
    "flowers-5": lambda: _flowers(5),
    "flowers-8": lambda: _flowers(8),
    **study_presets.PRESETS,
}


def preset(name: str) -> TrainingSettings:
    """The preset of that name.

    Raises:
        UserError: an unknown preset (the message lists all), or it is not a function that returns settings.
    """
    if name not in PRESETS:
        raise UserError(f"Unknown preset {name}.{did_you_mean(name, PRESETS)} Known: {', '.join(PRESETS)}.")
    settings = PRESETS[name]() if callable(PRESETS[name]) else None
    if not isinstance(settings, TrainingSettings):
        raise UserError(f"The preset {name} of config.py must be a function that returns settings.")
    return replace(settings, name=name)
