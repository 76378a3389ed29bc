"""Every preset of the studies at sizes that train in seconds: the same layers, losses and steps with few feature maps."""

import numpy as np

import config
from stylegan_tf import lenet_file, settings_text, study_presets
from stylegan_tf.data import DatasetWriter

NAMES = [*study_presets.PRESETS, "stylegan-a", "stylegan-b", "stylegan-c", "stylegan-d", "stylegan-e", "stylegan-f", "flowers-5",
         "scenes-stylegan2", "scenes-stylegan2-ada"]  # fmt: skip
MINIBATCH = 4
_STYLEGAN = ["G.z_dim=4", "G.w_dim=4", "G.fmap_max=4", "D.fmap_max=4"]
WIDTHS = {
    "dcgan": ["G.fmaps=2", "D.fmaps=2", "G.z_dim=5"],
    "cgan": ["G.units=4", "D.units=4"],
    "resnet": ["G.fmaps=2", "D.fmaps=2", "G.z_dim=5"],
    "stylegan": [*_STYLEGAN, "G.mapping_fmaps=4", "schedule.steady_kimg=0.016", "schedule.fade_kimg=0.016"],
    "stylegan2": _STYLEGAN,
}


def tiny(name, data, *more):
    """A preset for the tiny dataset in folder `data`: 32x32 for digits, 8x8 otherwise; 2 ticks of 4 iterations."""
    settings = config.preset(name)
    side = 32 if name.startswith("digits") else 8
    start = min(settings.schedule.start_resolution, side) if settings.grows else side
    tick_kimg = 4 * MINIBATCH * settings.loss.D_steps / 1000
    # A growing run has two ticks of 4x4 alone and blended, and two of 8x8.
    ticks = 4 if start < side else 2
    assignments = [
        f"data.path={data}", f"data.resolution={side}", f"schedule.start_resolution={start}", f"schedule.minibatch_base={MINIBATCH}",
        "schedule.minibatch_by_resolution={}", f"schedule.tick_kimg={tick_kimg}", "schedule.tick_kimg_by_resolution={}",
        f"schedule.total_kimg={ticks * tick_kimg}", "run.precision=float32", "run.state_ticks=1", "run.network_snapshot_ticks=2",
        "run.grid_columns=2", "run.grid_rows=2", *WIDTHS[settings.model],
    ]  # fmt: skip
    return settings_text.override(settings, [*assignments, *more])


def write_digits(folder):
    """40 noisy grey images of ten classes, 32x32, with an empty border of 2."""
    random = np.random.RandomState(0)
    with DatasetWriter(folder, resolution=32, channels=1, class_names=[str(digit) for digit in range(10)]) as writer:
        for index in range(40):
            image = np.pad(random.randint(0, 256, (28, 28, 1), np.uint8), [(2, 2), (2, 2), (0, 0)])
            writer.add(image, label=index % 10)
    return folder


def write_classifier(path):
    """A LeNet with random weights."""
    random = np.random.RandomState(0)
    weights = {name: np.float32(random.normal(0, 0.2, shape)) for name, shape in lenet_file.SHAPES.items()}
    lenet_file.write(path, lenet_file.LeNetFile(weights, False, 0.1))
    return path
