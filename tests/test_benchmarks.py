"""What the benchmarks count, against figures worked out by hand or stated by the original release."""

import pytest

from benchmarks import paper_run
from benchmarks.workload import Workload


def test_full_width_at_64_is_276_gflop_an_image():
    assert Workload(resolution=64).training_flops() == pytest.approx(276e9, rel=0.003)


def test_operations_do_not_depend_on_batch_or_precision():
    assert Workload(batch=4, precision="mixed_bfloat16").training_flops() == Workload(batch=32).training_flops()


@pytest.mark.parametrize("resolution", paper_run.RESOLUTIONS)
def test_model_of_the_papers_run_meets_the_originals_own_times(resolution):
    counted = paper_run.hours(paper_run.V100_FLOAT32, paper_run.run_totals(resolution), paper_run.ACCESSES)
    assert counted == pytest.approx(paper_run.ORIGINAL_HOURS[resolution], rel=0.12)
