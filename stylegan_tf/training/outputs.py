"""What a run writes at the end of a tick: statistics, image grids, network snapshots and their scores."""

import functools
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stylegan_tf import data, settings_text, snapshot
from stylegan_tf.augmentation import in_training
from stylegan_tf.images import save_png
from stylegan_tf.models.weights import weight_arrays
from stylegan_tf.progress_bar import format_sec
from stylegan_tf.training import estimate, progress, records, report
from stylegan_tf.training.best import BestSnapshot, SnapshotScores
from stylegan_tf.training.devices import peak_gpu_memory_gb
from stylegan_tf.training.forecast import Forecast
from stylegan_tf.training.pictures import PictureGrids
from stylegan_tf.training.records import Record
from stylegan_tf.training.run import Run
from stylegan_tf.training.run_dir import RunDir, numbered, remove_old_snapshots, snapshot_name
from stylegan_tf.training.schedule import Stage
from stylegan_tf.training.tensorboard import EventWriter

INTERVAL = ("/low", "/high")  # ends of a score's interval: shown in TensorBoard and log.txt, not in stats.jsonl and the report

# Called with the record and the networks of a tick that has ended; True ends the run.
OnTick = Callable[[Record, snapshot.Networks], bool | None]


class Outputs:
    """Writes the files of a run.

    Args:
        on_snapshot: computes the scores of each network snapshot, None for no scores.
        on_tick: called at the end of a tick, on the chief.

    Attributes:
        stopped_by: "on_tick" once it returned True.
    """

    stopped_by: str | None = None

    def __init__(self, run: Run, run_dir: RunDir, on_snapshot: SnapshotScores | None = None, on_tick: OnTick | None = None):
        settings, dataset = run.settings, run.dataset
        self.settings = settings
        self.run_dir = run_dir
        self.dataset = dataset
        self.on_snapshot, self.on_tick = on_snapshot, on_tick
        self.best = self._best_snapshot()
        self.events = EventWriter(run_dir.path)
        self.forecast = self._forecast(run)
        self.pictures = PictureGrids(
            settings.run,
            resolution=settings.data.resolution,
            z_dim=run.networks.G_ema.z_dim,
            labels=dataset.labels if settings.data.conditional else None,
            num_images=dataset.num_images,
        )

    def close(self) -> None:
        """Closes the event file."""
        self.events.close()

    def reopen(self, nimg: int) -> None:
        """Opens a new event file, after the old ones were cut at an image count."""
        self.events = EventWriter(self.run_dir.path)
        self.forecast.kimg = nimg / 1000
        self.best = self._best_snapshot()

    def _forecast(self, run: Run) -> Forecast:
        """The forecast of the time that is left, with the ticks in stats.jsonl."""
        cost = estimate.expected_cost(self.settings, run.devices, self.run_dir.path.parent)
        forecast = Forecast(run.schedule, self.settings.schedule.total_kimg, cost)
        for record in records.read(self.run_dir):
            if "tick" in record:
                forecast.add(record)
        forecast.kimg = run.nimg / 1000
        return forecast

    def _best_snapshot(self) -> BestSnapshot:
        """The best snapshot in the run folder by `run.best_metric`."""
        name = self.settings.run.best_metric
        return BestSnapshot(self.run_dir, self.on_snapshot.best_value(name) if name and self.on_snapshot else None)

    def write_report(self) -> None:
        """Writes report.html. A failure is logged and does not end training."""
        try:
            best_value = self.on_snapshot.best_value if self.on_snapshot else None
            report.write(self.run_dir, self.settings, best_value, num_images=self.dataset.num_images)
        except Exception as error:
            self.run_dir.log(f"report.html could not be written ({type(error).__name__}: {error}). Training continues.")

    def finish_tick(self, run: Run, stage: Stage) -> None:
        """Writes the lines and numbers of a tick, and pictures and a snapshot if they are due. Only the chief writes.

        Args:
            stage: of the schedule, with the learning rates of this tick.
        """
        is_due = self._is_snapshot_due(run)
        if run.devices.is_chief:
            self._write_tick(run, stage, is_due)
        else:
            run.meter.finish_tick(run.nimg, stage, {})
            if is_due:  # if weights are not finite, all workers return to the last state, as the chief does
                run.check_weights()

    def _write_tick(self, run: Run, stage: Stage, is_due: bool) -> None:
        is_short = stage.tick_kimg < 1 or run.nimg // 1000 == run.meter.start_nimg // 1000
        memory = {"gpumem_gb": peak_gpu_memory_gb(), "hostmem_gb": progress.host_memory_gb()}
        record = run.meter.finish_tick(run.nimg, stage, memory)
        self.forecast.add(record)
        record["eta_sec"] = self.forecast.left_sec() or 0.0
        if record["tick"] % self.settings.run.image_snapshot_ticks == 0 or run.is_done:
            record |= self.write_fakes(run.snapshot(), is_short)
        self.write_tick(record)
        if is_due:
            run.check_weights()
            self.write_snapshot(run.snapshot(), is_short, run.is_done)
        self.write_report()
        if self.on_tick is not None and self.on_tick(dict(record), run.snapshot()):
            self.stopped_by = "on_tick"

    def _is_snapshot_due(self, run: Run) -> bool:
        tick = run.meter.tick + 1  # the one that ends now
        return tick == 1 or tick % self.settings.run.network_snapshot_ticks == 0 or run.is_done or "snapshot" in run.control.commands

    def write_tick(self, record: Record) -> None:
        """Logs the two lines of a tick and writes its numbers."""
        shown = progress.short_line(record, self.settings.schedule.total_kimg)
        self.run_dir.log(progress.tick_line(record), progress.detail_line(record), shown=shown)
        records.append(self.run_dir, record)
        self.events.scalars(progress.tags(record), record["nimg"])

    @property
    def has_begun(self) -> bool:
        """Whether everything is written that precedes the first iteration."""
        return (self.run_dir / "reals.png").exists()

    def write_first(self, networks: snapshot.Networks) -> None:
        """Writes the grids of fakes, of reals as D sees them where they are augmented, and then of reals, before training."""
        self.write_fakes(networks)
        self.events.text("Settings", json.dumps(settings_text.to_plain(self.settings), indent=2), networks.nimg)

        def read(indices):
            return self._read(indices, self.settings.data.resolution)

        if augmentation := in_training.make(self.settings):
            examples = functools.partial(augmentation.examples, seed=self.settings.run.seed)
            save_png(self.run_dir / "augmented.png", self.pictures.augmented(read, examples))
        reals = self.pictures.reals(read)
        self.events.picture("Pictures/reals", reals, networks.nimg)
        save_png(self.run_dir / "reals.png", reals)

    def write_fakes(self, networks: snapshot.Networks, is_short: bool = False) -> dict[str, float]:
        """Writes the grid of fakes. Returns their diversity."""
        pictures = self.pictures.draw(networks.G_ema, networks.lod)
        grid = self.pictures.fakes(pictures)
        save_png(self.run_dir / numbered("fakes", networks.nimg, ".png", is_short), grid)
        self.events.picture("Pictures/fakes", grid, networks.nimg)
        return {"Pictures/diversity": self.pictures.diversity(pictures, self._read)}

    def write_snapshot(self, networks: snapshot.Networks, is_short: bool, is_last: bool) -> None:
        """Writes a network snapshot and computes its scores. A failure of a metric is logged and does not end training."""
        path = self.run_dir / snapshot_name(networks.nimg, is_short, is_last)
        start = time.perf_counter()
        snapshot.save_networks(path, networks)
        self.run_dir.log(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB in {time.perf_counter() - start:.1f} s")
        if self.settings.run.weight_histograms:
            for which, network in networks.by_name().items():
                self.events.histograms({f"{which}/{name}": array for name, array in weight_arrays(network).items()}, networks.nimg)
        if self.on_snapshot is not None:
            networks.source = str(path)
            self._compute_scores(path, networks)
        removed = remove_old_snapshots(self.run_dir, self.settings.run.keep_snapshots, self.best.name)
        if removed:
            self.run_dir.log(f"removed {', '.join(removed)}")

    def _read(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        return data.read_images(self.dataset, indices, resolution)

    def _compute_scores(self, path: Path, networks: snapshot.Networks) -> None:
        start = time.perf_counter()
        try:
            values = self.on_snapshot.compute(path, networks, networks.nimg) or {}
        except Exception as error:
            self.run_dir.log(f"The scores of {path.name} failed ({type(error).__name__}: {error}). Training continues.")
            return
        record = {f"Metrics/{name}": value for name, value in values.items()}
        if record:
            self.events.scalars(record, networks.nimg)
            scores = {name: value for name, value in record.items() if not name.endswith(INTERVAL)}
            self.run_dir.log(f"{path.name}: {_shown(values)}; computed in {format_sec(time.perf_counter() - start)}")
            records.append(self.run_dir, {"nimg": networks.nimg, "snapshot": path.name, **scores})
            self.best.compare(path.name, values)


def _shown(values: dict[str, float]) -> str:
    """Scores as text, with their intervals."""
    texts = []
    for name, value in values.items():
        if not name.endswith(INTERVAL):
            ends = [f"{values[name + end]:.4g}" for end in INTERVAL if name + end in values]
            texts.append(f"{name} {value:.4g}" + (f" [{', '.join(ends)}]" if ends else ""))
    return ", ".join(texts)
