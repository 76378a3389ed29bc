"""Faults in the middle of a run and their messages: divergence, memory, disk, data."""

import errno
import math
import os
import re
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from stylegan_tf import out_of_memory
from stylegan_tf.data.feed.pipeline import pipeline_fault
from stylegan_tf.errors import UserError
from stylegan_tf.training.run_dir import RunDir
from stylegan_tf.training.schedule import Stage

DISK_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file exceeds the largest size allowed here",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "no permission to write",
    errno.EIO: "the disk reports input/output errors",
    errno.ESTALE: "the network drive is not available any more",
}


class DivergedError(Exception):
    """Losses, logits or weights are not finite, or logits exceed their limit."""


_LEAST_LOG2_SCALE = -16  # a gradient that overflows float16 at a scale of 2^-16 diverges


def without_overflow(values: Mapping[str, float], networks: Mapping[str, str]) -> dict[str, float]:
    """Statistics of an iteration in float16, without those that are not finite because of a loss scale that was too high.

    The optimizer skipped such a step, and the scale is lower at the next one. Losses and penalties that contain gradients overflow
    with them; logits and the loss of G do not, and are kept.

    Args:
        networks: "G" or "D" by name of a phase.

    Raises:
        DivergedError: gradients overflow even at the lowest scale.
    """
    overflowing = [phase for phase in networks if not math.isfinite(values.get(f"Gradients/{phase}_norm", 0.0))]
    for phase in overflowing:
        if values[f"Train{networks[phase]}/log2_loss_scale"] < _LEAST_LOG2_SCALE:
            raise DivergedError(f"gradients of {phase} overflow at every loss scale")
    if not overflowing:
        return dict(values)
    kept = ("Loss/G", "Loss/scores/real", "Loss/scores/fake")
    return {name: value for name, value in values.items() if math.isfinite(value) or name in kept}


def check_statistics(values: dict[str, float], max_logit: float) -> None:
    """Raises DivergedError if a loss or logit is not finite, or if the magnitude of a mean logit is above `max_logit`."""
    for name, value in values.items():
        if name.startswith("Loss/") and not math.isfinite(value):
            raise DivergedError(f"{name} is {value}")
        if name.startswith("Loss/scores/") and abs(value) > max_logit:
            raise DivergedError(f"{name} is {value:.3g}, above run.max_logit = {max_logit:g}")


def check_weights(weights: dict[str, dict[str, np.ndarray]]) -> None:
    """Raises DivergedError if a weight is not finite. `weights`: arrays by name, by network."""
    for network, arrays in weights.items():
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise DivergedError(f"weight {name} of {network} is not finite")


def diverged_message(error: DivergedError, nimg: int, on_nan: str) -> str:
    """Message for a run that has diverged after `nimg` images; `on_nan` as in `RunSettings`."""
    rollback = "" if on_nan == "rollback" else ", or --set run.on_nan=rollback"
    return (
        f"Training diverged at kimg {nimg / 1000:.1f}: {error}. The last training state, from before it diverged, was kept. "
        "Try lower learning rates (--set schedule.G_lrate=... schedule.D_lrate=...), a larger loss.gamma, "
        f"--set run.precision=float32{rollback}, then --resume."
    )


def explained(
    error: Exception, stage: Stage, *, num_devices: int, least_part: int, is_float32: bool, run_dir: RunDir, data_path: str
) -> Exception:
    """A UserError for a fault that a user can correct; `error` itself for any other.

    Args:
        stage: of the schedule, when it occurred.
        least_part: samples of a minibatch that one device must compute together.
        is_float32: whether a GPU computes in float32; float16 would halve the memory for activations.
    """
    resume = run_dir.how_to_resume
    if folder := _cache_fault(error):
        return UserError(
            f"The cache of compiled steps in {folder} is damaged or cannot be written: {error.message.splitlines()[0][:200]}. "
            f"Delete the folder, or unset TF_XLA_FLAGS. Then resume: {resume}"
        )
    if reason := _disk_fault(error):
        return UserError(
            f"Cannot write to {run_dir.path}: {reason}. Older files are intact; the last training state is valid. "
            f"Free some space (run.keep_snapshots limits the number of snapshots), then resume: {resume}"
        )
    if out_of_memory.is_out_of_memory(error):
        message = _out_of_memory(out_of_memory.holders(error), stage, num_devices, least_part, is_float32)
        return UserError(f"{message} The last training state is valid. Resume with: {resume}")
    if isinstance(error, tf.errors.OpError) and _is_of_data(error, data_path):
        found = pipeline_fault(error.message, data_path)
        return UserError(f"{found} The last training state is valid; when the dataset is restored, resume: {resume}")
    return error


def _out_of_memory(holders: str, stage: Stage, num_devices: int, least_part: int, is_float32: bool) -> str:
    """What was computed at once, what holds memory, and the settings that need less."""
    part = min(stage.max_minibatch_per_device or stage.minibatch, -(-stage.minibatch // num_devices))
    setting = f"schedule.max_minibatch_per_device_by_resolution.{stage.resolution}"
    halved = f"--set {setting}={part // 2} (half the memory for activations, same results: gradients are accumulated), or "
    return (
        f"Out of memory at {stage.resolution}x{stage.resolution} (lod {stage.lod:.2f}), {part} images at once on a device, "
        f"minibatch {stage.minibatch}. {holders}Try {halved if part // 2 >= least_part else ''}smaller networks"
        f"{', or --set run.precision=mixed_float16' if is_float32 else ''}."
    )


def _disk_fault(error: Exception) -> str | None:
    """What is wrong with the disk, None for another error. TensorBoard's writer raises TensorFlow's errors, with the system's message."""
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return next((text for code, text in DISK_ERRORS.items() if os.strerror(code) in error.message), None)
    if isinstance(error, OSError) and not isinstance(error, UserError):
        return DISK_ERRORS.get(error.errno)
    return None


def _cache_fault(error: Exception) -> str | None:
    """TensorFlow's folder of compiled steps if an entry in it is damaged, or if it cannot be written; None for another error."""
    found = re.search(r"--tf_xla_persistent_cache_directory=(\S+)", os.environ.get("TF_XLA_FLAGS", ""))
    if not found or not isinstance(error, tf.errors.OpError):
        return None
    return found[1] if found[1] in error.message or re.search("read less bytes|serializ", error.message, re.IGNORECASE) else None


def _is_of_data(error: tf.errors.OpError, data_path: str) -> bool:
    """Whether TensorFlow raised the error while it fetched a batch."""
    text = str(error)
    is_named = any(word in text for word in ("UserError: ", "IteratorGetNext", "PyFunc"))
    return is_named or isinstance(error, tf.errors.DataLossError) or (isinstance(error, tf.errors.NotFoundError) and data_path in text)
