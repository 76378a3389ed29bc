"""One run while it goes on: where it stands, its next pair of steps, and the end of a tick."""

import contextlib
import gc
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from stylegan_tf import data, settings_text, snapshot
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import faults, progress
from stylegan_tf.training.agreement import Agreement
from stylegan_tf.training.best import SnapshotScores
from stylegan_tf.training.build import identity_of, make_trainer
from stylegan_tf.training.control import Control
from stylegan_tf.training.devices import Devices, peak_gpu_memory_gb
from stylegan_tf.training.outputs import Outputs
from stylegan_tf.training.run_dir import RunDir
from stylegan_tf.training.schedule import Stage, TrainingSchedule, needs_new_optimizers
from stylegan_tf.training.states import States

ROLLBACK_SEED_STEP = 1_000_003  # added to the seed at every rollback: other latents, other order of the data


class Run:
    """One training run while it goes on.

    Args:
        settings: as `settings_check.check` returned them.
        run_dir: its folder.
        dataset: what `data.open_dataset` gave.
        devices: what `devices.open_devices` gave.
        networks: (G, D, G_ema).
        on_snapshot: see `outputs.Outputs`.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        run_dir: RunDir,
        *,
        dataset: Any,
        devices: Devices,
        networks: tuple,
        on_snapshot: SnapshotScores | None = None,
    ):
        self.settings = settings
        self.plain_settings = settings_text.to_plain(settings)
        self.run_dir = run_dir
        self.dataset = dataset
        self.dataset_identity = identity_of(dataset, settings)
        self.devices = devices
        self.networks = dict(zip(("G", "D", "G_ema"), networks, strict=True))
        self.schedule = TrainingSchedule(settings.schedule, settings.data.resolution, devices.num_devices)
        self.trainer = make_trainer(settings, networks, dataset, devices)
        self.meter = progress.TickMeter(settings.schedule.total_kimg)
        self.outputs = Outputs(settings, run_dir, dataset, on_snapshot)
        self.live = progress.LiveLine()
        self.control = Control()
        self.agreement = Agreement(devices)
        self.nimg = 0
        self.look_nimg = 0  # where the schedule was looked at last
        self.pairs_left = 0  # of this look
        self.previous_lod: float | None = None
        self.num_rollbacks = 0
        self._pending: list[dict[str, tf.Tensor]] = []  # statistics of the steps of this look
        self._batches = None
        self._batches_for: tuple | None = None  # (resolution, minibatch)
        self._traced_for: tuple | None = None  # what the steps of this stage were traced for
        self.states = States(self)

    @property
    def stage(self) -> Stage:
        """The schedule as it was looked at last, with what control.json has changed."""
        stage = self.schedule.at(self.look_nimg)
        return stage._replace(**{name: value for name, value in self.control.values.items() if name in Stage._fields})

    @property
    def is_done(self) -> bool:
        """True at the end of a look beyond the last image."""
        return self.pairs_left == 0 and self.nimg >= self.settings.schedule.total_kimg * 1000

    @property
    def is_tick_over(self) -> bool:
        """True where the images of a tick have been shown, and its end has not been done."""
        is_end = self.nimg >= self.meter.start_nimg + self.stage.tick_kimg * 1000 or self.is_done
        return self.pairs_left == 0 and self.nimg > self.meter.start_nimg and is_end

    def position(self) -> dict[str, Any]:
        """Where the run stands, between two pairs of steps."""
        self.flush()
        names = ("nimg", "look_nimg", "pairs_left", "previous_lod", "num_rollbacks")
        return {**{name: getattr(self, name) for name in names}, "control": dict(self.control.values)}

    def set_position(self, position: dict[str, Any]) -> None:
        """Goes to where `position` was taken."""
        self.control.values = dict(position.get("control", {}))
        for name, value in position.items():
            if name != "control":
                setattr(self, name, value)
        self.trainer.seed = self.seed
        self._pending, self._batches_for = [], None

    def start_at(self, nimg: int) -> None:
        """Begins at an image count other than 0."""
        self.nimg = self.look_nimg = self.meter.start_nimg = nimg

    @property
    def seed(self) -> int:
        """Seed of what is drawn from here on."""
        return self.settings.run.seed + self.num_rollbacks * ROLLBACK_SEED_STEP

    def run_pairs(self, resting: Callable[[Callable[[], None]], AbstractContextManager]) -> None:
        """One D step and one G step, or as many pairs as one call runs; a look at the schedule first where it is time.

        Args:
            resting: entered with a function that writes the state of before, where steps must be traced first.
        """
        if self.pairs_left == 0:
            self._look()
        stage = self.stage
        if self._batches_for != (stage.resolution, stage.minibatch):
            self._open_batches(stage)
        if self.settings.run.profile_graph and self.nimg == 0:
            self._write_graph(stage)
        loss = self.settings.loss
        self.trainer.gamma = self.control.values.get("gamma", loss.gamma_by_resolution.get(stage.resolution, loss.gamma))
        num_pairs = min(self.settings.run.pairs_per_call, self.pairs_left)
        rates = {"G_lrate": stage.G_lrate, "D_lrate": stage.D_lrate}
        options = {"lod": stage.lod, "minibatch": stage.minibatch, "nimg": self.nimg, "num_pairs": num_pairs}
        is_first = not self.trainer.holds_round(**options)
        with resting(self.states.writer(is_copied=True)) if is_first else contextlib.nullcontext():
            statistics = self.trainer.run_pairs(self._batches, **options, **rates)
        self._pending.append(statistics)
        self.nimg += num_pairs * stage.minibatch
        self.pairs_left -= num_pairs
        if self.pairs_left == 0:
            self.flush()
            self.live.show(self.nimg, self.settings.schedule.total_kimg, stage)

    def flush(self) -> None:
        """Adds the statistics of the steps since the last look to the tick's; raises DivergedError for bad ones."""
        pending, self._pending = self._pending, []
        for statistics in pending:
            rows = {name: value.numpy().tolist() for name, value in statistics.items()}
            for pair in zip(*rows.values(), strict=True):
                values = dict(zip(rows, pair, strict=True))
                if self.devices.policy == "mixed_float16":
                    values = faults.without_overflow(values)
                faults.check_statistics(values, self.settings.run.max_logit)
                self.meter.add(values)

    def finish_tick(self) -> None:
        """Ends a tick: its line and its numbers, pictures and snapshot where they are due. The chief writes for all workers."""
        self.live.clear()
        stage = self.stage  # with the rates of this tick: control.json changes those of the next
        self.agreement.read_control(self.control, self.run_dir)
        if self.devices.is_chief:
            self._write_tick(stage)
        else:
            self.meter.finish_tick(self.nimg, stage, {})
            if self._is_snapshot_due:  # what makes the chief go back makes all go back
                self._check_weights()
        self.meter.finish_maintenance()

    def _write_tick(self, stage: Stage) -> None:
        run, outputs = self.settings.run, self.outputs
        is_short = stage.tick_kimg < 1 or self.nimg // 1000 == self.meter.start_nimg // 1000
        memory = {"gpumem_gb": peak_gpu_memory_gb(), "hostmem_gb": progress.host_memory_gb()}
        record = self.meter.finish_tick(self.nimg, stage, memory)
        tick = self.meter.tick
        if tick % run.image_snapshot_ticks == 0 or self.is_done:
            record |= outputs.write_fakes(self.bundle(), is_short)
        outputs.write_tick(record)
        if self._is_snapshot_due:
            self._check_weights()
            outputs.write_snapshot(self.bundle(), is_short, self.is_done)
        outputs.write_report()
        self.control.settle(self.run_dir)

    @property
    def _is_snapshot_due(self) -> bool:
        tick = self.meter.tick
        is_due = tick == 1 or tick % self.settings.run.network_snapshot_ticks == 0
        return is_due or self.is_done or "snapshot" in self.control.orders

    def _check_weights(self) -> None:
        faults.check_weights({name: snapshot.weight_arrays(network) for name, network in self.networks.items()})

    def bundle(self) -> snapshot.Networks:
        """The networks with what a reader must know about them."""
        about = {"nimg": self.nimg, "lod": self.stage.lod, "dataset": self.dataset_identity, "config": self.plain_settings}
        return snapshot.Networks(**self.networks, **about)

    def _look(self) -> None:
        self.look_nimg = self.nimg
        self.pairs_left = self.settings.schedule.num_pairs_per_look
        stage, lod = self.stage, self.stage.lod
        traced_for = (int(lod), lod == int(lod), stage.minibatch, stage.max_minibatch_per_device)
        if traced_for != self._traced_for:
            self._forget_traces()
            self._traced_for = traced_for
        is_first = self.previous_lod is None
        if self.settings.optimizer.reset_on_growth and not is_first and needs_new_optimizers(self.previous_lod, lod):
            self.trainer.reset_optimizers()
        self.previous_lod = lod

    def _forget_traces(self) -> None:
        """Gives back what the stage before has traced: 0.1 GB a stage for small networks, more for large ones."""
        self.trainer.forget_rounds()
        gc.collect()  # functions and graphs refer to each other

    def _write_graph(self, stage: Stage) -> None:
        num_pairs = min(self.settings.run.pairs_per_call, self.pairs_left)
        rates = {"G_lrate": stage.G_lrate, "D_lrate": stage.D_lrate}
        traced = self.trainer.trace_round(self._batches, lod=stage.lod, minibatch=stage.minibatch, nimg=0, num_pairs=num_pairs, **rates)
        self.outputs.events.graph(traced)

    def _open_batches(self, stage: Stage) -> None:
        self.trainer.max_minibatch_per_device = stage.max_minibatch_per_device
        about = self.settings.data
        pipeline = data.make_pipeline(
            self.dataset,
            resolution=stage.resolution,
            batch_size=stage.minibatch,
            seed=self.seed,
            start_nimg=self.nimg,
            mirror=about.mirror,
            balance=about.balance,
            shuffle=about.shuffle,
        )
        self._batches = iter(pipeline)
        self._batches_for = (stage.resolution, stage.minibatch)
