"""The requests of the page to the server: networks, images, latents, commands and videos."""

import contextlib
import dataclasses
import functools
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stylegan_tf import loading
from stylegan_tf.errors import UserError
from stylegan_tf.inference import video
from stylegan_tf.inference.commands.edits import read_directions
from stylegan_tf.inference.commands.session import has_styles
from stylegan_tf.inference.explorer.command import W_FILE, Z_FILE, command_of
from stylegan_tf.inference.explorer.network import ExplorerNetwork
from stylegan_tf.inference.explorer.view import MAX_LATENTS, View, parse_latent, parse_view
from stylegan_tf.inference.explorer.worker import Worker

MAX_NETWORKS = 3  # in memory at once
MAX_FRAMES = 600
_MAX_KEYS = 16
_VIDEO_TYPES = {"mp4": "video/mp4", "webp": "image/webp", "gif": "image/gif"}


@dataclasses.dataclass(frozen=True)
class Answer:
    """Bytes for the page."""

    content: bytes
    content_type: str  # MIME type
    milliseconds: float = 0.0  # that the image took to compute
    file_name: str = ""  # under which the page saves it, "" for none


@dataclasses.dataclass(frozen=True)
class Entry:
    """A network file that the page may choose."""

    path: str  # as in commands
    label: str  # shown


def entries_of(paths: Sequence[str]) -> list[Entry]:
    """The network files of the command line; of a run folder all snapshots, the newest first.

    Raises:
        MissingFileError: no such file, or a folder without snapshots.
    """
    found: list[Entry] = []
    for path in paths:
        loading.find_snapshot(path)
        if not Path(path).is_dir():
            found.append(Entry(path, Path(path).name))
            continue
        run = Path(path).resolve().name
        found += [Entry(str(snapshot), f"{run}/{snapshot.name}") for snapshot in reversed(loading.snapshots_of(path))]
    unique = {entry.path: entry for entry in found}
    return list(unique.values())


class Api:
    """Answers the requests of the page by their names. Requests are JSON values from elsewhere; `network` is a number in `entries`.

    Args:
        entries: networks of the command line.
        directions_path: directions.npz, None for none.
        worker: computes.
        precision, device: as the options of generate.py.
    """

    def __init__(
        self, entries: Sequence[Entry], directions_path: str | None, worker: Worker, *, precision: str, device: str | None
    ):  # fmt: skip
        self.entries, self.directions_path, self.worker = entries, directions_path, worker
        self._options = {"precision": precision, "device": device}
        self._built = functools.lru_cache(maxsize=MAX_NETWORKS)(self._build)
        self.requests: dict[str, Callable[[Mapping], Answer | dict]] = {
            "networks": self._list_networks, "open": self._open, "image": self._image, "latents": self._latents,
            "command": self._command, "video": self._video,
        }  # fmt: skip

    def network(self, number: object) -> ExplorerNetwork:
        """A network by its number, built if it is not in memory. To be called by the worker."""
        if type(number) is not int or not 0 <= number < len(self.entries):
            raise UserError(f"network must be a number from 0 to {len(self.entries) - 1}.")
        return self._built(number)

    def _build(self, number: int) -> ExplorerNetwork:
        contents, directions = loading.read(self.entries[number].path), []
        if self.directions_path is not None and has_styles(contents):
            with contextlib.suppress(UserError):  # those of another network, which may be shown beside this one
                directions = read_directions(self.directions_path, contents)
        return ExplorerNetwork(contents, directions, **self._options)

    def _viewed(self, request: Mapping) -> tuple[ExplorerNetwork, View]:
        network = self.network(request.get("network"))
        return network, parse_view(request.get("view"), network.limits)

    def _list_networks(self, request: Mapping) -> dict:
        formats = [suffix for suffix in _VIDEO_TYPES if suffix != "mp4" or video.can_write_mp4()]
        return {"networks": [entry.label for entry in self.entries], "video_formats": formats}

    def _open(self, request: Mapping) -> dict:
        number = request.get("network")
        return self._submit(request, "open", lambda: self.network(number).info())

    def _image(self, request: Mapping) -> Answer:
        def compute() -> Answer:
            network, view = self._viewed(request)
            start = time.perf_counter()
            image = network.image(view)
            milliseconds = 1000 * (time.perf_counter() - start)
            return Answer(_png(image), "image/png", milliseconds)

        return self._submit(request, "image", compute)

    def _latents(self, request: Mapping) -> Answer:
        def compute() -> Answer:
            network, view = self._viewed(request)
            file = io.BytesIO()
            np.savez(file, **({"w": network.ws(view)} if network.has_styles else {"z": network.z(view)}))
            return Answer(file.getvalue(), "application/octet-stream", file_name=W_FILE if network.has_styles else Z_FILE)

        return self._submit(request, "latents", compute)

    def _command(self, request: Mapping) -> dict:
        def compute() -> dict:
            network, view = self._viewed(request)
            contents = network.contents
            command, note = command_of(
                view, network=self.entries[request["network"]].path, lod=contents.lod, has_styles=network.has_styles,
                has_classes=contents.label_examples is None, directions=self.directions_path,
            )  # fmt: skip
            return {"command": command, "note": note}

        return self._submit(request, "command", compute)

    def _video(self, request: Mapping) -> Answer:
        """A loop through the latents `keys` with everything else of the view; other requests are answered between its frames."""
        keys, frames, fps = request.get("keys"), request.get("frames"), request.get("fps")
        suffix = request.get("format")
        if suffix not in _VIDEO_TYPES:
            raise UserError(f"format must be one of {', '.join(_VIDEO_TYPES)}.")
        if type(frames) is not int or not 2 <= frames <= MAX_FRAMES or type(fps) is not int or not 1 <= fps <= 60:
            raise UserError(f"A video has 2 to {MAX_FRAMES} frames, and 1 to 60 a second.")
        if not isinstance(keys, list) or not 2 <= len(keys) <= _MAX_KEYS:
            raise UserError(f"A video goes through 2 to {_MAX_KEYS} latents.")
        latents = [parse_latent(key) for key in keys]
        if max(len(first) + len(second) for first in latents for second in latents) > MAX_LATENTS:
            raise UserError("The latents of a video blend too many seeds.")

        def image_at(share: float) -> np.ndarray:
            network, view = self._viewed(request)
            return network.image(dataclasses.replace(view, latent=between(latents, share)))

        def images() -> Iterator[np.ndarray]:
            for number in range(frames):
                image = self._submit(request, "video", lambda share=number / frames: image_at(share))
                yield video.enlarged_frame(image, image.shape[0])

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"walk.{suffix}"
            video.write_video(path, images(), fps=fps)
            return Answer(path.read_bytes(), _VIDEO_TYPES[suffix], file_name=path.name)

    def _submit(self, request: Mapping, kind: str, compute: Callable[[], Answer | dict | np.ndarray]) -> Answer | dict | np.ndarray:
        """Runs in the worker; of one tab (`client`) and place on the page (`slot`), only the newest request counts."""
        client, slot = request.get("client"), request.get("slot", "")
        if not isinstance(client, str) or not isinstance(slot, str) or not 1 <= len(client) <= 64 or len(slot) > 64:
            raise UserError("client and slot must be short texts.")
        return self.worker.submit((kind, client, slot), compute)


def between(latents: Sequence[tuple[tuple[int, float], ...]], share: float) -> tuple[tuple[int, float], ...]:
    """The blend at a share of a loop through latents: straight from one to the next, the last to the first."""
    position = share * len(latents)
    index = int(position) % len(latents)
    time_in_part = position - int(position)
    first, second = latents[index], latents[(index + 1) % len(latents)]
    blend = [(seed, weight * (1 - time_in_part)) for seed, weight in first] + [(seed, weight * time_in_part) for seed, weight in second]
    return tuple(pair for pair in blend if pair[1] > 0)


def _png(image: np.ndarray) -> bytes:
    """PNG with little compression: encoding must not take longer than the network."""
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, "PNG", compress_level=1)
    return file.getvalue()
