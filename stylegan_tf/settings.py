"""The settings of a training run of any model, as frozen dataclasses: each field has one meaning, one unit and one range.

`config.py` composes these into presets; `settings_text` reads, writes and checks them; `training.settings_check` refuses
combinations that cannot work. The settings of a model's networks are in its folder of `models/`.
A mapping `..._by_resolution` overrides the value beside it at the resolutions that it names. The resolution at which tables are
read is full / 2^floor(lod): a resolution that is being faded in counts already.
"""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from stylegan_tf.ranges import (
    Count,
    CountOrZero,
    Decay,
    Length,
    NotNegative,
    Number,
    Positive,
    PositiveShare,
    Range,
    Resolution,
    Seed,
    Share,
)

# Tick length of the paper's runs, kimg by resolution.
PAPER_TICK_KIMG = {4: 160.0, 8: 140.0, 16: 120.0, 32: 100.0, 64: 80.0, 128: 60.0, 256: 40.0, 512: 30.0, 1024: 20.0}

GeneratorLoss = Literal["logistic_nonsaturating", "logistic_saturating", "wgan", "hinge", "least_squares"]
DiscriminatorLoss = Literal["logistic", "wgan", "wgan_gp", "hinge", "hinge_gp", "least_squares"]
Target = Share | Annotated[tuple[Share, ...], Length(2, 2)]
AugmentPipe = Literal["blit", "geom", "color", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"]


@dataclass(frozen=True)
class LossSettings:
    """Loss functions of both networks."""

    G: GeneratorLoss = "logistic_nonsaturating"  # loss of the generator
    D: DiscriminatorLoss = "logistic"  # loss of the discriminator
    regulariser: Literal["r1", "r2", "r1+r2"] | None = "r1"  # gradient penalty on real (r1) or generated (r2) images, or on both
    gamma: NotNegative = 10.0  # weight of r1 or r2: gamma / 2 * sum of squared gradients with respect to pixels of the full resolution
    gamma_by_resolution: dict[Resolution, NotNegative] = field(default_factory=dict)
    r2_gamma: NotNegative | None = None  # weight of r2 beside r1 (r1+r2); none: the same as r1
    lazy_interval: Count = 1  # r1 and r2 in every n-th step of D, multiplied by n: 16 saves time, 1 is the original's
    wgan_drift: NotNegative = 0.001  # weight of the squared real logits (wgan, wgan_gp)
    gp_lambda: NotNegative = 10.0  # weight of the penalty on mixed images (wgan_gp, hinge_gp)
    gp_target: Positive = 1.0  # target of this penalty for the norm of the gradient
    lecam_weight: NotNegative = 0.0  # weight of LeCam's penalty on D's logits, for few images: 3e-7 to 1e-6 with ada; 0: no penalty
    D_steps: Count = 1  # steps of D for one step of G, each with other real images: 5 in the WGAN papers
    D_trains_ahead: bool = False  # 20 times D_steps before each of the first 25 steps of G and before every 500th (WGAN's own code)
    D_min_loss: Number | None = None  # a step of D is skipped if D's loss is not above this; none: no step is skipped
    real_target: Target = 1.0  # D's target for real images (logistic): a number, or the range [min, max] of random targets
    fake_target: Target = 0.0  # D's target for generated images, in the same form
    clip: Positive | None = None  # D's weights are clipped to [-clip, clip] (WGAN); none: not clipped
    clip_when: Literal["before", "after"] = "after"  # clipping before or after each step of D


@dataclass(frozen=True)
class AugmentSettings:
    """Random transforms of the input of D, real and generated images alike, for datasets of few images."""

    kind: Literal["none", "ada", "diffaugment"] = "none"  # ada: up to eighteen transforms; diffaugment: colour, translation, cutout
    pipe: AugmentPipe = "bgc"  # transforms of ada: blits (flips, quarter turns, shifts), geometry, colour, filter, noise, cutout
    p: Share | None = None  # fixed probability of each transform; none: adaptive (ada), 1 (diffaugment)
    target: Annotated[float, Range(-1, 1)] = 0.6  # p increases while the mean sign of D's logits for real images is above this
    interval: Count = 4  # iterations between two adjustments of p
    kimg: Positive | None = None  # kimg in which p can change by at most 1; none: 500, or 100 with transfer.init_from
    cap: Share = 0.8  # largest p: with a larger one, transforms can appear in generated images


@dataclass(frozen=True)
class NetworkOptimizerSettings:
    """The optimizer of one network."""

    kind: Literal["adam", "rmsprop_tf", "rmsprop_torch"] = "adam"  # Adam of TensorFlow 1, or RMSProp of either framework
    beta1: Decay = 0.0  # decay of the mean of the gradients, per step (Adam only)
    beta2: Decay = 0.99  # decay of the mean of their squares, per step
    epsilon: Positive = 1e-8  # added to the root of that mean (rmsprop_tf: to the mean)


@dataclass(frozen=True)
class OptimizerSettings:
    """Both optimizers and the moving average of G's weights."""

    G: NetworkOptimizerSettings = field(default_factory=NetworkOptimizerSettings)
    D: NetworkOptimizerSettings = field(default_factory=NetworkOptimizerSettings)
    reset_on_growth: bool = True  # reset the optimizers whenever floor(lod) or ceil(lod) changes
    ema_kimg: NotNegative = 10.0  # half-life of the average of G's weights, kimg; 0: no average, G_ema is a copy of G
    ema_rampup: NotNegative | None = None  # the half-life is at most this share of the images shown so far; none: no such limit
    ema_decay: Decay | None = None  # decay of the average per iteration, for any minibatch; none: computed from ema_kimg


@dataclass(frozen=True)
class ScheduleSettings:
    """What changes in the course of a run, as a function of the real images shown."""

    total_kimg: Positive = 25000.0  # length of the run, thousands of real images shown to D
    start_resolution: Resolution = 8  # resolution of the first images; that of the dataset: no growing
    steady_kimg: NotNegative = 600.0  # kimg at a resolution before the next one starts to fade in
    steady_kimg_by_resolution: dict[Resolution, NotNegative] = field(default_factory=dict)
    fade_kimg: NotNegative = 600.0  # kimg in which a resolution fades in
    fade_kimg_by_resolution: dict[Resolution, NotNegative] = field(default_factory=dict)
    if_too_short: Literal["refuse", "rescale", "allow"] = "refuse"  # total_kimg ends before the full resolution is reached
    minibatch_base: Count = 32  # images of a step, over all devices
    minibatch_by_resolution: dict[Resolution, CountOrZero] = field(default_factory=dict)
    max_minibatch_per_device: Count | None = None  # largest part computed at once; the rest is accumulated
    max_minibatch_per_device_by_resolution: dict[Resolution, Count] = field(default_factory=dict)
    minibatch_follows_devices: bool = False  # as in the original: reduced to a multiple of the devices and limited, without accumulation
    G_lrate: NotNegative = 0.001  # learning rate of G
    G_lrate_by_resolution: dict[Resolution, NotNegative] = field(default_factory=dict)
    D_lrate: NotNegative = 0.001  # learning rate of D
    D_lrate_by_resolution: dict[Resolution, NotNegative] = field(default_factory=dict)
    lrate_rampup_kimg: NotNegative = 0.0  # both learning rates rise linearly from 0 over this many kimg
    lrate_end_share: PositiveShare = 1.0  # both learning rates fall exponentially to this share at total_kimg; 1: constant rates
    lrate_decay: Share = 1.0  # both learning rates are multiplied by this after every lrate_decay_kimg; 1: constant rates
    lrate_decay_kimg: Positive = 50.0  # kimg between two such multiplications
    tick_kimg: Positive = 160.0  # kimg between two tick lines
    tick_kimg_by_resolution: dict[Resolution, Positive] = field(default_factory=lambda: dict(PAPER_TICK_KIMG))
    iterations_per_update: Count = 4  # iterations (all steps of D and G once) between two updates of the schedule


@dataclass(frozen=True)
class DataSettings:
    """The real images."""

    path: str = ""  # folder of TFRecords made by dataset_tool.py
    resolution: Resolution | None = None  # train at this resolution instead of the dataset's own (a level of its records)
    mirror: bool = False  # flip half of the images horizontally: for faces, not for letters
    conditional: bool = False  # train with the labels of the dataset
    balance: Literal["none", "sqrt", "uniform"] = "none"  # weight of a class: its number of images (none), the square root of it, or 1
    shuffle: bool = True  # false: in the order of the records


@dataclass(frozen=True)
class RunSettings:
    """How a run is executed: only seed and precision change its numbers."""

    seed: Seed = 0  # seed of weights, latents, noise and data order
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"  # auto: bfloat16 on Ampere or later, and with AMX
    num_gpus: CountOrZero | None = None  # GPUs to use; 0: the CPU; none: all that are visible
    worker_minutes: Positive = 10.0  # with TF_CONFIG: minutes to wait for the other machines to start
    is_deterministic: bool = False  # bit-identical results of every run on the same machine; slower
    xla: Literal["auto", "on", "off"] = "auto"  # compile the steps with XLA; auto: on GPUs of compute capability 7.0 to 9.0
    iterations_per_call: Count = 1  # iterations in one call of TensorFlow: several are faster on a GPU with small images
    grid_size: Literal["1080p", "4k"] = "1080p"  # largest image grid
    grid_columns: Count | None = None  # columns of the image grids; none: as many as fit
    grid_rows: Count | None = None  # rows of the image grids; none: as many as fit
    image_snapshot_ticks: Count = 1  # ticks between two image grids
    network_snapshot_ticks: Count = 10  # ticks between two network snapshots
    state_ticks: Count = 10  # ticks between two training states, from which a run can be resumed
    state_minutes: Positive = 10.0  # minutes after which a training state is written in any case
    keep_snapshots: Count | None = None  # newest network snapshots kept; none: all; the best and the final one are always kept
    metrics: str | None = None  # scores of every snapshot, such as fid5k,kid5k_full (--metrics)
    metric_images: Count | None = None  # images of every score, instead of the number in its name (--metric-images)
    metric_minutes: Positive | None = None  # time that scoring a snapshot may take; none: no limit (--metric-minutes)
    best_metric: str | None = None  # a value of these metrics, such as fid5k or pr5k3_recall, whose best snapshot is kept
    on_nan: Literal["stop", "rollback"] = "stop"  # if weights or losses are not finite: stop, or continue from the last state
    max_rollbacks: CountOrZero = 3  # rollbacks after which the run stops
    max_logit: Positive = 1e6  # mean absolute logit above which training counts as diverged
    weight_histograms: bool = False  # histograms of all weights in TensorBoard at every snapshot
    profile_graph: bool = False  # TensorFlow graph of the first steps in TensorBoard


@dataclass(frozen=True)
class TransferSettings:
    """Starting from another network."""

    init_from: str | None = None  # snapshot, run folder or official pickle
    min_share: Share = 0.5  # smallest share of weights that must be copied or resized; otherwise the run is refused
    frozen_layers: CountOrZero = 0  # convolutions of D, counted from the image, that are not trained
    start_lod: NotNegative | None = None  # level of detail of the first images, 0: full resolution; none: that of the schedule


@dataclass(frozen=True)
class NetworkSettings:
    """Base of the settings of a network: everything that describes it but its shape.

    Class attributes:
        changeable: settings that may differ when a run is resumed: defaults at use and choices of speed, not what was learned.
    """

    changeable: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class TrainingSettings:
    """One training run, whole. A model's own settings derive from this, add `G` and `D`, those of its networks, and its rules.
    `G` has z_dim.

    Class attributes:
        grows: whether the networks work at any level of detail.
        has_styles: whether the generator is a `models.base.StyleGenerator`; its settings then have w_dim and num_ws(resolution).
    """

    grows: ClassVar[bool] = False
    has_styles: ClassVar[bool] = False

    name: str  # name of the preset, as in config.py
    model: str = ""  # name of the model (models/__init__.py lists them); each model's settings fix it
    loss: LossSettings = field(default_factory=LossSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    data: DataSettings = field(default_factory=DataSettings)
    run: RunSettings = field(default_factory=RunSettings)
    transfer: TransferSettings = field(default_factory=TransferSettings)

    @property
    def group_size(self) -> int:
        """Samples of a minibatch that one device must compute together; 0 or 1 for no such groups."""
        return 1

    @property
    def needs_whole_minibatch(self) -> bool:
        """Whether statistics of the whole minibatch enter a step: it is not accumulated, and devices share it evenly."""
        return False

    def least_part(self, minibatch: int) -> int:
        """Images of a minibatch that must be computed at once."""
        return minibatch if self.needs_whole_minibatch else min(max(self.group_size, 1), minibatch)

    def check_networks(self) -> None:
        """Refuses combinations of the model's settings that cannot work.

        Raises:
            UserError: says what is wrong and what is possible.
        """

    def check_images(self, channels: int, label_size: int) -> None:
        """Refuses datasets with whose channels and labels the model's settings cannot work. Raises as `check_networks`."""


# Settings of earlier versions: old name -> new names. Files are read with them; on the command line they are named in a message.
RENAMED = {
    "optimizer.beta1": ("optimizer.G.beta1", "optimizer.D.beta1"),
    "optimizer.beta2": ("optimizer.G.beta2", "optimizer.D.beta2"),
    "optimizer.epsilon": ("optimizer.G.epsilon", "optimizer.D.epsilon"),
    "schedule.num_pairs_per_look": ("schedule.iterations_per_update",),
    "run.pairs_per_call": ("run.iterations_per_call",),
    "run.use_xla": ("run.xla",),
}
# Their values, where these have changed as well.
RENAMED_VALUES = {"run.use_xla": {True: "on", False: "off"}}
