"""The report on a dataset build: settings, sizes, and a page that fits a phone."""

import dataclasses
from collections import Counter

import numpy as np

from stylegan_tf.data.intake import report
from stylegan_tf.data.intake.options import PrepareOptions

SIZES = Counter({(100 + i, 200): 30 - i for i in range(30)})


def test_sizes_are_summed_up():
    sizes = report._most_frequent(SIZES)
    assert len(sizes) == 13
    assert next(iter(sizes.items())) == ("100x200", 30)
    assert sizes["18 other sizes"] == sum(range(1, 19))
    assert report._most_frequent(Counter({(8, 8): 2})) == {"8x8": 2}


def test_the_page_has_the_settings_and_no_fixed_widths():
    made = report.Report(
        source="photos", target="cats", num_found=5, num_written=4, resolution=64, channels=3, encoding="png", labels_from="", labels="",
        class_counts={"a": 4}, label_ranges={"height": [1.5, 2.0, 1.75]},
        remarks=[], notes={}, sizes={}, skipped_counts={}, skipped=[], other_files={"counts": {}, "examples": {}},
        options=dataclasses.asdict(PrepareOptions(dedupe="near", crop="segment")),
    )  # fmt: skip
    page = report.render_html(made, np.zeros((8, 8, 3), np.uint8))
    assert "Fit: center-crop. Duplicates removed: near (at most 4 of 64 bits apart). Crop: segment, margin 0.1." in page
    assert "width=device-width" in page
    assert "<td>height<td>1.5 to 2, mean 1.75" in page
    assert "px'" not in page  # bars of 300 pixels did not fit 420
