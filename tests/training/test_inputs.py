"""Real images on their way into D, against the original's."""

import numpy as np
import pytest

from stylegan_tf.resolution import split_lod
from stylegan_tf.training.inputs import process_reals
from tests.closeness import assert_close
from tests.recorded import arrays, nhwc, repeat

# Four float32 roundings of numbers up to 2; the original folds its constants in another order.
TOLERANCE = 5e-7


@pytest.mark.parametrize("lod", [0, 0.25, 0.5, 1, 1.5, 2.75, 3])
def test_reals_at_every_level(lod):
    recorded = arrays("process_reals")
    floor, fade = split_lod(lod)
    reals = process_reals(nhwc(recorded[f"lod{lod}/in"]), fade)
    assert_close(repeat(reals.numpy(), 2**floor), nhwc(recorded[f"lod{lod}/out"]), TOLERANCE)


def test_mirrored_reals_fade_as_the_originals():
    recorded = arrays("process_reals")
    images, is_kept = nhwc(recorded["mirror/in"]), nhwc(recorded["mirror/mask"]) < 0.5
    mirrored = np.where(is_kept, images, images[:, :, ::-1])
    assert_close(process_reals(mirrored, 0.5), nhwc(recorded["mirror/lod0.5/out"]), TOLERANCE)
