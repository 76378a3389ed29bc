"""Everything that can be set about a training run, as frozen dataclasses: one field, one meaning, one unit.

`config.py` composes these into presets; `settings_text` reads and writes them; `training.settings_check` refuses what cannot work.
A mapping `..._by_resolution` overrides the value beside it at the resolutions it names. The resolution that tables are
read at is full / 2^floor(lod): a resolution being faded in counts already.
"""

from dataclasses import dataclass, field
from typing import Literal

# Tick length of the paper's runs, kimg by resolution.
PAPER_TICK_KIMG = {4: 160.0, 8: 140.0, 16: 120.0, 32: 100.0, 64: 80.0, 128: 60.0, 256: 40.0, 512: 30.0, 1024: 20.0}

GeneratorLoss = Literal["logistic_nonsaturating", "logistic_saturating", "wgan", "hinge"]
DiscriminatorLoss = Literal["logistic", "wgan", "wgan_gp", "hinge", "hinge_gp"]


@dataclass(frozen=True)
class GeneratorSettings:
    """Arguments of `networks.Generator` that do not follow from the dataset."""

    z_dim: int = 512  # features of a latent
    w_dim: int = 512  # features of an intermediate latent
    mapping_layers: int = 8  # dense layers from z to w, 0 to 16
    mapping_fmaps: int = 512  # width of the hidden mapping layers
    mapping_lrmul: float = 0.01  # learning rate of the mapping network relative to the rest
    mapping_nonlinearity: Literal["lrelu", "relu"] = "lrelu"  # of the mapping network
    normalize_latents: bool = True  # pixel norm on z before the mapping network
    use_wscale: bool = True  # equalised learning rate
    fmap_base: int = 8192  # feature maps at stage s: min(fmap_base / 2^(s fmap_decay), fmap_max), s = log2(resolution) - 1
    fmap_decay: float = 1.0  # how fast feature maps become fewer with resolution
    fmap_max: int = 512  # most feature maps anywhere
    use_styles: bool = True  # AdaIN; off: w enters through the first layer only
    const_input: bool = True  # learned 4x4 constant; off: a dense layer on w
    use_noise: bool = True  # noise inputs of every layer
    nonlinearity: Literal["lrelu", "relu"] = "lrelu"  # of the convolutions
    use_pixel_norm: bool = False  # every pixel scaled to unit length over its features (configuration B)
    use_instance_norm: bool = True  # every feature map of an image to mean 0 and deviation 1 before its style
    blur_filter: tuple[int, ...] | None = (1, 2, 1)  # low-pass filter after each upscaling, None for none
    w_avg_beta: float | None = 0.995  # decay of the moving average of w, per batch; None keeps no average
    style_mixing_prob: float | None = 0.9  # share of batches that are mixed from two latents; None for none
    truncation_psi: float | None = 0.7  # default truncation at use, never in training
    truncation_cutoff: int | None = 8  # layers truncated at use
    fused_scale: bool | Literal["auto"] = "auto"  # upscaling and convolution in one kernel: same numbers, other speed


@dataclass(frozen=True)
class DiscriminatorSettings:
    """Arguments of `networks.Discriminator` that do not follow from the dataset."""

    fmap_base: int = 8192  # as in the generator
    fmap_decay: float = 1.0  # how fast feature maps become fewer with resolution
    fmap_max: int = 512  # most feature maps anywhere
    nonlinearity: Literal["lrelu", "relu"] = "lrelu"  # of the convolutions
    use_wscale: bool = True  # equalised learning rate
    mbstd_group_size: int = 4  # samples of a minibatch-stddev group, 0 or 1 for none
    mbstd_num_features: int = 1  # feature maps that minibatch stddev adds
    blur_filter: tuple[int, ...] | None = (1, 2, 1)  # low-pass filter before each downscaling, None for none
    fused_scale: bool | Literal["auto"] = "auto"  # convolution and downscaling in one kernel


@dataclass(frozen=True)
class LossSettings:
    """Loss functions of both networks."""

    G: GeneratorLoss = "logistic_nonsaturating"  # loss of the generator
    D: DiscriminatorLoss = "logistic"  # loss of the discriminator
    regulariser: Literal["r1", "r2", "r1+r2"] | None = "r1"  # gradient penalty on real (r1) or generated (r2) images, or on both
    gamma: float = 10.0  # weight of r1 or r2: gamma / 2 * sum of squared gradients by the pixels of the full resolution
    gamma_by_resolution: dict[int, float] = field(default_factory=dict)
    r2_gamma: float | None = None  # weight of r2 beside r1 (r1+r2), None for the same as r1
    lazy_interval: int = 1  # r1 and r2 in every n-th step of D only, n times as strong there: 16 saves time, 1 is the original
    wgan_drift: float = 0.001  # weight of the squared real logits (wgan, wgan_gp)
    gp_lambda: float = 10.0  # weight of the penalty on mixed images (wgan_gp, hinge_gp)
    gp_target: float = 1.0  # norm of the gradient that this penalty pulls to


@dataclass(frozen=True)
class OptimizerSettings:
    """Both Adam optimizers (TensorFlow 1's: epsilon outside the bias correction) and the averaging of G."""

    beta1: float = 0.0  # decay of the mean of the gradients, per step
    beta2: float = 0.99  # decay of the mean of their squares, per step
    epsilon: float = 1e-8  # added to the root of that mean
    reset_on_growth: bool = True  # fresh optimizers whenever floor(lod) or ceil(lod) changes
    ema_kimg: float = 10.0  # half-life of the average of G's weights, kimg: beta = 0.5^(minibatch / (1000 ema_kimg))


@dataclass(frozen=True)
class ScheduleSettings:
    """What changes while a run goes on, as a function of the real images shown."""

    total_kimg: float = 25000.0  # length of the run, thousands of real images shown to D
    start_resolution: int = 8  # resolution of the first images; the dataset's own for no growing
    steady_kimg: float = 600.0  # kimg at a resolution before the next one starts to fade in
    steady_kimg_by_resolution: dict[int, float] = field(default_factory=dict)
    fade_kimg: float = 600.0  # kimg in which a resolution fades in
    fade_kimg_by_resolution: dict[int, float] = field(default_factory=dict)
    if_too_short: Literal["refuse", "rescale", "allow"] = "refuse"  # total_kimg ends before the full resolution is reached
    minibatch_base: int = 32  # images of a step, over all devices
    minibatch_by_resolution: dict[int, int] = field(default_factory=dict)
    max_minibatch_per_device: int | None = None  # largest part computed at once; the rest is accumulated
    max_minibatch_per_device_by_resolution: dict[int, int] = field(default_factory=dict)
    minibatch_follows_devices: bool = False  # as the original: cut to a multiple of the devices, and capped, not accumulated
    G_lrate: float = 0.001  # learning rate of G
    G_lrate_by_resolution: dict[int, float] = field(default_factory=dict)
    D_lrate: float = 0.001  # learning rate of D
    D_lrate_by_resolution: dict[int, float] = field(default_factory=dict)
    lrate_rampup_kimg: float = 0.0  # both learning rates rise linearly from 0 over this many kimg
    tick_kimg: float = 160.0  # kimg between two tick lines
    tick_kimg_by_resolution: dict[int, float] = field(default_factory=lambda: dict(PAPER_TICK_KIMG))
    num_pairs_per_look: int = 4  # pairs of a D step and a G step between two looks at the schedule


@dataclass(frozen=True)
class DataSettings:
    """The real images."""

    path: str = ""  # folder of TFRecords made by dataset_tool.py
    resolution: int | None = None  # train at this resolution instead of the dataset's own (a level of its records)
    mirror: bool = False  # flip half of the images left to right: faces yes, letters no
    conditional: bool = False  # train with the labels of the dataset
    balance: Literal["none", "sqrt", "uniform"] = "none"  # draw classes as often as images, by the root of that, or equally often
    shuffle: bool = True  # off: the order of the records


@dataclass(frozen=True)
class RunSettings:
    """How a run is carried out: none of these changes what is learned, but precision and seed change its digits."""

    seed: int = 0  # seed of weights, latents, noise and data order
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"  # auto: bfloat16 where the chip has it
    num_gpus: int | None = None  # GPUs to use, None for all that are visible
    is_deterministic: bool = False  # the same digits on every run on the same machine, somewhat slower
    use_xla: bool = False  # compile the steps with XLA: worth trying on GPUs, slow on CPUs
    pairs_per_call: int = 1  # pairs of steps in one call of TensorFlow: more keeps a GPU busy at small images; a trace takes longer
    grid_size: Literal["1080p", "4k"] = "1080p"  # largest picture grid
    grid_columns: int | None = None  # columns of the picture grids, None for as many as fit
    grid_rows: int | None = None  # rows, likewise
    image_snapshot_ticks: int = 1  # ticks between two picture grids
    network_snapshot_ticks: int = 10  # ticks between two network snapshots
    state_ticks: int = 10  # ticks between two training states, from which a run can go on
    state_minutes: float = 10.0  # minutes after which a training state is written whatever the ticks
    keep_snapshots: int | None = None  # newest network snapshots kept, None for all; the best and the final one always stay
    metrics: str | None = None  # scores of every snapshot, such as fid5k,kid5k_full (--metrics)
    metric_images: int | None = None  # images of every score, instead of the number in its name (--metric-images)
    metric_minutes: float | None = None  # time that scoring a snapshot may take, None for no limit (--metric-minutes)
    best_metric: str | None = None  # a value of these metrics, such as fid5k or pr5k3_recall, whose best snapshot is kept
    on_nan: Literal["stop", "rollback"] = "stop"  # weights or losses not finite: stop, or go back to the last state
    max_rollbacks: int = 3  # times a run may go back
    max_logit: float = 1e6  # mean absolute logit above which training counts as run away
    weight_histograms: bool = False  # histograms of all weights in TensorBoard at every snapshot
    profile_graph: bool = False  # TensorFlow graph of the first steps in TensorBoard


@dataclass(frozen=True)
class TransferSettings:
    """Starting from another network."""

    init_from: str | None = None  # snapshot, run folder or official pickle
    min_share: float = 0.5  # refuse where less than this share of the weights can be copied or resized
    frozen_layers: int = 0  # convolutions of D, counted from the image, that stay as they are
    start_lod: float | None = None  # begin at this level of detail: 0 is full resolution; None follows the schedule


@dataclass(frozen=True)
class TrainingSettings:
    """One training run, whole."""

    name: str  # name of the preset, part of the run folder's name
    G: GeneratorSettings = field(default_factory=GeneratorSettings)
    D: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    data: DataSettings = field(default_factory=DataSettings)
    run: RunSettings = field(default_factory=RunSettings)
    transfer: TransferSettings = field(default_factory=TransferSettings)
