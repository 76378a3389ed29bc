"""A folder with a page that generates images in a browser: the generator as ONNX, onnxruntime-web and the page itself."""

import base64
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.files import new_folder
from stylegan_tf.inference.export.agreement import TOLERANCE
from stylegan_tf.inference.export.onnx_files import onnx_networks
from stylegan_tf.inference.export.saved_model import ExportedGenerator, ExportedStyleGenerator
from stylegan_tf.resolution import resolution_at

_PAGE = Path(__file__).parent / "web" / "index.html"
_LICENSE = _PAGE.with_name("LICENSE-onnxruntime-web.txt")
_PLACE = "NETWORK"  # of the description of the network in the page
_LIBRARY = "ort.wasm.min.js"  # loaded by its own element; the other files are read by the page's code


def export_web(
    exported: ExportedGenerator, path: str | os.PathLike, library: Mapping[str, bytes], *, labels: Sequence[tuple[str, np.ndarray]] = (),
    title: str = "Generator", opset: int = 18, tolerance: float = TOLERANCE,
) -> float:  # fmt: skip
    """Writes the folder, whole or not at all. It works from any web server, and opened as a file.

    Args:
        exported: the generator and its options.
        path: folder to write; it must not exist.
        library: files of onnxruntime-web, see `onnxruntime_web.read_files`.
        labels: names and labels [label_size] to choose from, for a conditional network.
        title: of the page.
        opset: of the ONNX file.
        tolerance: largest difference from TensorFlow.

    Returns:
        The largest difference between onnxruntime and TensorFlow.

    Raises:
        UserError: the folder exists, or they differ by more than `tolerance`.
    """
    G = exported.G
    content, difference = onnx_networks(exported, names=["generator"], opset=opset, batch_size=1, tolerance=tolerance)["generator"]
    described = {
        "title": title,
        "z_dim": G.z_dim,
        "resolution": resolution_at(G.resolution, exported.lod),
        "channels": G.channels,
        "psi": exported.psi if isinstance(exported, ExportedStyleGenerator) else None,
        "labels": [{"name": name, "values": [float(value) for value in label]} for name, label in labels],
    }
    page = _PAGE.read_text(encoding="utf-8").replace(_PLACE, json.dumps(described).replace("<", "\\u003c"), 1)
    read = {name: data for name, data in library.items() if name != _LIBRARY} | {"generator.onnx": content}
    encoded = {name: base64.b64encode(data).decode() for name, data in read.items()}
    with new_folder(path) as folder:
        folder.mkdir()
        for name, data in (read | {_LIBRARY: library[_LIBRARY]}).items():
            (folder / name).write_bytes(data)
        (folder / "index.html").write_text(page, encoding="utf-8")
        (folder / "offline.js").write_text(f"var OFFLINE = {json.dumps(encoded)};\n", encoding="utf-8")
        shutil.copyfile(_LICENSE, folder / _LICENSE.name)
    return difference
