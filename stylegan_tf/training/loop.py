"""The training loop: looks at the schedule, runs steps, ends ticks, writes what a run leaves behind."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from stylegan_tf import data, settings_text, snapshot
from stylegan_tf.images import save_png
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import progress, resume, snapshots
from stylegan_tf.training.devices import Devices, peak_gpu_memory_gb
from stylegan_tf.training.pictures import PictureGrids
from stylegan_tf.training.run_dir import RunDir, numbered
from stylegan_tf.training.schedule import Stage, TrainingSchedule, needs_new_optimizers
from stylegan_tf.training.steps import Trainer
from stylegan_tf.training.stopping import StopRequest
from stylegan_tf.training.tensorboard import EventWriter

OnSnapshot = Callable[[Any, Any, int], dict[str, float]]


class Run:
    """One training run while it goes on.

    Args:
        settings: as `settings_check.check` returned them.
        run_dir: its folder.
        dataset: what `data.open_dataset` gave.
        devices: what `devices.open_devices` gave.
        networks: (G, D, G_ema).
        on_snapshot: called with (path, networks, nimg) after each network snapshot; returns values by metric name.
    """

    def __init__(self, settings: TrainingSettings, run_dir: RunDir, *, dataset, devices: Devices, networks, on_snapshot=None):
        self.settings = settings
        self.plain_settings = settings_text.to_plain(settings)
        self.run_dir = run_dir
        self.dataset = dataset
        self.devices = devices
        self.G, self.D, self.G_ema = networks
        self.networks = dict(zip(("G", "D", "G_ema"), networks, strict=True))
        self.on_snapshot: OnSnapshot | None = on_snapshot
        self.schedule = TrainingSchedule(settings.schedule, settings.data.resolution, devices.num_devices)
        self.trainer = make_trainer(settings, networks, dataset, devices)
        self.meter = progress.TickMeter(settings.schedule.total_kimg)
        self.pictures = PictureGrids(
            settings.run,
            resolution=settings.data.resolution,
            z_dim=settings.G.z_dim,
            labels=dataset.labels if settings.data.conditional else None,
            num_images=dataset.num_images,
        )
        self.dataset_identity = identity_of(dataset, settings)
        self.events = EventWriter(run_dir.path, f".from{run_dir.number}")
        self.nimg = 0
        self.look_nimg = 0
        self.pairs_left = 0
        self.previous_lod: float | None = None
        self._pending: list[dict[str, tf.Tensor]] = []
        self._stream: tuple | None = None  # (resolution, minibatch) that the pipeline was made for
        self._batches = None
        self._last_state_time = time.monotonic()

    @property
    def stage(self) -> Stage:
        """The schedule as it was looked at last."""
        return self.schedule.at(self.look_nimg)

    @property
    def is_done(self) -> bool:
        """True at the end of a look beyond the last image."""
        return self.pairs_left == 0 and self.nimg >= self.settings.schedule.total_kimg * 1000

    def position(self) -> dict[str, Any]:
        """Where the run stands, between two pairs of steps."""
        self._flush()
        names = ("nimg", "look_nimg", "pairs_left", "previous_lod")
        return {name: getattr(self, name) for name in names}

    def set_position(self, position: dict[str, Any]) -> None:
        """Goes to where `position` was taken."""
        for name, value in position.items():
            setattr(self, name, value)
        self._stream = None

    def run_pair(self) -> None:
        """One D step and one G step; a look at the schedule first where it is time."""
        if self.pairs_left == 0:
            self._look()
        stage = self.stage
        if self._stream != (stage.resolution, stage.minibatch):
            self._open_stream(stage)
        statistics = self.trainer.run_round(
            self._batches,
            lod=stage.lod,
            minibatch=stage.minibatch,
            G_lrate=stage.G_lrate,
            D_lrate=stage.D_lrate,
            nimg=self.nimg,
            num_pairs=1,
        )
        self._pending.append(statistics)
        self.nimg += stage.minibatch
        self.pairs_left -= 1
        if self.pairs_left == 0:
            self._flush()

    @property
    def is_tick_over(self) -> bool:
        """True where the images of a tick have been shown."""
        stage = self.stage
        return self.pairs_left == 0 and (self.nimg >= self.meter.start_nimg + stage.tick_kimg * 1000 or self.is_done)

    def finish_tick(self) -> None:
        """Prints and writes the tick, then pictures, snapshot and state where they are due."""
        stage = self.stage
        is_short = stage.tick_kimg < 1 or self.nimg // 1000 == self.meter.start_nimg // 1000
        memory = {"gpumem_gb": peak_gpu_memory_gb(), "hostmem_gb": progress.host_memory_gb()}
        record = self.meter.finish_tick(self.nimg, stage, memory)
        self.run_dir.log(progress.tick_line(record))
        with open(self.run_dir / "stats.jsonl", "a", encoding="utf-8") as file:
            file.write(progress.json_line(record) + "\n")
        self.events.scalars(progress.tags(record), self.nimg)
        run, tick = self.settings.run, self.meter.tick
        if tick % run.image_snapshot_ticks == 0 or self.is_done:
            self.write_fakes(is_short)
        if tick % run.network_snapshot_ticks == 0 or tick == 1 or self.is_done:
            self.write_snapshot(is_short)
        self.meter.finish_maintenance()

    def write_reals(self) -> None:
        """Writes the grid of reals."""
        grid = self.pictures.reals(lambda indices: data.read_images(self.dataset, indices, self.settings.data.resolution))
        save_png(self.run_dir / "reals.png", grid)

    def write_fakes(self, is_short: bool = False) -> None:
        """Writes the grid of fakes."""
        lod = self.stage.lod
        save_png(self.run_dir / numbered("fakes", self.nimg, ".png", is_short), self.pictures.fakes(self.G_ema, lod))

    def write_snapshot(self, is_short: bool) -> None:
        """Writes the networks and measures them; a metric that fails is logged and forgotten."""
        path = self.run_dir / snapshots.snapshot_name(self.nimg, is_short, self.is_done)
        bundle = self.bundle(path)
        snapshot.save_networks(path, bundle)
        if self.on_snapshot is not None:
            try:
                self._write_metrics(self.on_snapshot(path, bundle, self.nimg))
            except Exception as error:
                self.run_dir.log(f"metrics failed on {path.name}: {type(error).__name__}: {error}. Training goes on.")
        snapshots.prune(self.run_dir, self.settings.run.keep_snapshots)

    def bundle(self, path: Any = None) -> snapshot.Networks:
        """The networks with what a reader must know about them."""
        return snapshot.Networks(
            G=self.G,
            D=self.D,
            G_ema=self.G_ema,
            nimg=self.nimg,
            lod=self.stage.lod,
            dataset=self.dataset_identity,
            config=self.plain_settings,
            source=str(path) if path else "",
        )

    def is_state_due(self) -> bool:
        """True where the last training state is older than the settings allow; ticks count at their end."""
        run = self.settings.run
        at_tick = self.meter.start_nimg == self.nimg and self.pairs_left == 0 and self.meter.tick % run.state_ticks == 0
        return at_tick or time.monotonic() - self._last_state_time > run.state_minutes * 60

    def write_state(self) -> None:
        """Writes the training state."""
        resume.write(self)
        self._last_state_time = time.monotonic()

    def _look(self) -> None:
        self.look_nimg = self.nimg
        self.pairs_left = self.settings.schedule.num_pairs_per_look
        stage = self.stage
        is_growing = needs_new_optimizers(self.previous_lod, stage.lod)
        if self.settings.optimizer.reset_on_growth and self.previous_lod is not None and is_growing:
            self.trainer.reset_optimizers()
        self.previous_lod = stage.lod

    def _open_stream(self, stage: Stage) -> None:
        settings = self.settings
        self.trainer.max_minibatch_per_device = stage.max_minibatch_per_device
        pipeline = data.make_pipeline(
            self.dataset,
            resolution=stage.resolution,
            batch_size=stage.minibatch,
            seed=settings.run.seed,
            start_nimg=self.nimg,
            mirror=settings.data.mirror,
            balance=settings.data.balance,
            shuffle=settings.data.shuffle,
        )
        self._batches = iter(pipeline)
        self._stream = (stage.resolution, stage.minibatch)

    def _flush(self) -> None:
        """Adds the statistics of the steps since the last look to the tick's."""
        pending, self._pending = self._pending, []
        for statistics in pending:
            self.meter.add({name: float(value) for name, value in statistics.items()})

    def _write_metrics(self, values: dict[str, float] | None) -> None:
        if not values:
            return
        self.events.scalars({f"Metrics/{name}": value for name, value in values.items()}, self.nimg)
        with open(self.run_dir / "stats.jsonl", "a", encoding="utf-8") as file:
            file.write(progress.json_line({"nimg": self.nimg, **{f"Metrics/{name}": value for name, value in values.items()}}) + "\n")


def make_trainer(settings: TrainingSettings, networks: Any, dataset: Any, devices: Devices) -> Trainer:
    """The trainer of a run."""
    G, D, G_ema = networks
    return Trainer(
        G,
        D,
        G_ema,
        strategy=devices.strategy,
        loss=settings.loss,
        optimizer=settings.optimizer,
        seed=settings.run.seed,
        label_pool=dataset.labels if settings.data.conditional else None,
        use_loss_scaling=devices.policy == "mixed_float16",
        use_xla=settings.run.use_xla,
    )


def identity_of(dataset: Any, settings: TrainingSettings) -> dict[str, Any]:
    """What a snapshot says about the data it was trained on."""
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "label_size": dataset.label_size if settings.data.conditional else 0,
        "class_names": list(dataset.class_names or []),
        "num_images": dataset.num_images,
        "mirror": settings.data.mirror,
        "path": str(dataset.path),
    }


def train(run: Run, state: dict[str, Any] | None = None) -> str | None:
    """Runs to the end, or to a signal or a file named abort.txt.

    Args:
        run: the run.
        state: a training state to go on from, None for a fresh start.

    Returns:
        Who ended the run early, None where it is complete.
    """
    if state is not None:
        resume.restore(run, state)
    with StopRequest(run.run_dir.log) as stop, contextlib.closing(run.events):
        if state is None:
            run.write_reals()
            run.write_fakes()
            run.meter.finish_maintenance()
            run.write_state()  # a run that is ended in its first minutes can go on too
        while not run.is_done:
            reason = stop.reason or ("abort.txt" if run.run_dir.should_abort() else None)
            if reason:
                break
            run.run_pair()
            if run.is_tick_over:
                run.finish_tick()
            if run.is_state_due():
                with stop.saving():
                    run.write_state()
        else:
            reason = None
        with stop.saving():
            run.write_state()
        if reason:
            run.run_dir.log(f"Stopped by {reason} at kimg {run.nimg / 1000:.1f}; the training state is saved. Go on: --resume latest")
        return reason
