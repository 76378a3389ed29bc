"""A training run in memory: its networks, its position, its next iterations. `outputs` and `states` write its files."""

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import tensorflow as tf

from stylegan_tf import data, models, settings_text, snapshot
from stylegan_tf.data import Dataset
from stylegan_tf.data.records.dataset import label_examples
from stylegan_tf.models.weights import assign_weights, weight_arrays
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import faults, forecast
from stylegan_tf.training.control import Control
from stylegan_tf.training.devices import Devices
from stylegan_tf.training.progress import TickMeter
from stylegan_tf.training.schedule import Stage, TrainingSchedule, needs_new_optimizers
from stylegan_tf.training.state_file import Position, State
from stylegan_tf.training.step import Trainer

ROLLBACK_SEED_STEP = 1_000_003  # added to the seed at every rollback: other latents, another order of the data


class Run:
    """One training run.

    Args:
        settings: as `settings_check.check` returned them.

    Attributes:
        networks: G, D and G_ema, with the metadata of a snapshot.
        trainer: runs iterations.
        meter: sums since the last tick.
        control: contents of control.json.
        position: between two calls of TensorFlow.
    """

    def __init__(self, settings: TrainingSettings, dataset: Dataset, devices: Devices):
        self.settings, self.dataset, self.devices = settings, dataset, devices
        self.schedule = TrainingSchedule(settings.schedule, settings.data.resolution, devices.num_devices, loss=settings.loss)
        self.networks = fresh_networks(settings, dataset, devices)
        self.trainer = make_trainer(self.networks, settings, dataset, devices)
        self.meter = TickMeter()
        self.control = Control()
        self.position = Position(nimg=0)
        self._pending: list[dict[str, tf.Tensor]] = []  # statistics of the iterations since the last update of the schedule
        self._batches: Iterator | None = None
        self._batches_for: tuple[int, int] | None = None  # (resolution, minibatch)
        self._traced_for: tuple | None = None  # the part of a stage that its traces depend on
        self._prepared_after: tuple | None = None  # the same of the stage whose successor has been compiled in the background

    @property
    def nimg(self) -> int:
        """Real images shown."""
        return self.position.nimg

    @property
    def stage(self) -> Stage:
        """The schedule at its last update, with the changes of control.json."""
        return self.schedule.at(self.position.update_nimg)._replace(**self.control.values)

    @property
    def is_at_update(self) -> bool:
        """Whether the schedule is due to be updated. Several machines take common decisions only then."""
        return self.position.iterations_left == 0

    @property
    def is_done(self) -> bool:
        """Whether all images have been shown and the schedule is due to be updated."""
        return self.is_at_update and self.nimg >= self.settings.schedule.total_kimg * 1000

    @property
    def is_tick_over(self) -> bool:
        """Whether all images of a tick have been shown and its files are not yet written."""
        is_end = self.nimg >= self.meter.start_nimg + self.stage.tick_kimg * 1000 or self.is_done
        return self.is_at_update and self.nimg > self.meter.start_nimg and is_end

    @property
    def seed(self) -> int:
        """Seed of all random numbers at this position."""
        return self.settings.run.seed + self.position.num_rollbacks * ROLLBACK_SEED_STEP

    def start_at(self, nimg: int) -> None:
        """Sets the image count with which the run begins."""
        self.position = Position(nimg=nimg, update_nimg=nimg)
        self.meter.start_nimg = nimg

    def advance(self, while_tracing: Callable[[], AbstractContextManager], on_trace: Callable[[tf.Graph], None] | None = None) -> None:
        """Runs the iterations of one call of TensorFlow, after an update of the schedule if it is due.

        Args:
            while_tracing: returns a context that is entered if the iterations must be traced first.
            on_trace: called with the graph of the first iterations of the run.
        """
        if self.is_at_update:
            self._update_schedule()
        position, stage = self.position, self.stage
        if self._batches_for != (stage.resolution, stage.minibatch):
            self._batches, self._batches_for = iter(self._pipeline(stage)), (stage.resolution, stage.minibatch)
        options = {"nimg": position.nimg, "num_iterations": min(self.settings.run.iterations_per_call, position.iterations_left)}
        if on_trace is not None and position.nimg == 0:
            on_trace(self.trainer.trace(self._batches, stage, **options).graph)
        if self.trainer.has_traced(stage, **options):
            self._pending += self.trainer.run(self._batches, stage, **options)
        else:
            with while_tracing():
                self._pending += self.trainer.run(self._batches, stage, **options)
        position.nimg += self.trainer.images_shown(stage.minibatch, options["num_iterations"])
        position.iterations_left -= options["num_iterations"]
        if self.is_at_update:
            self.flush()
            self._prepare_next_stage()

    def flush(self) -> None:
        """Adds the statistics since the last update to those of the tick. Raises DivergedError if one is not finite or too large."""
        pending, self._pending = self._pending, []
        for statistics in pending:
            values = {name: float(value) for name, value in statistics.items()}
            if self.devices.policy == "mixed_float16":
                values = faults.without_overflow(values, {phase.name: phase.network for phase in self.trainer.phases})
            faults.check_statistics(values, self.settings.run.max_logit)
            self.meter.add(values)

    def place(self) -> dict[str, Any]:
        """The small part of a training state, as plain values: the position of the run."""
        self.flush()
        return {
            "is_tick_over": self.is_tick_over,  # its line, pictures and snapshot are not yet written
            "position": {**asdict(self.position), "control": dict(self.control.values)},
            "meter": self.meter.state(),
            "dataset": identity_of(self.dataset, self.settings),
            "config": self.networks.config,
        }

    def arrays(self) -> dict[str, Any]:
        """The large part of a training state, as arrays: everything that an iteration changes."""
        weights = {name: weight_arrays(network) for name, network in self.networks.by_name().items()}
        return {"weights": weights, "trainer": self.trainer.state()}

    def load_state(self, state: State) -> None:
        """Restores what `place` and `arrays` returned.

        Raises:
            ValueError: the state of other networks.
        """
        for name, network in self.networks.by_name().items():
            assign_weights(network, state["weights"][name])
        self.trainer.load_state(state["trainer"])
        position = dict(state["position"])
        self.control.values = dict(position.pop("control"))
        self.position = Position(**position)
        self.meter.load_state(state["meter"])
        self.reseed()

    def reseed(self) -> None:
        """Applies `seed` to all following random numbers."""
        self.trainer.seed = self.seed
        self._pending, self._batches_for = [], None

    def snapshot(self) -> snapshot.Networks:
        """The networks, with the present image count and level of detail."""
        self.networks.nimg, self.networks.lod = self.nimg, self.stage.lod
        return self.networks

    def check_weights(self) -> None:
        """Raises DivergedError if a weight is not finite."""
        faults.check_weights({name: weight_arrays(network) for name, network in self.networks.by_name().items()})

    def _update_schedule(self) -> None:
        position = self.position
        position.update_nimg, position.iterations_left = position.nimg, self.settings.schedule.iterations_per_update
        stage = self.stage
        traced_for = _traced_for(stage)
        if traced_for != self._traced_for:
            # Traces of the previous stage occupy 0.1 GB for small networks, more for large ones.
            self.trainer.forget_traces(stage)
            gc.collect()  # functions and graphs hold reference cycles
            self._traced_for = traced_for
        is_first = position.previous_lod is None
        if self.settings.optimizer.reset_on_growth and not is_first and needs_new_optimizers(position.previous_lod, stage.lod):
            self.trainer.reset_optimizers()
        position.previous_lod = stage.lod

    def _prepare_next_stage(self) -> None:
        """Compiles steps of the next stage in the background, if steps are compiled there and those of this stage are done."""
        compiler = self.trainer.compiler
        if compiler is None or not compiler.is_idle or self._prepared_after == self._traced_for:
            return
        self._prepared_after = self._traced_for
        settings = self.settings
        ahead = forecast.phases(self.schedule, self.nimg / 1000, settings.schedule.total_kimg)[1:]
        if ahead:
            nimg = int(1000 * ahead[0].start_kimg) + 1  # a fade begins after this image count, not at it
            stage = self.schedule.at(nimg)
            num_iterations = min(settings.run.iterations_per_call, settings.schedule.iterations_per_update)
            self.trainer.prepare(iter(self._pipeline(stage)), stage, nimg=nimg, num_iterations=num_iterations)

    def _pipeline(self, stage: Stage) -> tf.data.Dataset:
        options = self.settings.data
        return data.make_pipeline(
            self.dataset,
            resolution=stage.resolution,
            batch_size=stage.minibatch,
            seed=self.seed,
            start_nimg=self.nimg,
            mirror=options.mirror,
            balance=options.balance,
            shuffle=options.shuffle,
        )


def _traced_for(stage: Stage) -> tuple:
    """The part of a stage that its traces depend on."""
    return int(stage.lod), stage.lod == int(stage.lod), stage.minibatch, stage.max_minibatch_per_device


def fresh_networks(settings: TrainingSettings, dataset: Dataset, devices: Devices) -> snapshot.Networks:
    """The networks of a run with fresh weights; G_ema is a copy of G."""
    label_size = dataset.label_size if settings.data.conditional else 0
    shape = {"resolution": settings.data.resolution, "channels": dataset.channels, "label_size": label_size}
    with devices.strategy.scope():
        built = snapshot.build_networks(settings.model, {"G": settings.G, "D": settings.D, "G_ema": settings.G}, shape, devices.policy)
    assign_weights(built["G_ema"], weight_arrays(built["G"]))
    about = identity_of(dataset, settings) | ({"label_examples": label_examples(dataset)} if label_size else {})
    return snapshot.Networks(**built, model=settings.model, dataset=about, config=settings_text.to_plain(settings))


def make_trainer(networks: snapshot.Networks, settings: TrainingSettings, dataset: Dataset, devices: Devices) -> Trainer:
    """The trainer of a run."""
    return Trainer(
        models.find(settings.model),
        settings,
        networks.G,
        networks.D,
        networks.G_ema,
        strategy=devices.strategy,
        label_pool=dataset.labels if settings.data.conditional else None,
        use_loss_scaling=devices.policy == "mixed_float16",
        xla=devices.xla,
    )


def identity_of(dataset: Dataset, settings: TrainingSettings) -> dict[str, Any]:
    """The description of the training data in a snapshot."""
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "label_size": dataset.label_size if settings.data.conditional else 0,
        "class_names": list(dataset.class_names or []),
        "num_images": dataset.num_images,
        "mirror": settings.data.mirror,
        "path": str(dataset.path),
    }
