"""The command of generate.py that gives the image of a view."""

import shlex
from collections.abc import Sequence

from stylegan_tf.command_line import spelled
from stylegan_tf.inference.explorer.view import View

W_FILE, Z_FILE = "w.npz", "z.npz"  # names under which the page saves latents


def command_of(
    view: View, *, network: str, lod: float, has_styles: bool, has_classes: bool, directions: str | None
) -> tuple[str, str]:  # fmt: skip
    """A command line, and what has to be known about it ("" for nothing).

    Args:
        view: of the page.
        network: path of its network.
        lod: of its snapshot.
        has_styles: of the network.
        has_classes: labels are classes.
        directions: path of the file with the directions of the view.
    """
    seed = view.latent[0][0] if len(view.latent) == 1 else None
    label = [] if view.label is None else _label(view.label, has_classes)
    options = ["--network", network]
    options += ["--lod", f"{view.lod:g}"] if view.lod is not None and view.lod != lod else []
    if not has_styles:
        if seed is not None:
            return _line("images", "--seeds", str(seed), *options, *label), ""
        return _line("images", "--latents", Z_FILE, *options, *label), f"Save z first: the image is a blend, kept in {Z_FILE}."
    options += ["--noise", view.noise]
    truncation = ["--trunc", f"{view.psi:g}", "--trunc-cutoff", "all" if view.cutoff is None else str(view.cutoff)]
    note = ""
    if view.noise == "random" and (seed is None or view.noise_seed != seed or view.mix_layers or view.edits):
        note = "The command uses other random noise than this page. "
    if seed is not None and not view.mix_layers and not view.edits:
        return _line("images", "--seeds", str(seed), *truncation, *options, *label), note
    if seed is not None and not view.edits:
        mixing = ["--rows", str(seed), "--cols", str(view.mix_seed), "--styles", layers_text(view.mix_layers)]
        return _line("style-mixing", *mixing, *truncation, *options, *label), note
    if seed is not None and not view.mix_layers:
        edits = _edits(view, directions)
        return _line("directions", "edit", "--seeds", str(seed), *edits, *truncation, *options, *label), note
    note += f"Save w first: this image is a blend, kept in {W_FILE}."
    if any(edit.direction.is_of_styles for edit in view.edits):  # not part of w
        return _line("directions", "edit", "--w", W_FILE, *_edits(view, directions, only_styles=True), *options), note
    return _line("images", "--w", W_FILE, *options), note


def layers_text(layers: Sequence[int]) -> str:
    """Layers as the options take them: [0, 1, 2, 5] is "0-2,5"."""
    parts: list[list[int]] = []
    for layer in sorted(layers):
        if parts and layer == parts[-1][1] + 1:
            parts[-1][1] = layer
        else:
            parts.append([layer, layer])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _edits(view: View, directions: str | None, *, only_styles: bool = False) -> list[str]:
    chosen = [edit for edit in view.edits if edit.direction.is_of_styles or not only_styles]
    texts = []
    for edit in chosen:
        layers = "" if edit.layers == edit.direction.layers else f"@{layers_text(edit.layers)}"
        texts.append(f"{edit.direction.name}={edit.strength:g}{layers}")
    return ["--directions", directions or "directions.npz", "--apply", *texts]


def _label(numbers: Sequence[float], has_classes: bool) -> list[str]:
    if has_classes and sorted(numbers) == [0.0] * (len(numbers) - 1) + [1.0]:
        return ["--class", str(numbers.index(1.0))]
    return [f"--label={','.join(f'{number:g}' for number in numbers)}"]


def _line(*parts: str) -> str:
    return f"{spelled('python generate.py')} {shlex.join(parts)}"
