"""The network of a command: read and checked without TensorFlow first, then built, with the latents and labels of seeds."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf import loading, models
from stylegan_tf import seeds as of_seeds
from stylegan_tf.command_line import import_tensorflow
from stylegan_tf.display import say
from stylegan_tf.errors import UserError, did_you_mean
from stylegan_tf.inference.commands.options import check_options, parse_numbers
from stylegan_tf.resolution import check_lod
from stylegan_tf.snapshot_file import SnapshotContents

if TYPE_CHECKING:
    import tensorflow as tf

    from stylegan_tf.inference.sampler import ImageSampler, StyleSampler
    from stylegan_tf.models.base import Generator, StyleGenerator


def read_network(args: argparse.Namespace) -> SnapshotContents:
    """Reads the network file and checks the shared options against it, before TensorFlow is imported.

    Raises:
        MissingFileError: no such file, or a folder without snapshots.
        UserError: not a network file, or an option that is impossible for this network.
    """
    check_options(args)
    contents = loading.read(args.network)
    find_class(args, contents)
    find_label(args, contents)
    find_lod(args, contents)
    return contents


def find_class(args: argparse.Namespace, contents: SnapshotContents) -> int | None:
    """Number of the class of `--class`, None where it was not given."""
    if args.class_name is None:
        return None
    if contents.label_examples is not None:
        example = ",".join(f"{number:g}" for number in contents.label_examples[0][:8])
        raise UserError(f"The labels of {contents.source} are not classes: use --label, such as --label={example}, instead of --class.")
    return of_seeds.find_class(args.class_name, contents.shape.label_size, contents.class_names)


def find_label(args: argparse.Namespace, contents: SnapshotContents) -> np.ndarray | None:
    """float32 [label_size] of `--label`, None where it was not given."""
    if args.label is None:
        return None
    label, size = np.array(parse_numbers(args.label, "--label"), np.float64), contents.shape.label_size
    if len(label) != size:
        raise UserError(f"{contents.source} has labels of {size} numbers. Received: --label={args.label}")
    if np.abs(label).max() > np.finfo(np.float32).max:
        raise UserError(f"--label must be numbers of float32. Received: {args.label}")
    return label.astype(np.float32)


def find_lod(args: argparse.Namespace, contents: SnapshotContents) -> float:
    """The level of detail of `--lod`, by default that of the snapshot."""
    if args.lod and not models.settings_type(contents.model).grows:
        raise UserError(f"{contents.source} is a network of the model {contents.model}, which has one resolution: omit --lod.")
    return contents.lod if args.lod is None else check_lod(args.lod, contents.shape.resolution)


def has_styles(contents: SnapshotContents) -> bool:
    """Whether the generator has an intermediate latent w."""
    return models.settings_type(contents.model).has_styles


def require_styles(contents: SnapshotContents, what: str) -> None:
    """Raises UserError where the generator has no styles; `what` needs them, and is named in the message."""
    if not has_styles(contents):
        raise UserError(
            f"{what} needs a model with styles; {contents.source} contains a network of the model {contents.model}, which has none."
        )


def require_styles_for_options(args: argparse.Namespace, contents: SnapshotContents) -> None:
    """Raises UserError where an option was given that needs styles and the generator has none."""
    given = {"--trunc": "trunc", "--trunc-cutoff": "trunc_cutoff", "--w": "w", "--noise": "noise"}
    for option, name in given.items():
        if getattr(args, name, None) is not None:
            require_styles(contents, option)


def check_latents(array: np.ndarray, path: str, contents: SnapshotContents, name: str) -> None:
    """Raises UserError unless z [N, features] or w [N, features] or [N, layers, features] of a file fit the network."""
    settings, resolution = contents.G.settings, contents.shape.resolution
    width = settings.z_dim if name == "z" else settings.w_dim
    if array.shape[-1] != width:
        raise UserError(f"{path} contains {name} of {array.shape[-1]} features; the network has {width}.")
    if array.ndim == 3 and array.shape[1] != settings.num_ws(resolution):
        raise UserError(f"{path} contains w for {array.shape[1]} layers; the network has {settings.num_ws(resolution)}.")


class Session:
    """A network of any model with its sampler, and the options of a command that concern latents and labels.

    Args:
        args: options of the command.
        contents: the file of the network.
        noise_mode: instead of `--noise`.
    """

    G: "Generator"
    sampler: "ImageSampler | StyleSampler"

    def __init__(self, args: argparse.Namespace, contents: SnapshotContents, *, noise_mode: str | None = None):
        self.args, self.class_number, self.lod = args, find_class(args, contents), find_lod(args, contents)
        self.label, self.label_examples = find_label(args, contents), contents.label_examples
        self.source, self.nimg, self.class_names = contents.source, contents.nimg, contents.class_names
        is_unknown = "label_examples" not in contents.dataset and contents.shape.label_size
        if is_unknown and args.has_labels and args.label is None:
            say(f"Note: {contents.source} does not state whether its labels are classes. One-hot labels are used (--label sets others).")
        import_tensorflow()
        from stylegan_tf.snapshot import make_generator

        self._device = _entered_device(args.device)  # kept: the device is in use as long as the session
        self.G = make_generator(contents, dtype=args.precision)
        self.sampler = self.make_sampler(noise_mode or getattr(args, "noise", None) or "const")

    def make_sampler(self, noise_mode: str) -> "ImageSampler | StyleSampler":
        """A sampler of the network with a noise mode."""
        from stylegan_tf.inference.sampler import ImageSampler

        return ImageSampler(self.G, lod=self.lod, batch_size=self.args.batch)

    def labels(self, seeds: Sequence[int]) -> np.ndarray | None:
        """[N, label_size]: that of `--class` or `--label`, or a random one of the data for each seed; None for unconditional networks."""
        if not self.G.label_size:
            return None
        if self.label is not None:
            return np.repeat(self.label[None], len(seeds), axis=0)
        if self.label_examples is not None:
            return of_seeds.labels_from_seeds(seeds, self.label_examples)
        return of_seeds.one_hot(self.classes(seeds), self.G.label_size)

    @property
    def has_classes(self) -> bool:
        """Whether `labels` are those of `classes`."""
        return bool(self.G.label_size) and self.label is None and self.label_examples is None

    def classes(self, seeds: Sequence[int]) -> list[int]:
        """The class of each seed in a conditional network."""
        if self.class_number is not None:
            return [self.class_number] * len(seeds)
        return of_seeds.classes_from_seeds(seeds, self.G.label_size)

    def class_name(self, number: int) -> str:
        """The name of a class, "class 3" where it has none."""
        return (self.class_names[number] if number < len(self.class_names) else "") or f"class {number}"

    def z(self, seeds: Sequence[int]) -> np.ndarray:
        """[N, z_dim]."""
        return of_seeds.latents_from_seeds(seeds, self.G.z_dim)


class StyleSession(Session):
    """A network with styles; arguments as `Session`."""

    G: "StyleGenerator"
    sampler: "StyleSampler"

    def make_sampler(self, noise_mode: str) -> "StyleSampler":
        from stylegan_tf.inference.sampler import StyleSampler

        return StyleSampler(self.G, lod=self.lod, batch_size=self.args.batch, noise_mode=noise_mode)

    def ws(self, seeds: Sequence[int]) -> np.ndarray:
        """ws [N, num_ws, w_dim] of seeds, without truncation."""
        return self.sampler.ws(self.z(seeds), self.labels(seeds))

    def truncated(self, ws: np.ndarray) -> np.ndarray:
        """ws with the truncation of `--trunc` and `--trunc-cutoff`, by default the network's own."""
        psi, cutoff = self.truncation()
        return self.sampler.truncate(ws, psi, cutoff)

    def truncation(self) -> tuple[float, int | None]:
        """psi and the number of truncated layers (None for all)."""
        settings, psi, cutoff = self.G.settings, self.args.trunc, self.args.trunc_cutoff
        if psi is None and (settings.truncation_psi is None or settings.truncation_cutoff is None):
            return 1.0, None  # by default, the network does not truncate
        psi = settings.truncation_psi if psi is None else psi
        if cutoff == "all":
            return psi, None
        return psi, settings.truncation_cutoff if cutoff is None else int(cutoff)

    def broadcast_ws(self, w: np.ndarray) -> np.ndarray:
        """[N, w_dim] or [N, num_ws, w_dim] from a file to [N, num_ws, w_dim]."""
        return np.repeat(w[:, None], self.G.num_ws, axis=1) if w.ndim == 2 else w


def open_session(args: argparse.Namespace, contents: SnapshotContents) -> Session:
    """A `StyleSession` for a network with styles, a `Session` for any other."""
    return (StyleSession if has_styles(contents) else Session)(args, contents)


def _entered_device(name: str | None) -> "tf.device | None":
    """Makes the device of that name, such as "gpu:0", the current one."""
    if name is None:
        return None
    import tensorflow as tf

    known = [device.name.removeprefix("/physical_device:").lower() for device in tf.config.list_physical_devices()]
    wanted = name.lower() if ":" in name else f"{name.lower()}:0"
    if wanted not in known:
        raise UserError(f"There is no device {name}.{did_you_mean(wanted, known)} Known: {', '.join(known)}.")
    device = tf.device(f"/{wanted}")
    device.__enter__()
    return device
