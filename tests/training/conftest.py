"""A tiny dataset and a tiny configuration that train in seconds."""

import dataclasses

import numpy as np
import pytest

from stylegan_tf.models.stylegan.settings import DiscriminatorSettings, GeneratorSettings, Settings
from stylegan_tf.settings import DataSettings, OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings


@pytest.fixture(autouse=True)
def no_time_limits(monkeypatch):
    """On a slow machine, too, a run under test does not end the process of the tests."""
    from stylegan_tf.training import stopping

    monkeypatch.setattr(stopping, "STEP_SEC", 1000.0)
    monkeypatch.setattr(stopping, "WORK_SEC", 1000.0)


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory):
    """Folder of 24 images, 8x8 RGB, two classes."""
    from stylegan_tf.data import DatasetWriter

    folder = tmp_path_factory.mktemp("datasets") / "tiny"
    random = np.random.RandomState(0)
    with DatasetWriter(folder, resolution=8, channels=3, class_names=["a", "b"]) as writer:
        for i in range(24):
            writer.add(random.randint(0, 256, (8, 8, 3), np.uint8), label=i % 2)
    return folder


@pytest.fixture(scope="session")
def tiny_settings(tiny_dataset):
    """4x4 to 8x8: 32 images steady, 32 fading, 64 full; a tick each 32 images."""
    return Settings(
        name="tiny",
        G=GeneratorSettings(z_dim=4, w_dim=4, mapping_layers=1, mapping_fmaps=4, fmap_max=4),
        D=DiscriminatorSettings(fmap_max=4),
        optimizer=OptimizerSettings(ema_kimg=0.05),
        schedule=ScheduleSettings(
            total_kimg=0.128,
            start_resolution=4,
            steady_kimg=0.032,
            fade_kimg=0.032,
            minibatch_base=4,
            tick_kimg=0.032,
            tick_kimg_by_resolution={},
        ),
        data=DataSettings(path=str(tiny_dataset)),
        run=RunSettings(grid_columns=3, grid_rows=2, precision="float32", state_ticks=1, network_snapshot_ticks=2),
    )


@pytest.fixture(scope="session")
def start_run(tmp_path_factory):
    """A function that starts a run in this process: settings to (exit code, run folder)."""

    def start(settings: TrainingSettings, **options):
        from stylegan_tf import data
        from stylegan_tf.training import devices, launch, run_dir
        from stylegan_tf.training.settings_check import check

        dataset = data.open_dataset(settings.data.path)
        folder = run_dir.create(tmp_path_factory.mktemp("results"), "tiny")
        code = launch.start(check(settings, dataset), folder, dataset, devices.open_devices(settings.run), **options)
        return code, folder.path

    return start


@pytest.fixture(scope="session")
def resume_run():
    """A function that resumes a run in this process: folder and changed settings to exit code."""

    def resume(path, settings: TrainingSettings, **options):
        from stylegan_tf import data
        from stylegan_tf.training import devices, launch, run_dir, state_file
        from stylegan_tf.training.settings_check import check

        dataset = data.open_dataset(settings.data.path)
        folder = run_dir.RunDir(path)
        state = state_file.read(folder.state_path)
        chosen = devices.open_devices(settings.run)
        return launch.resume(check(settings, dataset), folder, dataset, chosen, state=state, report=[], **options)

    return resume


def changed(settings, **groups):
    """Settings with some values changed: changed(settings, run={"seed": 1})."""
    return dataclasses.replace(
        settings, **{name: dataclasses.replace(getattr(settings, name), **values) for name, values in groups.items()}
    )
