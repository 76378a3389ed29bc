"""Hands a generator to others: a SavedModel that needs none of this package, or a Keras file."""

import os
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from stylegan_tf import networks
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path
from stylegan_tf.inference.graph_randn import randn
from stylegan_tf.inference.latents import latents_from_seeds

OUTPUTS = ("float", "uint8")


class ExportedGenerator(tf.Module):
    """Mapping, synthesis and both together, truncation inside.

    Args:
        G: the generator.
        psi, cutoff: truncation; psi 1 truncates nothing, a cutoff of None truncates all layers.
        lod: level of detail that is drawn.
        output: "float" [-1, 1] or "uint8" [0, 255], [N, R, R, C].
        noise_mode: "const", "random" or "none".
    """

    def __init__(self, G: networks.Generator, *, psi: float, cutoff: int | None, lod: float, output: str, noise_mode: str):
        super().__init__(name="stylegan")
        self.G, self.psi, self.lod, self.noise_mode = G, psi, lod, noise_mode
        self.cutoff = G.num_ws if cutoff is None else cutoff
        self.output = output

    def map(self, z, labels=None):
        """z [N, z_dim] to truncated ws [N, num_ws, w_dim]."""
        return self.G.truncate(self.G.mapping(z, labels), self.psi, self.cutoff)

    def synthesize(self, ws):
        """ws [N, num_ws, w_dim] to images, no truncation."""
        images = self.G.synthesis(ws, noise_mode=self.noise_mode, lod=self.lod)
        if self.output == "float":
            return images
        return tf.cast(tf.clip_by_value(tf.floor(images * 127.5 + 128), 0, 255), tf.uint8)

    def signatures(self, batch_size: int | None) -> dict[str, Any]:
        """Traced functions by the name of their signature."""
        G, conditional = self.G, bool(self.G.label_size)
        z = tf.TensorSpec([batch_size, G.z_dim], tf.float32, "z")
        labels = [tf.TensorSpec([batch_size, G.label_size], tf.float32, "labels")] if conditional else []
        seeds = tf.TensorSpec([batch_size], tf.int64, "seeds")
        w = tf.TensorSpec([batch_size, G.w_dim], tf.float32, "w")
        ws = tf.TensorSpec([batch_size, G.num_ws, G.w_dim], tf.float32, "ws")
        functions = {
            "latents": (lambda z, *labels: {"images": self.synthesize(self.map(z, *labels))}, [z, *labels]),
            "seeds": (lambda seeds, *labels: {"images": self.synthesize(self.map(randn(seeds, G.z_dim), *labels))}, [seeds, *labels]),
            "mapping": (lambda z, *labels: {"ws": self.map(z, *labels)}, [z, *labels]),
            "synthesis": (lambda ws: {"images": self.synthesize(ws)}, [ws]),
            "w": (lambda w: {"images": self.synthesize(tf.tile(w[:, None], [1, G.num_ws, 1]))}, [w]),
        }
        traced = {name: tf.function(call).get_concrete_function(*specs) for name, (call, specs) in functions.items()}
        return traced | {"serving_default": traced["latents"]}


def export_savedmodel(
    G: networks.Generator, path: str | os.PathLike, *, psi: float = 0.7, cutoff: int | None = None, lod: float = 0.0,
    output: str = "float", noise_mode: str = "const", batch_size: int | None = None,
) -> Path:  # fmt: skip
    """Writes a SavedModel folder with the signatures `latents`, `seeds`, `mapping`, `synthesis` and `w`.

    Args:
        G: the generator.
        path: folder to write; it must not exist.
        psi, cutoff, lod, output, noise_mode: see `ExportedGenerator`.
        batch_size: fixed, or None for any.

    Raises:
        UserError: the folder exists.
    """
    path = Path(path)
    if path.exists():
        raise UserError(f"{path} exists already. Choose another folder or remove it.")
    module = ExportedGenerator(G, psi=psi, cutoff=cutoff, lod=lod, output=output, noise_mode=noise_mode)
    partial = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}.partial")
    try:
        tf.saved_model.save(module, str(partial), signatures=module.signatures(batch_size))
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path


def export_keras(G: networks.Generator, path: str | os.PathLike, *, psi: float = 0.7, cutoff: int | None = None) -> Path:
    """Writes a .keras file of the generator whose default truncation is the given one; it loads where this package is installed."""
    path = Path(path)
    if path.suffix != ".keras":
        raise UserError(f"A Keras file must end in .keras. Received: {path}")
    options = {name: value for name, value in G.get_config().items() if name in G.options}
    options |= {"truncation_psi": psi, "truncation_cutoff": G.num_ws if cutoff is None else cutoff}
    copy = networks.Generator(**options)
    networks.assign_weights(copy, {name: np.asarray(variable) for name, variable in networks.named_weights(G).items()})
    with atomic_path(path) as temporary:
        copy.save(temporary)
    return path


def measure(path: str | os.PathLike, *, z_dim: int, label_size: int, batch_size: int = 4, seconds: float = 3.0) -> tuple[int, float]:
    """Size of a SavedModel in bytes and its speed in images a second, in this process."""
    path = Path(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    draw = tf.saved_model.load(str(path)).signatures["latents"]
    inputs = {"z": tf.constant(latents_from_seeds(range(batch_size), z_dim))}
    if label_size:
        inputs["labels"] = tf.one_hot([0] * batch_size, label_size)
    draw(**inputs)  # traces
    count, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        draw(**inputs)
        count += batch_size
    return size, count / (time.monotonic() - start)
