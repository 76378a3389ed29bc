"""Everything a run writes at the end of a tick: statistics, picture grids, network snapshots and their scores."""

import time
from typing import Any

from stylegan_tf import data, snapshot
from stylegan_tf.images import save_png
from stylegan_tf.progress_bar import format_sec
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import progress, report, snapshots
from stylegan_tf.training.best import BestSnapshot, SnapshotScores
from stylegan_tf.training.pictures import PictureGrids
from stylegan_tf.training.run_dir import RunDir, numbered
from stylegan_tf.training.tensorboard import EventWriter

INTERVAL = ("/low", "/high")  # ends of a score's interval: points of TensorBoard, no scores of their own in statistics and report


class Outputs:
    """Writes into one run folder.

    Args:
        settings, run_dir, dataset: of the run.
        on_snapshot: computes the scores of each network snapshot, None for none.
    """

    def __init__(self, settings: TrainingSettings, run_dir: RunDir, dataset: Any, on_snapshot: SnapshotScores | None = None):
        self.settings = settings
        self.run_dir = run_dir
        self.dataset = dataset
        self.on_snapshot = on_snapshot
        self.best = self._best_snapshot()
        self.events = EventWriter(run_dir.path)
        self.pictures = PictureGrids(
            settings.run,
            resolution=settings.data.resolution,
            z_dim=settings.G.z_dim,
            labels=dataset.labels if settings.data.conditional else None,
            num_images=dataset.num_images,
        )

    def close(self) -> None:
        """Ends the event file."""
        self.events.close()

    def reopen(self) -> None:
        """Starts a new event file, after the old ones were cut."""
        self.events = EventWriter(self.run_dir.path)
        self.best = self._best_snapshot()

    def _best_snapshot(self) -> BestSnapshot:
        """The best snapshot in the run folder by `run.best_metric`."""
        name = self.settings.run.best_metric
        return BestSnapshot(self.run_dir, self.on_snapshot.best_value(name) if name and self.on_snapshot else None)

    def write_report(self) -> None:
        """Writes report.html; a report that fails is logged, and training goes on."""
        try:
            report.write(self.run_dir, self.settings, self.on_snapshot.best_value if self.on_snapshot else None)
        except Exception as error:
            self.run_dir.log(f"report.html failed: {type(error).__name__}: {error}. Training goes on.")

    def write_tick(self, record: dict[str, Any]) -> None:
        """Prints the tick's lines and writes its numbers."""
        self.run_dir.log(f"{progress.tick_line(record)}\n{progress.detail_line(record)}")
        self._append(record)
        self.events.scalars(progress.tags(record), record["nimg"])

    @property
    def has_begun(self) -> bool:
        """True where everything is written that comes before the first step."""
        return (self.run_dir / "reals.png").exists()

    def write_first(self, networks: snapshot.Networks) -> None:
        """Writes the grids of fakes and of reals before training; the reals come last."""
        self.write_fakes(networks)
        save_png(self.run_dir / "reals.png", self.pictures.reals(lambda indices: self._read(indices, self.settings.data.resolution)))

    def write_fakes(self, networks: snapshot.Networks, is_short: bool = False) -> dict[str, float]:
        """Writes the grid of fakes; returns how varied they are."""
        pictures = self.pictures.draw(networks.G_ema, networks.lod)
        save_png(self.run_dir / numbered("fakes", networks.nimg, ".png", is_short), self.pictures.fakes(pictures))
        return {"Pictures/diversity": self.pictures.diversity(pictures, self._read)}

    def write_snapshot(self, networks: snapshot.Networks, is_short: bool, is_last: bool) -> None:
        """Writes the networks and measures them; a metric that fails is logged and forgotten."""
        path = self.run_dir / snapshots.snapshot_name(networks.nimg, is_short, is_last)
        start = time.perf_counter()
        snapshot.save_networks(path, networks)
        self.run_dir.log(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB in {time.perf_counter() - start:.1f} s")
        if self.settings.run.weight_histograms:
            self.events.histograms(_histograms(networks), networks.nimg)
        if self.on_snapshot is not None:
            networks.source = str(path)
            self._measure(path, networks)
        gone = snapshots.prune(self.run_dir, self.settings.run.keep_snapshots, self.best.name)
        if gone:
            self.run_dir.log(f"removed {', '.join(gone)}")

    def _read(self, indices: Any, resolution: int) -> Any:
        return data.read_images(self.dataset, indices, resolution)

    def _measure(self, path: Any, networks: snapshot.Networks) -> None:
        start = time.perf_counter()
        try:
            values = self.on_snapshot(path, networks, networks.nimg) or {}
        except Exception as error:
            self.run_dir.log(f"metrics failed on {path.name}: {type(error).__name__}: {error}. Training goes on.")
            return
        record = {f"Metrics/{name}": value for name, value in values.items()}
        if record:
            self.events.scalars(record, networks.nimg)
            scores = {name: value for name, value in record.items() if not name.endswith(INTERVAL)}
            self.run_dir.log(f"{path.name}: {_told(values)}; measured in {format_sec(time.perf_counter() - start)}")
            self._append({"nimg": networks.nimg, "snapshot": path.name, **scores})
            self.best.compare(path.name, values)

    def _append(self, record: dict[str, Any]) -> None:
        with open(self.run_dir / "stats.jsonl", "a", encoding="utf-8") as file:
            file.write(progress.json_line(record) + "\n")


def _told(values: dict[str, float]) -> str:
    """Scores as text, each with its interval where it has one."""
    texts = []
    for name, value in values.items():
        if not name.endswith(INTERVAL):
            ends = [f"{values[name + end]:.4g}" for end in INTERVAL if name + end in values]
            texts.append(f"{name} {value:.4g}" + (f" [{', '.join(ends)}]" if ends else ""))
    return ", ".join(texts)


def _histograms(networks: snapshot.Networks) -> dict[str, Any]:
    named = {"G": networks.G, "D": networks.D, "G_ema": networks.G_ema}
    return {f"{which}/{name}": array for which, network in named.items() for name, array in snapshot.weight_arrays(network).items()}
