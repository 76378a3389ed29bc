"""A network in the explorer: images and latents of views, and what the page shows about it."""

import argparse
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf import models
from stylegan_tf.inference.commands.session import StyleSession, open_session
from stylegan_tf.inference.directions.direction import Direction, apply_edits, style_offsets
from stylegan_tf.inference.explorer.view import Limits, View
from stylegan_tf.resolution import log2
from stylegan_tf.snapshot_file import SnapshotContents

if TYPE_CHECKING:
    from stylegan_tf.inference.sampler import ImageSampler, StyleSampler

_MAX_SAMPLERS = 8  # noise modes and levels of detail whose traces are kept
_MAX_KNOWN_W = 4096


class ExplorerNetwork:
    """A network that was built.

    Args:
        contents: of its file.
        directions: that fit it.
        precision, device: as the options of generate.py.
    """

    def __init__(
        self, contents: SnapshotContents, directions: Sequence[Direction] = (), *, precision: str = "float32", device: str | None = None
    ):
        args = argparse.Namespace(
            class_name=None, label=None, lod=None, has_labels=False, batch=1, precision=precision, device=device, noise=None,
            trunc=None, trunc_cutoff=None,
        )  # fmt: skip
        self.contents, self.session = contents, open_session(args, contents)
        self.G, self.has_styles = self.session.G, isinstance(self.session, StyleSession)
        num_styles = sum(dense.bias.shape[0] for _, dense in self.G.style_layers()) if self.has_styles else 0
        self.directions = [found for found in directions if not found.is_of_styles or len(found.vector) == num_styles]
        self.grows = models.settings_type(contents.model).grows
        self.limits = Limits(
            label_size=contents.shape.label_size,
            num_ws=self.G.num_ws if self.has_styles else 0,
            max_lod=log2(contents.shape.resolution) - 2 if self.grows else 0,
            directions=self.directions,
        )
        self._samplers = lru_cache(maxsize=_MAX_SAMPLERS)(self._sampler_of)
        self._w = lru_cache(maxsize=_MAX_KNOWN_W)(self._w_of_seed)

    def info(self) -> dict[str, object]:
        """What the page shows, as JSON values."""
        contents, session = self.contents, self.session
        psi, cutoff = session.truncation() if isinstance(session, StyleSession) else (1.0, None)
        examples = contents.label_examples
        return {
            "model": contents.model,
            "resolution": contents.shape.resolution,
            "channels": contents.shape.channels,
            "kimg": contents.nimg / 1000,
            "label_size": contents.shape.label_size,
            "class_names": list(contents.class_names),
            "label_examples": None if examples is None else examples[:50].tolist(),
            "num_ws": self.limits.num_ws,
            "has_noise": self.has_styles and bool(self.G.synthesis.noise_maps),
            "psi": psi,
            "cutoff": cutoff,
            "lod": contents.lod,
            "max_lod": self.limits.max_lod,
            "directions": [
                {"name": found.name, "method": found.method, "layers": list(found.layers), "scores": found.scores}
                for found in self.directions
            ],
        }

    def image(self, view: View) -> np.ndarray:
        """uint8 [R, R, C]."""
        sampler = self._sampler(view)
        if not self.has_styles:
            return next(sampler.batches(self.z(view), self._label(view), [view.noise_seed]))[0]
        with style_offsets(self.G, view.edits):
            return sampler.images(self.ws(view), [view.noise_seed])[0]

    def z(self, view: View) -> np.ndarray:
        """z [1, z_dim] of a network without styles: the blend has the variance of each latent."""
        weights = np.array([weight for _, weight in view.latent], np.float32)
        z = self.session.z([seed for seed, _ in view.latent])
        return (weights @ z / np.sqrt(np.sum(weights**2)))[None]

    def ws(self, view: View) -> np.ndarray:
        """ws [1, num_ws, w_dim] as they are synthesised: blended, mixed, truncated and edited."""
        w = np.sum([np.float32(weight) * self._w(seed, view.label) for seed, weight in view.latent], axis=0)  # [w_dim]
        ws = np.tile(w, (1, self.G.num_ws, 1))
        if view.mix_layers:
            ws[:, list(view.mix_layers)] = self._w(view.mix_seed, view.label)
        return apply_edits(self.session.sampler.truncate(ws, view.psi, view.cutoff), view.edits)

    def _w_of_seed(self, seed: int, label: tuple[float, ...] | None) -> np.ndarray:
        labels = self.session.labels([seed]) if label is None else np.array([label], np.float32)
        return self.session.sampler.ws(self.session.z([seed]), labels)[0, 0]

    def _label(self, view: View) -> np.ndarray | None:
        if view.label is not None:
            return np.array([view.label], np.float32)
        return self.session.labels([max(view.latent, key=lambda pair: pair[1])[0]])

    def _sampler(self, view: View) -> "ImageSampler | StyleSampler":
        """The sampler of a noise mode and a level of detail; those used last are kept, with their traces."""
        return self._samplers(view.noise if self.has_styles else "", self.session.lod if view.lod is None else view.lod)

    def _sampler_of(self, noise: str, lod: float) -> "ImageSampler | StyleSampler":
        from stylegan_tf.inference.sampler import ImageSampler, StyleSampler

        if self.has_styles:
            return StyleSampler(self.G, lod=lod, batch_size=1, noise_mode=noise)
        return ImageSampler(self.G, lod=lod, batch_size=1)
