"""training-state.pkl: what a training state contains, and its checks when it is read."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Annotated, Literal, TypedDict

import numpy as np

from stylegan_tf import settings_text, snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.ranges import Range

STATE_VERSION = 2
# Files that are only appended to: what is newer than the state is cut off when the run is resumed.
GROWING_FILES = ("log.txt", "stats.jsonl")

Images = Annotated[int, Range(0, 2**31 - 1)]  # TensorFlow's seeds are int32
Seconds = Annotated[float, Range(0, 1e12)]


@dataclasses.dataclass
class Position:
    """The position of a run between two calls of TensorFlow."""

    nimg: Images  # real images shown
    update_nimg: Images = 0  # real images shown at the last update of the schedule
    iterations_left: Images = 0  # until the next update
    previous_lod: Annotated[float, Range(0, 16)] | None = None  # level of detail at the last update, None before the first
    num_rollbacks: Annotated[int, Range(0, 100)] = 0  # number of returns to an earlier state


@dataclasses.dataclass
class SavedPosition(Position):
    """The position, with the values that control.json has changed."""

    control: dict[Literal["G_lrate", "D_lrate", "gamma"], Annotated[float, Range(0, 1e9)]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class TickSums:
    """Sums since the last tick; see `progress.TickMeter`."""

    tick: Images
    start_nimg: Images
    total_sec: Seconds
    maintenance_sec: Seconds
    sums: dict[str, float]
    counts: dict[str, Annotated[int, Range(1, 2**31)]]
    tick_sec: Seconds
    data_sec: Seconds = 0.0
    D_sec: Seconds = 0.0
    G_sec: Seconds = 0.0


@dataclasses.dataclass
class DatasetIdentity:
    """The data on which a run was trained; see `run.identity_of`."""

    name: str
    digest: str
    label_size: int = 0
    class_names: tuple[str, ...] = ()
    num_images: int = 0
    mirror: bool = False
    path: str = ""


class State(TypedDict):
    """A training state: position, meter and dataset as `dataclasses.asdict` returns those above."""

    state_version: int
    is_tick_over: bool  # the line, pictures and snapshot of the last tick are not yet written
    position: dict[str, object]
    meter: dict[str, object]
    dataset: dict[str, object]
    config: dict[str, object]  # settings of the run, as plain values
    file_sizes: dict[str, int]  # bytes of the files that are only appended to
    weights: dict[str, dict[str, np.ndarray]]  # arrays by name of "G", "D" and "G_ema"
    trainer: dict[str, object]  # of `Trainer.state`


def read(path: str | os.PathLike) -> State:
    """Reads a training state of this version or version 1.

    Raises:
        MissingFileError: no such file.
        UserError: not a training state, one of a later version, or one with a part that is missing or not valid.
    """
    state = snapshot.load_state(path)
    version = state.get("state_version")
    if type(version) is not int or not 1 <= version <= STATE_VERSION:
        raise UserError(f"{path} is not a training state that this version reads (version {version!s:.40}, expected 1 to {STATE_VERSION}).")
    try:
        return _checked_state(_upgraded(state))
    except UserError as error:
        raise UserError(f"{path} is not a valid training state: {error} Start a new run from a network snapshot instead.") from error


def _upgraded(state: Mapping[str, object]) -> dict[str, object]:
    """A state of version 1 with the names of today."""
    position, meter = state.get("position"), state.get("meter")
    if isinstance(position, dict):
        names = {"look_nimg": "update_nimg", "pairs_left": "iterations_left"}
        position = {names.get(name, name): value for name, value in position.items()}
    if isinstance(meter, dict) and "counts" not in meter and "count" in meter and isinstance(meter.get("sums"), dict):
        meter = {**meter, "counts": dict.fromkeys(meter["sums"], meter["count"])}
        del meter["count"]
    return {**state, "position": position, "meter": meter}


def _checked_state(state: Mapping[str, object]) -> State:
    position, meter, dataset = (
        settings_text.from_plain(kind, state.get(name), f"{name}.")
        for name, kind in (("position", SavedPosition), ("meter", TickSums), ("dataset", DatasetIdentity))
    )
    if position.update_nimg > position.nimg or meter.start_nimg > position.nimg:
        raise UserError("position.update_nimg and meter.start_nimg must not be above position.nimg.")
    if meter.sums.keys() != meter.counts.keys():
        raise UserError("meter.sums and meter.counts must have the same names.")
    sizes = settings_text.from_plain(_FileSizes, {"file_sizes": state.get("file_sizes")}).file_sizes
    for name in ("config", "trainer", "weights"):
        if not isinstance(state.get(name), dict):
            raise UserError(f"{name} must be a dictionary. Received: {type(state.get(name)).__name__}.")
    return State(
        state_version=STATE_VERSION,
        is_tick_over=state.get("is_tick_over") is True,
        position=dataclasses.asdict(position),
        meter=dataclasses.asdict(meter),
        dataset=dataclasses.asdict(dataset),
        config=state["config"],
        file_sizes=sizes,
        weights={name: _checked_arrays(name, state["weights"].get(name)) for name in snapshot.NAMES},
        trainer=state["trainer"],
    )


@dataclasses.dataclass
class _FileSizes:
    # These names alone: files of other folders must not be cut.
    file_sizes: dict[Literal["log.txt", "stats.jsonl"], Annotated[int, Range(0, 1 << 50)]]


def _checked_arrays(network: str, arrays: object) -> dict[str, np.ndarray]:
    if not isinstance(arrays, dict):
        raise UserError(f"The weights of {network} must be a dictionary. Received: {type(arrays).__name__}.")
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray | np.floating) or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise UserError(f"Weight {str(name)[:80]} of {network} must be an array of finite numbers.")
    return arrays
