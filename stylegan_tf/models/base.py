"""The interface of a model: its networks, the phases of a training step, and its running values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from stylegan_tf import settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.layers.scaled import EqualizedDense
from stylegan_tf.losses import LeCam
from stylegan_tf.models.inputs import check_images, check_labels
from stylegan_tf.models.weights import resized
from stylegan_tf.resolution import Lod, check_resolution
from stylegan_tf.settings import NetworkSettings, TrainingSettings

if keras.config.backend() != "tensorflow":
    raise UserError(
        f"Keras was imported with the backend {keras.config.backend()}. Import stylegan_tf first, or set KERAS_BACKEND=tensorflow."
    )

Tensor = tf.Tensor


class Network(keras.Model):
    """Base of generators and discriminators: fully built by its constructor from one settings object and a shape.

    Args:
        settings: an instance of `settings_type`; None for its defaults.
        resolution: side of the full image, a power of two from 4 to 1024.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        label_size: width of the labels, 0 for an unconditional network.
        dtype: compute policy; None for "float32", whatever Keras' global policy is.
    """

    settings_type: ClassVar[type]

    def __init__(
        self, settings: NetworkSettings | None = None, *, resolution: int = 1024, channels: int = 3, label_size: int = 0, dtype=None,
        **kwargs,
    ):  # fmt: skip
        super().__init__(autocast=False, dtype=dtype or "float32", **kwargs)
        self.settings = self.settings_type() if settings is None else settings
        self.resolution = check_resolution(resolution)
        self.channels = channels
        self.label_size = label_size

    @property
    def shape_config(self) -> dict[str, int]:
        """The constructor's arguments except the settings, as keyword arguments."""
        return {"resolution": self.resolution, "channels": self.channels, "label_size": self.label_size}

    def check_labels(self, labels) -> None:
        """Raises ValueError unless a conditional network gets labels [N, label_size]."""
        check_labels(labels, self.label_size)

    def check_images(self, images, *sides: int) -> None:
        """Raises ValueError unless images are float [N, S, S, channels], where S is the full resolution or one of `sides`."""
        side = images.shape[1]
        check_images(images, side if side in sides else self.resolution, self.channels)

    def get_config(self):
        """Arguments of the constructor, as plain values."""
        return {**super().get_config(), **self.shape_config, "settings": settings_text.to_plain(self.settings)}

    @classmethod
    def from_config(cls, config):
        """Builds a network from the result of `get_config`."""
        config = {name: value for name, value in config.items() if name != "autocast"}
        if "settings" not in config:  # a .keras file of version 1: all settings side by side
            settings, config = settings_text.from_flat(cls.settings_type, config)
        else:
            settings = settings_text.from_plain(cls.settings_type, config.pop("settings"))
        return cls(settings, **config)


class Discriminator(Network):
    """A discriminator: images to logits."""

    def call(self, images, labels=None, lod=0.0, training=False):
        """Classifies images as real or generated.

        Args:
            images: [N, R, R, channels], R = resolution / 2^floor(lod).
            labels: [N, label_size], None for an unconditional network.
            lod: a float, 0 for the full resolution, or a `Lod`; networks that do not grow accept only 0.
            training: batch normalisation uses the statistics of the batch instead of their moving averages.

        Returns:
            float32 logits [N, 1].

        Raises:
            ValueError: images of another size, number of channels or type; missing labels, or labels of another width; or a
                lod beyond 4x4.
        """
        raise NotImplementedError


class Generator(Network):
    """A generator: latents to images.

    Attributes:
        z_dim: features of a latent.
    """

    z_dim: int

    def sample(self, z, labels=None, *, lod: "float | Lod" = 0.0, training: bool = False, noise_seed=None):
        """Generates images without truncation, as in training and in scores.

        Args:
            z: [N, z_dim], N(0, 1).
            labels: [N, label_size], None for an unconditional network.
            lod: level of detail, 0 for the full resolution; networks that do not grow accept only 0.
            training: batch normalisation uses the statistics of the batch instead of their moving averages.
            noise_seed: seed of the noise inside the network: int32 [2], or int32 [N, 2] with a seed for each image, whose noise then
                does not depend on the batch; None for TensorFlow's generator.

        Returns:
            float32 [N, R, R, channels], R = resolution / 2^floor(lod). Trained to lie in [-1, 1]; not clipped.
        """
        raise NotImplementedError

    def preview(self, z, labels=None, *, lod: "float | Lod" = 0.0):
        """Generates images as in the image grids of a run: as `sample`, with the same noise at every call."""
        return self.sample(z, labels, lod=lod, noise_seed=tf.constant([0, 0], tf.int32))


class StyleGenerator(Generator):
    """A generator with an intermediate latent w, as path lengths, style mixing, truncation and projection require.

    Its settings have `truncation_psi` and `truncation_cutoff`, the default truncation, and `num_ws(resolution)`.

    Attributes:
        mapping: z [N, z_dim] and labels to ws [N, num_ws, w_dim]; `mapping.map_once` gives w [N, w_dim], before the copies for the layers.
        synthesis: (ws [N, num_ws, w_dim], noise_mode, lod, noise_seed) to images; its `noise_maps` are the noise of mode "const",
            one variable [R, R] for each layer, empty in a network without noise.
        w_avg: variable [w_dim], the moving average of w.
        w_dim, num_ws: features of w; number of layers with a w.
    """

    w_dim: int
    num_ws: int

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        self.w_avg = self.add_weight(name="w_avg", shape=(self.w_dim,), initializer="zeros", trainable=False)
        self.mapping.build()
        self.synthesis.build()

    def call(self, z, labels=None, truncation_psi="default", truncation_cutoff="default", noise_mode="random", lod=0.0):
        """Generates images.

        Args:
            z: [N, z_dim].
            labels: [N, label_size], None for an unconditional network.
            truncation_psi: 1 or None for no truncation, 0 for the average image; "default" for that of the settings.
            truncation_cutoff: number of layers that are truncated; "default" for that of the settings; None: see `truncate`.
            noise_mode, lod: see `call` of the synthesis network.

        Returns:
            float32 [N, R, R, channels], R = resolution / 2^floor(lod). Trained to lie in [-1, 1]; not clipped.
        """
        ws = self.truncate(self.mapping(z, labels), truncation_psi, truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode, lod=lod)

    def sample(self, z, labels=None, *, lod=0.0, training=False, noise_seed=None):
        return self.synthesis(self.mapping(z, labels), noise_mode="random", lod=lod, noise_seed=noise_seed)

    def preview(self, z, labels=None, *, lod=0.0):
        return self.synthesis(self.mapping(z, labels), noise_mode="const", lod=lod)

    def truncate(self, ws, psi="default", cutoff="default"):
        """Moves the first `cutoff` styles of ws [N, num_ws, w_dim] towards w_avg: w_avg + psi * (w - w_avg).

        If either is None, ws is not changed; "default" is the value in the settings.

        Source: Karras et al. 2019, appendix B.
        """
        psi = self.settings.truncation_psi if isinstance(psi, str) else psi
        cutoff = self.settings.truncation_cutoff if isinstance(cutoff, str) else cutoff
        if psi is None or cutoff is None:
            return ws
        is_truncated = tf.range(self.num_ws) < cutoff
        psis = tf.where(is_truncated, tf.cast(psi, tf.float32), 1.0)[None, :, None]
        w_avg = tf.convert_to_tensor(self.w_avg)
        return w_avg + (ws - w_avg) * psis

    def style_layers(self) -> list[tuple[int, EqualizedDense]]:
        """The affine layers from w to styles: (number of the layer whose w is used, dense layer), in order; empty without styles."""
        return self.synthesis.style_layers()

    def mix_styles(self, w, w_mix, cutoff):
        """Styles for the layers: w [N, w_dim] below layer `cutoff`, w_mix [N, w_dim] from it on, as ws [N, num_ws, w_dim].

        Source: Karras et al. 2019, section 3.1.
        """
        is_first = (tf.range(self.num_ws) < cutoff)[None, :, None]
        return tf.where(is_first, w[:, None], w_mix[:, None])

    def copy_styles(self, w):
        """w [N, w_dim] for every layer: ws [N, num_ws, w_dim]."""
        return tf.tile(w[:, None], [1, self.num_ws, 1])


class Part(NamedTuple):
    """The input of one device at once; arrays are [part_size, ...] unless they are shared by the whole minibatch."""

    reals: Tensor  # float32 [n, R, R, C] in [-1, 1]
    real_labels: Tensor  # float32 [n, label_size], labels of the reals
    z: Tensor  # float32 [n, z_dim]
    labels: Tensor  # float32 [n, label_size], drawn anew from the data
    mixing_factors: Tensor  # float32 [n] in [0, 1), between real and generated image (WGAN-GP)
    own: dict[str, Tensor]  # further inputs of a model, one row a sample
    shared: dict[str, Tensor]  # further inputs of a model that the whole minibatch shares
    noise_seed: Tensor  # int32 [2], for all noise inside the networks
    weights: Tensor  # float32 [n], 1 / minibatch, or 0 for a sample that only fills the part
    numbers: Tensor | tuple[()] = ()  # int32 [n], places of the samples in the global minibatch; () in a run without augmentation


class Values(NamedTuple):
    """The result of a term of a loss."""

    loss: Tensor  # float32 [n], what is minimised
    statistics: dict[str, Tensor]  # float32 [n] by name, for the log; the loss itself is added by the step
    # Sums over the part, weighted by `Part.weights`, that `Phase.after` receives summed over parts and replicas
    sums: dict[str, Tensor] = {}  # noqa: RUF012


# A term receives tensors to wait for (the gradients of the terms before it) and is called under a gradient tape of its own.
Term = Callable[[Sequence[Tensor]], Values]


class Context(NamedTuple):
    """The values that the phases of one iteration share."""

    # Images [n, R, R, C] and labels to logits [n, 1]: D in training, behind everything that is applied to its input
    critic: Callable[[Tensor, Tensor], Tensor]
    lod: Lod  # level of detail
    gamma: Tensor  # scalar, weight of R1 and R2 at this resolution
    loss_scale: Tensor | float  # factor on losses before gradients are taken (float16); gradients by images divide it out
    due: frozenset[str] = frozenset()  # names of the lazy penalties that this step includes
    lecam: LeCam | None = None  # is added to D's loss; None for nothing
    # D, and the places [n] of a part's samples in the minibatch, to D behind the augmentation; None without one
    augment: Callable[[Callable, Tensor], Callable] | None = None
    # What `Phase.prepare` gave, summed over all samples of the step; empty where one part holds all of them
    prepared: Mapping[str, Tensor] = {}


class AfterStep(NamedTuple):
    """What a phase may do after its optimizer step, on every replica alike."""

    sums: dict[str, Tensor]  # `Values.sums`, summed over parts and replicas
    average_generator: Callable[[], None]  # moves G_ema towards G; call it once an iteration


@dataclass(frozen=True)
class Phase:
    """One optimizer step of an iteration."""

    name: str  # "D", "G", "G_pl"; its loss is shown as Loss/NAME
    network: Literal["G", "D"]  # whose weights the step changes
    terms: Callable[[Part, Context], Iterator[Term]]  # (part, context) to the terms of the loss, one after the other; their losses add up
    every: int = 1  # in every n-th iteration only; the optimizer's rate and betas are corrected for it (Karras et al. 2020, appendix B).
    times: int = 1  # steps in a row, each with random inputs and, where it shows reals, real images of its own
    shows_reals: bool = False  # whether the step trains on real images; repetition r of every such phase gets batch r of the iteration
    lazy: Mapping[str, int] | None = None  # penalties inside the step that are computed in every n-th iteration only: name to n
    inputs_of: str | None = None  # name of an earlier phase whose random inputs this one uses again; None for fresh ones
    # The step computes minibatch / shrink samples. Above 1 it uses neither D nor real images, and its samples are split over devices
    # without regard to groups.
    shrink: int = 1
    # (seed int32 [2], samples) to random inputs of this phase alone, one row a sample, for `Part.own`; its purposes of
    # `stateless_fold_in` are 7 and above
    own_inputs: Callable[[Tensor, int], dict[str, Tensor]] | None = None
    # (part, context) to weighted sums over the part, like `Values.sums`, that the terms need of all samples of the step before any
    # gradient is taken: `Context.prepared`. Computed in a pass of its own over all parts where there are several.
    prepare: Callable[[Part, Context], dict[str, Tensor]] | None = None
    after: Callable[[AfterStep], None] | None = None  # called after the optimizer step


class Model:
    """A kind of GAN; all runs use the same object. The library calls the methods below.

    Attributes:
        name: its name in settings and snapshots.
        Generator, Discriminator: its networks.
    """

    name: ClassVar[str]
    Generator: ClassVar[type[Generator]]
    Discriminator: ClassVar[type[Discriminator]]

    def phases(self, settings: TrainingSettings, G: Generator, D: Network, running: Mapping[str, tf.Variable]) -> list[Phase]:
        """The steps of one iteration, in order.

        Args:
            running: a variable for each of `running_values`.
        """
        raise NotImplementedError

    def own_inputs(self, settings: TrainingSettings, seed: Tensor, minibatch: int, lod: Lod) -> tuple[dict, dict]:
        """Random inputs other than z, labels and noise, for the whole minibatch: one row for each sample, and shared ones.

        Args:
            seed: int32 [2]; purposes 1, 2 and 3 of `tf.random.experimental.stateless_fold_in` are the model's.
        """
        return {}, {}

    def running_values(self, settings: TrainingSettings) -> dict[str, float]:
        """Running values that the phases keep, by name, with their first value; saved, resumed and shown as Running/NAME."""
        return {}

    def feature_maps(self, settings: NetworkSettings, side: int, resolution: int) -> int:
        """Number of feature maps at a side, for estimates of time and memory; 0 without convolutions.

        Args:
            settings: of the generator or the discriminator.
            side: of the feature maps, 4 to `resolution`.
        """
        raise NotImplementedError

    def frozen(self, weight_names: Sequence[str], num_layers: int) -> list[str]:
        """Those of D's weights that belong to its first `num_layers` layers, counted from the image (`transfer.frozen_layers`).

        Settings of models without styles refuse such layers. Raises UserError if D has fewer.
        """
        return []

    def resized(
        self, name: str, source: np.ndarray, fresh: np.ndarray, old_settings: NetworkSettings, new_settings: NetworkSettings
    ) -> tuple[np.ndarray, int]:
        """A weight of another network in the shape of `fresh`, and how many of its values come from there.

        Args:
            name: public name of the weight.
            source, fresh: the weight of the other network, and the initialised weight of this network.
        """
        return resized(source, fresh)
