"""What the commands of generate.py share: options, the network they open, latents and labels of seeds."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf.command_line import check_output, import_tensorflow
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.inference import latents
from stylegan_tf.inference.network_facts import NetworkFacts, read_facts

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def add_network_options(parser: argparse.ArgumentParser, *, noise: str | None = "const", has_classes: bool = True) -> None:
    """Options of every command: the network, and how it is run."""
    add = parser.add_argument
    add("--network", metavar="PKL", help="snapshot, run folder (its newest snapshot) or official pickle (default: the newest run's)")
    add(
        "--batch",
        type=int,
        default=8,
        metavar="N",
        help="images drawn at once, one with --noise random; not for export (default: %(default)s)",
    )
    add("--precision", choices=PRECISIONS, default="float32", help="numbers the network computes in (default: %(default)s)")
    add("--device", metavar="NAME", help="such as cpu or gpu:0 (default: the first GPU, else the CPU)")
    add("--lod", type=float, metavar="LOD", help="level of detail, 0 is full size (default: where training stood)")
    if has_classes:
        add("--class", dest="class_name", metavar="CLASS", help="number or name, for conditional networks (default: drawn from each seed)")
    else:
        parser.set_defaults(class_name=None)
    if noise:
        add("--noise", choices=("const", "random", "none"), default=noise, help="noise inputs (default: %(default)s)")


def add_truncation_options(parser: argparse.ArgumentParser, default: float | None = None) -> None:
    """Options of truncation."""
    shown = "the network's own, mostly 0.7" if default is None else f"{default:g}"
    parser.add_argument("--trunc", type=float, default=default, metavar="PSI", help=f"truncation psi, 1 is none (default: {shown})")
    parser.add_argument("--trunc-cutoff", metavar="N", help="layers that are truncated, or 'all' (default: the network's own, mostly 8)")


def make_outdir(path: str) -> Path:
    """The folder of the results, made before anything slow.

    Raises:
        UserError: it cannot be made or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    check_output(folder / "picture.png")
    return folder


def check_shared(args: argparse.Namespace) -> None:
    """Refuses what cannot work before TensorFlow is imported."""
    if not Path(args.network).exists():
        raise MissingFileError(f"--network {args.network} does not exist. Expected a snapshot, a run folder or an official pickle.")
    if not 1 <= args.batch <= 4096:
        raise UserError(f"--batch must be from 1 to 4096. Received: {args.batch}")
    if args.lod is not None and not 0 <= args.lod <= 8:
        raise UserError(f"--lod must be from 0 to 8. Received: {args.lod}")
    cutoff = getattr(args, "trunc_cutoff", None)
    if cutoff is not None and cutoff != "all" and not (cutoff.isdecimal() and int(cutoff) <= 64):
        raise UserError(f"--trunc-cutoff must be a number of layers or 'all'. Received: {cutoff}")
    psi = getattr(args, "trunc", None)
    if psi is not None and not -100 <= psi <= 100:
        raise UserError(f"--trunc must be a number from -100 to 100. Received: {psi}")


def check_network(args: argparse.Namespace) -> NetworkFacts:
    """Refuses what this network cannot do, still before TensorFlow is imported."""
    check_shared(args)
    facts = read_facts(args.network)
    facts.find_class(args.class_name)
    facts.check_lod(args.lod)
    return facts


def refuse_beside_w(args: argparse.Namespace) -> None:
    """Refuses options that have no effect on the w of a file, which is neither mapped nor truncated."""
    wishes = {"--trunc": args.trunc, "--trunc-cutoff": args.trunc_cutoff, "--class": args.class_name}
    refused = [name for name, value in wishes.items() if value is not None]
    if refused:
        raise UserError(f"--w draws w as it is: leave out {' and '.join(refused)}, or draw the z with --latents.")


def check_latents(array: np.ndarray, path: str, facts: NetworkFacts, name: str) -> None:
    """Refuses z [N, features] or w [N, features] or [N, layers, features] of a file where they are not this network's."""
    width = facts.z_dim if name == "z" else facts.w_dim
    if array.shape[-1] != width:
        raise UserError(f"{path} holds latents of {array.shape[-1]} features; the network takes {width}.")
    if array.ndim == 3 and array.shape[1] != facts.num_ws:
        raise UserError(f"{path} holds w for {array.shape[1]} layers; the network has {facts.num_ws}.")


class Session:
    """An open network with a painter, and the options of a command that speak about latents."""

    def __init__(self, args: argparse.Namespace, *, noise_mode: str | None = None, facts: NetworkFacts | None = None):
        facts = facts or check_network(args)
        self.class_number = facts.find_class(args.class_name)
        self.lod = facts.check_lod(args.lod)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import_tensorflow()
        import tensorflow as tf

        from stylegan_tf import loading
        from stylegan_tf.inference.painter import Painter

        self.args = args
        self._place = tf.device(_device_name(args.device, tf)) if args.device else None
        if self._place:
            self._place.__enter__()
        self.networks: Any = loading.load(facts.path, dtype=args.precision)
        self.G = self.networks.G_ema
        mode = noise_mode or getattr(args, "noise", "const")
        self.painter = Painter(self.G, lod=self.lod, batch_size=args.batch, noise_mode=mode)

    def labels(self, seeds: Sequence[int]) -> np.ndarray | None:
        """[N, label_size]: the class that was asked for, or one drawn from each seed; None for unconditional networks."""
        if not self.G.label_size:
            return None
        return latents.one_hot(self.classes(seeds), self.G.label_size)

    def classes(self, seeds: Sequence[int]) -> list[int]:
        """The class of each seed in a conditional network."""
        if self.class_number is not None:
            return [self.class_number] * len(seeds)
        return latents.classes_from_seeds(seeds, self.G.label_size)

    def z(self, seeds: Sequence[int]) -> np.ndarray:
        """[N, z_dim]."""
        return latents.latents_from_seeds(seeds, self.G.z_dim)

    def ws(self, seeds: Sequence[int]) -> np.ndarray:
        """ws [N, num_ws, w_dim] of seeds, without truncation."""
        return self.painter.ws(self.z(seeds), self.labels(seeds))

    def truncated(self, ws: np.ndarray) -> np.ndarray:
        """The truncation that was asked for, or the network's own."""
        psi, cutoff = self.truncation()
        return self.painter.truncate(ws, psi, cutoff)

    def truncation(self) -> tuple[float, int | None]:
        """psi and the number of truncated layers (None: all of them)."""
        chosen, cutoff = self.args.trunc, self.args.trunc_cutoff
        if chosen is None and (self.G.truncation_psi is None or self.G.truncation_cutoff is None):
            return 1.0, None  # the network says: no truncation
        psi = self.G.truncation_psi if chosen is None else chosen
        if cutoff == "all":
            return psi, None
        return psi, self.G.truncation_cutoff if cutoff is None else int(cutoff)

    def broadcast_ws(self, w: np.ndarray) -> np.ndarray:
        """[N, w_dim] or [N, num_ws, w_dim] from a file to [N, num_ws, w_dim]."""
        return np.repeat(w[:, None], self.G.num_ws, axis=1) if w.ndim == 2 else w


def _device_name(name: str, tf: Any) -> str:
    known = [device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices()]
    wanted = name.lower() if ":" in name else f"{name.lower()}:0"
    if wanted not in [device.lower() for device in known]:
        raise UserError(f"There is no device {name}. Known here: {', '.join(known).lower()}.")
    return f"/{wanted}"
