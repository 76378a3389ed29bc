"""What a pipeline met on the disk, told in plain words: TensorFlow wraps the errors of its Python parts beyond recognition."""

import re
from pathlib import Path

_OURS = re.compile(r"\b(?:UserError|MissingFileError): (.+)")
_PYTHONS = re.compile(r"^(?:[\w.]*\.)?\w*Error: .+", re.MULTILINE)


def pipeline_fault(message: str, path: str | Path) -> str:
    """One or two sentences: what is wrong, with file and record where they are known, and how to look for more of it.

    Args:
        message: of the error that TensorFlow raised for a batch: several lines, with a traceback.
        path: of the dataset.
    """
    ours, pythons = _OURS.search(message), _PYTHONS.findall(message)
    first_line = (message.strip().splitlines() or ["unknown"])[0]
    found = ours[1].strip() if ours else f"Cannot read the dataset {path} any more: {(pythons or [first_line])[-1].rstrip('.')}."
    return f"{found} To see whether the rest is sound: python dataset_tool.py check {path}"
