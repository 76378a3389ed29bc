"""What a dataset is, as a table of facts."""

from pathlib import Path
from typing import Any

from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.manifest import count_labels


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Facts about a dataset; every value can be written as JSON."""
    manifest = dataset.manifest
    facts: dict[str, Any] = {
        "name": dataset.name,
        "path": str(dataset.path),
        "images": dataset.num_images,
        "resolution": dataset.resolution,
        "channels": dataset.channels,
        "encoding": dataset.encoding,
        "levels": list(dataset.resolutions),
        "shards": manifest.num_shards if manifest else 1,
        "label_size": dataset.label_size,
        "classes": class_counts(dataset),
        "bytes": sum(file.stat().st_size for file in Path(dataset.path).iterdir() if file.is_file()),
        "raw_bytes": raw_bytes(dataset),
        "digest": dataset.digest,
        "has_manifest": manifest is not None,
        "made_by": manifest.made_by if manifest else {},
    }
    return facts


def raw_bytes(dataset: Dataset) -> int:
    """Bytes that the pixels of all levels take without compression."""
    return dataset.num_images * dataset.channels * sum(resolution**2 for resolution in dataset.resolutions)


def class_counts(dataset: Dataset) -> dict[str, int]:
    """Images of every class; {} without labels."""
    if not dataset.label_size:
        return {}
    if dataset.manifest and dataset.manifest.class_counts:
        return dataset.manifest.class_counts
    return count_labels(dataset.labels, dataset.class_names or tuple(map(str, range(dataset.label_size))))


def format_facts(facts: dict[str, Any]) -> str:
    """The facts as lines for a person."""
    shape = f"{facts['resolution']}x{facts['resolution']}x{facts['channels']}"
    levels = f"{facts['levels'][0]}x{facts['levels'][0]} to {facts['levels'][-1]}x{facts['levels'][-1]}"
    share = facts["bytes"] / facts["raw_bytes"]
    lines = {
        "dataset": f"{facts['name']} in {facts['path']}",
        "images": f"{facts['images']} of {shape}, {facts['encoding']}, levels {levels}, {facts['shards']} record file(s) a level",
        "disk": f"{facts['bytes'] / 1e6:.1f} MB, {share:.2f} of the raw pixels",
        "digest": facts["digest"],
        "labels": f"{facts['label_size']} numbers an image" if facts["label_size"] else "none",
        "made by": facts["made_by"].get("command")
        or ("no manifest: the original, or a program like it" if not facts["has_manifest"] else "unknown"),
    }
    width = max(map(len, [*lines, *facts["classes"]])) + 2
    text = [f"{name:<{width}}{value}" for name, value in lines.items()]
    text += [f"  {name:<{width}}{count}" for name, count in facts["classes"].items()]
    return "\n".join(text)
