"""The report on a dataset build: what was written, skipped and converted, as report.json and as report.html with a contact sheet."""

import base64
import dataclasses
import html
import io
import json
from collections import Counter

import numpy as np

from stylegan_tf.data.intake.decode import decode_image_file
from stylegan_tf.data.intake.fit import fit_image
from stylegan_tf.data.intake.labels import describe_imbalance
from stylegan_tf.data.intake.prepare import Prepared
from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.export import contact_sheet, tile
from stylegan_tf.data.records.manifest import REPORT_NAMES, label_ranges
from stylegan_tf.data.sources.base import UnusableImage
from stylegan_tf.display import visible
from stylegan_tf.files import write_text

_MAX_SIZES = 12
_MAX_LISTED = 500  # skipped images in the HTML; the JSON lists all
_NUM_PAIRS = 6  # images shown before and after cropping
_PAIR_SIDE = 256  # pixels


@dataclasses.dataclass
class Report:
    """Counts and lists; every value can be written as JSON."""

    source: str
    target: str
    num_found: int
    num_written: int
    resolution: int
    channels: int
    encoding: str
    labels_from: str
    labels: str
    class_counts: dict[str, int]
    label_ranges: dict[str, list[float]]
    remarks: list[str]
    notes: dict[str, int]
    sizes: dict[str, int]
    skipped_counts: dict[str, int]
    skipped: list[dict[str, str]]
    other_files: dict[str, dict]
    options: dict[str, object]
    seconds: float = 0.0

    @classmethod
    def of(cls, prepared: Prepared, dataset: Dataset, target: str, seconds: float) -> "Report":
        """The report on a dataset that was written."""
        source, checked, plan = prepared.source, prepared.checked, prepared.plan
        skipped = sorted(checked.unusable)
        class_counts = dataset.manifest.class_counts
        imbalance = describe_imbalance(class_counts)
        sizes = Counter(zip(checked.widths.tolist(), checked.heights.tolist(), strict=True))
        return cls(
            source=source.title,
            target=target,
            num_found=len(source),
            num_written=dataset.num_images,
            resolution=plan.resolution,
            channels=plan.channels,
            encoding=prepared.options.encoding,
            labels_from=prepared.labels.origin,
            labels=prepared.labels.describe(),
            class_counts=class_counts,
            label_ranges=label_ranges(dataset.labels, dataset.class_names),
            remarks=[*plan.remarks, *([imbalance] if imbalance else [])],
            notes=dict(checked.notes.most_common()),
            sizes=_most_frequent(sizes),
            skipped_counts=dict(Counter(reason for _, reason, _ in skipped).most_common()),
            skipped=[{"name": visible(source.names[index]), "reason": reason, "message": message} for index, reason, message in skipped],
            other_files={"counts": source.other_files.counts, "examples": source.other_files.examples},
            options=dataclasses.asdict(prepared.options),
            seconds=round(seconds, 2),
        )


def _most_frequent(sizes: Counter[tuple[int, int]]) -> dict[str, int]:
    """Counts of the most frequent sizes, and of all others together."""
    found = {f"{width}x{height}": count for (width, height), count in sizes.most_common(_MAX_SIZES)}
    rest = sizes.total() - sum(found.values())
    return {**found, f"{len(sizes) - _MAX_SIZES} other sizes": rest} if rest else found


def write_report(report: Report, prepared: Prepared, dataset: Dataset) -> None:
    """Writes report.json and report.html into the folder of a dataset."""
    json_name, html_name = REPORT_NAMES
    write_text(dataset.path / json_name, json.dumps(dataclasses.asdict(report), indent=1, ensure_ascii=False) + "\n")
    pairs = before_and_after(prepared) if prepared.crop else None
    write_text(dataset.path / html_name, render_html(report, contact_sheet(dataset), pairs))


def before_and_after(prepared: Prepared) -> np.ndarray:
    """A sheet of two rows: photographs, and what was cut out of them."""
    before, after = [], []
    usable = prepared.checked.indices
    for index in usable[np.linspace(0, len(usable) - 1, min(_NUM_PAIRS, len(usable))).astype(int)]:
        try:
            pixels = decode_image_file(prepared.source.read(int(index)), prepared.options.max_pixels).pixels
            after.append(prepared.load(int(index)).image)
        except UnusableImage:
            continue
        before.append(fit_image(pixels, _PAIR_SIDE, "pad", fill=(128,) * pixels.shape[2]))
    return tile([before, after], captions=("before", "after"), cell=160)


def render_html(report: Report, sheet: np.ndarray, pairs: np.ndarray | None = None) -> str:
    """One self-contained page."""
    colours = {1: "grey", 3: "RGB", 4: "RGBA"}[report.channels]
    facts = f"{report.num_written} images of {report.resolution}×{report.resolution}, {colours}, {report.encoding}"
    parts = [f"<h1>{_text(report.target)}</h1><p>{facts}, from {_text(report.source)} ({report.num_found} images found).</p>"]
    parts.append(f"<p>{_text(_how(report))}</p>")
    parts += [f"<p class=note>{_text(remark)}</p>" for remark in report.remarks]
    parts.append(f"<img src='{_data_uri(sheet)}' alt='contact sheet'>")
    if pairs is not None:
        parts.append(f"<h2>Cut out</h2><img src='{_data_uri(pairs)}' alt='before and after'>")
    if report.class_counts:
        parts.append(f"<h2>Classes (from {_text(report.labels_from)})</h2>{_bars(report.class_counts)}")
    if report.label_ranges:
        heading = f"<h2>Numbers of the labels (from {_text(report.labels_from)})</h2>"
        rows = report.label_ranges.items()
        ranges = "".join(f"<tr><td>{_text(name)}<td>{least:g} to {most:g}, mean {mean:g}" for name, (least, most, mean) in rows)
        parts.append(f"{heading}<table>{ranges}</table>")
    tables = {
        "Skipped": report.skipped_counts,
        "Converted": report.notes,
        "Other files": report.other_files["counts"],
        "Sizes": report.sizes,
    }
    parts += [f"<h2>{title}</h2>{_bars(counts)}" for title, counts in tables.items() if counts]
    if report.skipped:
        rows = "".join(f"<tr><td>{_text(row['name'])}<td>{_text(row['message'])}" for row in report.skipped[:_MAX_LISTED])
        more = len(report.skipped) - _MAX_LISTED
        parts.append(f"<h2>All skipped images</h2><table>{rows}</table>" + (f"<p>and {more} more in report.json</p>" if more > 0 else ""))
    viewport = "<meta name=viewport content='width=device-width, initial-scale=1'>"
    head = f"<meta charset=utf-8>{viewport}<title>{_text(report.target)}</title><style>{_STYLE}</style>"
    return f"<!DOCTYPE html><html lang=en>{head}{''.join(parts)}</html>\n"


def _how(report: Report) -> str:
    """How images were made square and which were left out, in one sentence a setting."""
    options = report.options
    distance = f" (at most {options['dedupe_distance']} of 64 bits apart)" if options["dedupe"] == "near" else ""
    sentences = [f"Fit: {options['fit']}.", f"Duplicates removed: {options['dedupe']}{distance}."]
    if options["crop"] != "none":
        sentences.append(f"Crop: {options['crop']}, margin {options['margin']:g}.")
    return " ".join(sentences)


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1240px;margin:2em auto;padding:0 1em;color:#222;overflow-wrap:anywhere}"
    "img{max-width:100%}table{border-collapse:collapse;width:100%}td{padding:1px 14px 1px 0;vertical-align:top}td.n{text-align:right}"
    "td.b{width:50%}i{display:block;height:.7em;margin-top:.4em;background:#5b8c5a}.note{background:#fdf3d1;padding:.4em .8em}"
)


def _text(value: str) -> str:
    return html.escape(str(value), quote=True)


def _bars(counts: dict[str, int]) -> str:
    """A table of counts, each with a bar."""
    largest = max(max(counts.values()), 1)
    rows = (
        f"<tr><td>{_text(name)}<td class=n>{count}<td class=b><i style='width:{100 * count / largest:.0f}%'></i>"
        for name, count in counts.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _data_uri(image: np.ndarray) -> str:
    """A JPEG embedded in the page."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"
