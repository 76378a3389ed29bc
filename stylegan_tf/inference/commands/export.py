"""`generate.py export`: the generator as a SavedModel or a Keras file."""

import argparse
from collections.abc import Callable
from pathlib import Path

from stylegan_tf.command_line import check_output
from stylegan_tf.errors import UserError
from stylegan_tf.inference.commands.session import Session, add_network_options, check_network


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser, has_classes=False)
    add = parser.add_argument
    add("--format", choices=("savedmodel", "keras"), default="savedmodel", help="what to write (default: %(default)s)")
    add("--output", default="generator", metavar="PATH", help="folder or .keras file; must not exist (default: %(default)s)")
    add("--truncation", dest="trunc", type=float, metavar="PSI", help="truncation psi built in (default: the network's own)")
    add("--trunc-cutoff", metavar="N", help="layers that are truncated, or 'all' (default: the network's own)")
    add("--batch-size", type=int, metavar="N", help="fixed batch size (default: any)")
    add("--images", choices=("float", "uint8"), default="float", help="[-1, 1] or [0, 255] (default: %(default)s)")


def run(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Does the command."""
    path = Path(args.output)
    if args.format == "keras":
        path = path if path.suffix == ".keras" else path.with_name(path.name + ".keras")
        wishes = {"--images uint8": args.images == "uint8", "--batch-size": args.batch_size is not None, "--lod": args.lod is not None}
        wishes[f"--noise {args.noise}"] = args.noise != "const"
        if any(wishes.values()):
            refused = " and ".join(name for name, is_asked in wishes.items() if is_asked)
            raise UserError(
                f"A Keras file keeps the network as it is (lod and noise are arguments of its call): {refused} is for --format savedmodel."
            )
    if path.exists():
        raise UserError(f"{path} exists already. Choose another --output or remove it.")
    check_output(path)
    if args.batch_size is not None and not 1 <= args.batch_size <= 4096:
        raise UserError(f"--batch-size must be from 1 to 4096. Received: {args.batch_size}")
    facts = check_network(args)
    if args.format == "keras" and facts.lod > 0:  # called without a lod, it would draw through layers that were never trained
        raise UserError(f"{facts.path} stands at lod {facts.lod:g}, which a Keras file does not keep. Use --format savedmodel.")
    session = Session(args, facts=facts)
    from stylegan_tf.inference import export

    psi, cutoff = session.truncation()
    if args.format == "keras":
        export.export_keras(session.G, path, psi=psi, cutoff=cutoff)
        report(f"{path}: {path.stat().st_size / 1e6:.1f} MB. Load it with keras.saving.load_model after `import stylegan_tf.networks`.")
        return
    export.export_savedmodel(
        session.G, path, psi=psi, cutoff=cutoff, lod=session.lod, output=args.images, noise_mode=args.noise, batch_size=args.batch_size
    )
    size, speed = export.measure(path, z_dim=session.G.z_dim, label_size=session.G.label_size, batch_size=args.batch_size or 4)
    report(f"{path}: {size / 1e6:.1f} MB, {speed:.1f} images/s here; signatures latents, seeds, mapping, synthesis, w.")
