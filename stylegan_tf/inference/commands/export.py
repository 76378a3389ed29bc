"""`generate.py export`: the generator as a file or folder for other programs."""

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.command_line import check_output
from stylegan_tf.errors import UserError
from stylegan_tf.inference.commands.options import add_network_options, check_numbers
from stylegan_tf.inference.commands.session import StyleSession, open_session, read_network, require_styles, require_styles_for_options
from stylegan_tf.inference.export import onnxruntime_web
from stylegan_tf.seeds import one_hot
from stylegan_tf.snapshot_file import SnapshotContents

if TYPE_CHECKING:
    from stylegan_tf.inference.export.saved_model import ExportedGenerator

SUFFIXES = {"savedmodel": "", "keras": ".keras", "onnx": "", "tflite": ".tflite", "web": ""}  # of what each format writes
COMPARED = ("onnx", "tflite", "web")  # with TensorFlow, before they are written
MAX_WEB_LABELS = 200
ONNX_PACKAGES = ("onnx", "onnxruntime", "tf2onnx")  # the extra `onnx`


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser, has_classes=False)
    add = parser.add_argument
    add("--format", choices=tuple(SUFFIXES), default="savedmodel", help="what to write (default: %(default)s); web: a page for browsers")
    add("--output", default="generator", metavar="PATH", help="folder, .keras or .tflite file; must not exist (default: %(default)s)")
    add(
        "--truncation",
        dest="trunc",
        type=float,
        metavar="PSI",
        help="truncation psi of the exported network (default: that of the network)",
    )
    add("--trunc-cutoff", metavar="N", help="number of truncated layers, or 'all' (default: that of the network)")
    add("--batch-size", type=int, metavar="N", help="fixed batch size (default: any; 1 for tflite)")
    add(
        "--images",
        choices=("float", "uint8"),
        default="float",
        help="float: -1 is black and 1 is white, not clipped; uint8: 0 to 255 (default: %(default)s)",
    )
    add("--opset", type=int, choices=(15, 18), default=18, help="version of the operations of onnx and web (default: %(default)s)")
    add("--tolerance", type=float, metavar="X", help="largest accepted difference of onnx, tflite and web from TensorFlow (default: 1e-4)")
    add("--onnxruntime-web", metavar="TGZ", help="archive of the npm package for web (default: downloaded by npm)")


def run(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Runs the command."""
    path, suffix = Path(args.output), SUFFIXES[args.format]
    path = path if path.suffix == suffix or not suffix else path.with_name(path.name + suffix)
    _check_options(args)
    if path.exists():
        raise UserError(f"{path} exists already. Choose another --output or remove it.")
    check_output(path)
    check_numbers(args, batch_size=(1, 4096))
    contents = read_network(args)
    if args.trunc is not None:
        require_styles(contents, "--truncation")
    require_styles_for_options(args, contents)
    if args.format == "keras" and contents.lod > 0:  # called without a lod, it would run layers that were never trained
        raise UserError(f"{contents.source} is at lod {contents.lod:g}, which a Keras file does not contain. Use --format savedmodel.")
    library = onnxruntime_web.read_files(args.onnxruntime_web) if args.format == "web" else {}
    session = open_session(args, contents)
    from stylegan_tf.inference.export import saved_model

    G, has_styles = session.G, isinstance(session, StyleSession)
    psi, cutoff = session.truncation() if has_styles else (None, None)
    signatures = "latents, mapping, synthesis, w" if has_styles else "latents"
    if args.format == "keras":
        changes = {"truncation_psi": psi, "truncation_cutoff": G.num_ws if cutoff is None else cutoff} if has_styles else {}
        saved_model.export_keras(G, path, **changes)
        report(f"{path}: {path.stat().st_size / 1e6:.1f} MB. Load it with keras.saving.load_model after `import {type(G).__module__}`.")
        return
    compared = {} if args.tolerance is None else {"tolerance": args.tolerance}
    options = {"lod": session.lod, "output": args.images}
    if has_styles:
        exported = saved_model.ExportedStyleGenerator(G, psi=psi, cutoff=cutoff, noise_mode=args.noise or "const", **options)
    else:
        exported = saved_model.ExportedGenerator(G, **options)
    if args.format == "onnx":
        _write_onnx(exported, path, args, contents, compared, report)
    elif args.format == "tflite":
        from stylegan_tf.inference.export.tflite_file import export_tflite

        difference = export_tflite(exported, path, batch_size=args.batch_size or 1, **compared)
        report(f"{path}: {path.stat().st_size / 1e6:.1f} MB, within {difference:.1g} of TensorFlow; signatures {signatures}.")
    elif args.format == "web":
        from stylegan_tf.inference.export.web_folder import export_web

        title = f"{contents.dataset.get('name') or 'Generator'}, {G.resolution}x{G.resolution}"
        choices = {"labels": _labels(contents), "title": title, "opset": args.opset, **compared}
        difference = export_web(exported, path, library, **choices)
        report(
            f"{path}: within {difference:.1g} of TensorFlow. Open {path / 'index.html'} in a browser, or put the folder on a web server."
        )
    else:
        saved_model.export_savedmodel(exported, path, batch_size=args.batch_size)
        size, speed = saved_model.measure(path, z_dim=G.z_dim, label_size=G.label_size, batch_size=args.batch_size or 4)
        report(f"{path}: {size / 1e6:.1f} MB, {speed:.1f} images/s on this machine; signatures {signatures}.")


def _write_onnx(
    exported: "ExportedGenerator", path: Path, args: argparse.Namespace, contents: SnapshotContents, compared: dict[str, float],
    report: Callable[[str], None],
) -> None:  # fmt: skip
    from stylegan_tf.files import new_folder
    from stylegan_tf.inference.export.onnx_files import onnx_networks

    about = {"resolution": exported.G.resolution, "lod": exported.lod, "class_names": list(contents.class_names)}
    about["psi"] = getattr(exported, "psi", None)
    written = onnx_networks(exported, opset=args.opset, batch_size=args.batch_size, about=about, **compared)
    with new_folder(path) as folder:
        folder.mkdir()
        for name, (content, _) in written.items():
            (folder / f"{name}.onnx").write_bytes(content)
    for name, (content, difference) in written.items():
        report(f"{path / name}.onnx: {len(content) / 1e6:.1f} MB, opset {args.opset}, within {difference:.1g} of TensorFlow")


def _labels(contents: SnapshotContents) -> list[tuple[str, np.ndarray]]:
    """What a visitor of the page can choose from: the classes, or labels of the data."""
    if contents.label_examples is not None:
        return [(",".join(f"{number:.4g}" for number in label[:8]), label) for label in contents.label_examples[:MAX_WEB_LABELS]]
    size = contents.shape.label_size
    names = contents.class_names if len(contents.class_names) == size else tuple(map(str, range(size)))
    return list(zip(names, one_hot(range(size), size), strict=True)) if size else []


def _check_options(args: argparse.Namespace) -> None:
    """Raises UserError for options without effect on the format, and for missing packages."""
    given = {"--images uint8": args.images == "uint8", "--batch-size": args.batch_size is not None, "--lod": args.lod is not None}
    given[f"--noise {args.noise}"] = args.noise not in (None, "const")
    if args.format == "keras" and any(given.values()):
        refused = " and ".join(name for name, is_given in given.items() if is_given)
        raise UserError(
            f"A Keras file contains the network unchanged (lod and noise are arguments of its call): {refused} is for --format savedmodel."
        )
    if args.format in COMPARED:
        given = {"--images uint8": args.images == "uint8", "--noise random": args.noise == "random"}
        given |= {f"--precision {args.precision}": args.precision != "float32"}
        given |= {"--batch-size": args.format == "web" and args.batch_size is not None}
        if refused := " and ".join(name for name, is_given in given.items() if is_given):
            raise UserError(f"--format {args.format} is compared with TensorFlow in float32: {refused} is for --format savedmodel.")
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if args.format in ("onnx", "web") and missing:
        raise UserError(f'--format {args.format} needs the packages {", ".join(missing)}: pip install "stylegan_tf[onnx]"')
    if args.tolerance is not None and args.format not in COMPARED:
        raise UserError(f"--tolerance is for --format {', '.join(COMPARED)}.")
    if args.tolerance is not None and not 0 < args.tolerance <= 1:
        raise UserError(f"--tolerance must be above 0 and at most 1. Received: {args.tolerance:g}")
    if args.onnxruntime_web is not None and args.format != "web":
        raise UserError("--onnxruntime-web is for --format web.")
