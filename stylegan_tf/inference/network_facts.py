"""What a network file says of itself, read without TensorFlow, so that impossible wishes are refused at once."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from stylegan_tf import resolution as growth
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.inference import latents

if TYPE_CHECKING:
    from stylegan_tf.loading import StoredNetworks


@dataclasses.dataclass(frozen=True)
class NetworkFacts:
    """Facts of a generator.

    Attributes:
        path: the file.
        resolution, channels: of its pictures at full size.
        num_ws: layers that take a style.
        z_dim, w_dim: features of the latents.
        label_size: numbers of a label, 0 without.
        class_names: empty where unknown.
        lod: level of detail at which training stood.
    """

    path: Path
    resolution: int
    channels: int
    num_ws: int
    z_dim: int
    w_dim: int
    label_size: int
    class_names: tuple[str, ...]
    lod: float

    def find_class(self, name: str | None) -> int | None:
        """Number of a class by number or name; UserError where there is none such."""
        return None if name is None else latents.find_class(name, self.label_size, self.class_names)

    def check_lod(self, lod: float | None) -> float:
        """The level of detail to draw; None asks for that of training."""
        lod = self.lod if lod is None else lod
        if self.resolution >> int(lod) < 4 or (lod > int(lod) and self.resolution >> int(lod) < 8):
            raise UserError(f"--lod {lod} is beyond 4x4 for a {self.resolution}x{self.resolution} network.")
        return lod


def newest_run(results_dir: str | os.PathLike) -> Path:
    """The newest run folder below `results_dir` that holds a snapshot.

    Raises:
        MissingFileError: there is none.
    """
    from stylegan_tf.loading import runs, snapshots_of

    for run in reversed(runs(results_dir)):
        if snapshots_of(run):
            return run
    raise MissingFileError(f"No run folder below {results_dir} holds a snapshot to draw with. Say which network: --network PKL.")


def read_facts(path: str | os.PathLike) -> NetworkFacts:
    """Facts of a snapshot, the newest one of a run folder, or an official pickle.

    Raises:
        MissingFileError: no such file, or no snapshot in the folder.
        UserError: not a network file, or damaged.
    """
    from stylegan_tf.loading import read

    return facts_of(read(path))


def facts_of(stored: "StoredNetworks") -> NetworkFacts:
    """Facts of a network file that was read.

    Raises:
        UserError: not a network snapshot.
    """
    from stylegan_tf.legacy.arrays import OfficialArrays

    path, value = stored.path, stored.value
    if isinstance(value, OfficialArrays):
        return _facts(path, value.G_ema.options, (), value.lod)
    try:
        return _facts(path, value["G_config"], tuple(str(name) for name in value["dataset"].get("class_names") or ()), float(value["lod"]))
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not a network snapshot.") from error


def _facts(path: Path, options, class_names: tuple[str, ...], lod: float) -> NetworkFacts:
    numbers = {name: int(options[name]) for name in ("resolution", "channels", "z_dim", "w_dim", "label_size")}
    num_ws = growth.num_layers(numbers["resolution"]) if options["use_styles"] else 1
    return NetworkFacts(path=path, num_ws=num_ws, class_names=class_names, lod=lod, **numbers)
