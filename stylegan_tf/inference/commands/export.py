"""`generate.py export`: the generator as a SavedModel or a Keras file."""

import argparse
from collections.abc import Callable
from pathlib import Path

from stylegan_tf.command_line import check_output
from stylegan_tf.errors import UserError
from stylegan_tf.inference.commands.options import add_network_options
from stylegan_tf.inference.commands.session import StyleSession, open_session, read_network, require_styles, require_styles_for_options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser, has_classes=False)
    add = parser.add_argument
    add("--format", choices=("savedmodel", "keras"), default="savedmodel", help="what to write (default: %(default)s)")
    add("--output", default="generator", metavar="PATH", help="folder or .keras file; must not exist (default: %(default)s)")
    add("--truncation", dest="trunc", type=float, metavar="PSI", help="truncation psi of the exported network (default: the network's own)")
    add("--trunc-cutoff", metavar="N", help="layers that are truncated, or 'all' (default: the network's own)")
    add("--batch-size", type=int, metavar="N", help="fixed batch size (default: any)")
    add("--images", choices=("float", "uint8"), default="float", help="range [-1, 1], not clipped, or [0, 255] (default: %(default)s)")


def run(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Runs the command."""
    path = Path(args.output)
    is_keras = args.format == "keras"
    if is_keras:
        path = path if path.suffix == ".keras" else path.with_name(path.name + ".keras")
        _check_keras_options(args)
    if path.exists():
        raise UserError(f"{path} exists already. Choose another --output or remove it.")
    check_output(path)
    if args.batch_size is not None and not 1 <= args.batch_size <= 4096:
        raise UserError(f"--batch-size must be from 1 to 4096. Received: {args.batch_size}")
    contents = read_network(args)
    if args.trunc is not None:
        require_styles(contents, "--truncation")
    require_styles_for_options(args, contents)
    if is_keras and contents.lod > 0:  # called without a lod, it would run layers that were never trained
        raise UserError(f"{contents.source} is at lod {contents.lod:g}, which a Keras file does not contain. Use --format savedmodel.")
    session = open_session(args, contents)
    from stylegan_tf.inference import export

    G, has_styles = session.G, isinstance(session, StyleSession)
    psi, cutoff = session.truncation() if has_styles else (None, None)
    if is_keras:
        export.export_keras(G, path, **_truncation_settings(session, psi, cutoff) if has_styles else {})
        report(f"{path}: {path.stat().st_size / 1e6:.1f} MB. Load it with keras.saving.load_model after `import {type(G).__module__}`.")
        return
    options = {"lod": session.lod, "output": args.images}
    if has_styles:
        exported = export.ExportedStyleGenerator(G, psi=psi, cutoff=cutoff, noise_mode=args.noise or "const", **options)
    else:
        exported = export.ExportedGenerator(G, **options)
    export.export_savedmodel(exported, path, batch_size=args.batch_size)
    size, speed = export.measure(path, z_dim=G.z_dim, label_size=G.label_size, batch_size=args.batch_size or 4)
    names = "latents, seeds, mapping, synthesis, w" if has_styles else "latents, seeds"
    report(f"{path}: {size / 1e6:.1f} MB, {speed:.1f} images/s on this machine; signatures {names}.")


def _truncation_settings(session: StyleSession, psi: float, cutoff: int | None) -> dict[str, float | int]:
    return {"truncation_psi": psi, "truncation_cutoff": session.G.num_ws if cutoff is None else cutoff}


def _check_keras_options(args: argparse.Namespace) -> None:
    """Raises UserError for options without effect on a Keras file."""
    given = {"--images uint8": args.images == "uint8", "--batch-size": args.batch_size is not None, "--lod": args.lod is not None}
    given[f"--noise {args.noise}"] = args.noise not in (None, "const")
    if any(given.values()):
        refused = " and ".join(name for name, is_given in given.items() if is_given)
        raise UserError(
            f"A Keras file contains the network unchanged (lod and noise are arguments of its call): {refused} is for --format savedmodel."
        )
