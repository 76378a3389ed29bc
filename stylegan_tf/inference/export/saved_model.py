"""Export of a generator: a SavedModel that works without this package, or a Keras file."""

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path, new_folder
from stylegan_tf.images import to_uint8_tensor
from stylegan_tf.models.base import Generator, StyleGenerator
from stylegan_tf.models.weights import assign_weights, weight_arrays
from stylegan_tf.seeds import latents_from_seeds

_MEASURED_SEC = 3.0
# A function of tensors to tensors by name, and the specifications of its inputs.
Function = tuple[Callable[..., dict[str, tf.Tensor]], list[tf.TensorSpec]]


class ExportedGenerator(tf.Module):
    """A generator with the signature `latents`.

    Args:
        G: the generator.
        lod: level of detail of the images.
        output: "float" (trained to lie in [-1, 1]; not clipped) or "uint8" ([0, 255]); images are [N, R, R, C].
    """

    def __init__(self, G: Generator, *, lod: float = 0.0, output: str = "float"):
        super().__init__(name="generator")
        self.G, self.lod, self.output = G, lod, output

    def signatures(self, batch_size: int | None) -> dict[str, Callable]:
        """Traced functions by the name of their signature; a `batch_size` of None is any."""
        traced = {name: tf.function(call).get_concrete_function(*specs) for name, (call, specs) in self.functions(batch_size).items()}
        return traced | {"serving_default": traced["latents"]}

    def functions(self, batch_size: int | None) -> dict[str, Function]:
        """Functions and the specifications of their inputs, by the name of their signature."""
        G = self.G
        z = tf.TensorSpec([batch_size, G.z_dim], tf.float32, "z")
        labels = [tf.TensorSpec([batch_size, G.label_size], tf.float32, "labels")] if G.label_size else []
        return {"latents": (lambda z, *labels: {"images": self._images(z, *labels)}, [z, *labels])}

    def _images(self, z: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        return self._converted(self.G.preview(z, labels, lod=self.lod))

    def _converted(self, images: tf.Tensor) -> tf.Tensor:
        return to_uint8_tensor(images) if self.output == "uint8" else images


class ExportedStyleGenerator(ExportedGenerator):
    """A style-based generator, truncation included, with the signatures `mapping`, `synthesis` and `w` beside those of the base class.

    Args:
        G, lod, output: as `ExportedGenerator`.
        psi, cutoff: truncation; psi 1 for none, a cutoff of None for all layers. `synthesis` and `w` do not truncate.
        noise_mode: "const", "random" or "none".
    """

    G: StyleGenerator

    def __init__(self, G: StyleGenerator, *, psi: float = 0.7, cutoff: int | None = None, noise_mode: str = "const", **options):
        super().__init__(G, **options)
        self.psi, self.cutoff, self.noise_mode = psi, G.num_ws if cutoff is None else cutoff, noise_mode

    def functions(self, batch_size):
        G, inherited = self.G, super().functions(batch_size)
        w = tf.TensorSpec([batch_size, G.w_dim], tf.float32, "w")
        ws = tf.TensorSpec([batch_size, G.num_ws, G.w_dim], tf.float32, "ws")
        return inherited | {
            "mapping": (lambda z, *labels: {"ws": self._ws(z, *labels)}, inherited["latents"][1]),
            "synthesis": (lambda ws: {"images": self._synthesized(ws)}, [ws]),
            "w": (lambda w: {"images": self._synthesized(tf.tile(w[:, None], [1, G.num_ws, 1]))}, [w]),
        }

    def _images(self, z, labels=None):
        return self._synthesized(self._ws(z, labels))

    def _ws(self, z, labels=None):
        return self.G.truncate(self.G.mapping(z, labels), self.psi, self.cutoff)

    def _synthesized(self, ws):
        return self._converted(self.G.synthesis(ws, noise_mode=self.noise_mode, lod=self.lod))


def export_savedmodel(exported: ExportedGenerator, path: str | os.PathLike, *, batch_size: int | None = None) -> Path:
    """Writes a SavedModel folder, whole or not at all.

    Args:
        exported: the generator and its options.
        path: folder to write; it must not exist.
        batch_size: fixed, or None for any.

    Raises:
        UserError: the folder exists, or cannot be written.
    """
    signatures = exported.signatures(batch_size)
    with full_disk_reported(path), new_folder(path) as folder:
        tf.saved_model.save(exported, str(folder), signatures=signatures)
    return Path(path)


@contextlib.contextmanager
def full_disk_reported(path: str | os.PathLike) -> Iterator[None]:
    """Turns the error by which TensorFlow's writers report a full disk ("NAME; No space left on device") into a UserError."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0].rpartition("; ")[2].partition(" [Op:")[0]
        raise UserError(f"{path} cannot be written: {reason}.") from error


def export_keras(G: Generator, path: str | os.PathLike, **changes: float | int) -> Path:
    """Writes a .keras file of the generator; it loads where this package is installed.

    Args:
        G: the generator.
        path: ends in .keras; an older file is replaced.
        changes: settings with other values, such as `truncation_psi`, the default truncation of its calls.

    Raises:
        UserError: another suffix.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise UserError(f"A Keras file must end in .keras. Received: {path}")
    copy = type(G)(dataclasses.replace(G.settings, **changes), **G.shape_config)
    assign_weights(copy, weight_arrays(G))
    with atomic_path(path) as temporary:
        copy.save(temporary)
    return path


def measure(path: str | os.PathLike, *, z_dim: int, label_size: int, batch_size: int = 4) -> tuple[int, float]:
    """Size of a SavedModel in bytes, and its speed in images per second in this process."""
    path = Path(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    generate = tf.saved_model.load(str(path)).signatures["latents"]
    inputs = {"z": tf.constant(latents_from_seeds(range(batch_size), z_dim))}
    if label_size:
        inputs["labels"] = tf.constant(np.eye(label_size, dtype=np.float32)[[0] * batch_size])
    generate(**inputs)  # traces
    count, start = 0, time.monotonic()
    while time.monotonic() - start < _MEASURED_SEC:
        generate(**inputs)
        count += batch_size
    return size, count / (time.monotonic() - start)
