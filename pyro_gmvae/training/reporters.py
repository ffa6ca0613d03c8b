"""Report the progress of a training: to the terminal, metrics.csv, accelerate's trackers."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import reason_of, written_whole

__all__ = ["MetricsCSV", "ProgressBar", "Record", "Reporter", "Tracker"]

Record = dict[str, float]


class Reporter:
    """Receive the progress of a training; the base class does nothing with it.

    >>> class Printed(Reporter):
    ...     def epoch(self, record):
    ...         print(record["elbo"])
    >>> Printed().epoch({"epoch": 1, "elbo": -3.5})
    -3.5
    """

    def beginning(self, share: float) -> None:
        """Report the ``share`` of the start that is done, from 0 to 1, before training begins."""

    def start(self, total_steps: int, history: list[Record]) -> None:
        """Report that training begins, after the epochs in ``history`` if it resumes."""

    def step(self, step: int) -> None:
        """Report that a gradient step is done, ``step`` of them in all."""

    def epoch(self, record: Record) -> None:
        """Report that an epoch is done."""

    def close(self) -> None:
        """Report that training has ended, whether well or by an error."""


class MetricsCSV(Reporter):
    """Write one row per epoch to a CSV file, which is complete after every epoch.

    A file that can no longer be written is one warning, and is then left alone.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "metrics.csv"
    ...     MetricsCSV(path).epoch({"epoch": 1, "elbo": -3.5})
    ...     print(path.read_text().split())
    ['epoch,elbo', '1,-3.5']
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: list[str] = []
        self.records: list[Record] = []
        self._fails = False

    def start(self, total_steps: int, history: list[Record]) -> None:
        # Epochs after the checkpoint that training resumes from will be written again.
        self.columns, self.records, self._fails = [], list(history), False
        with self._warned():
            if history:
                self._rewrite()
            else:
                self.path.unlink(missing_ok=True)

    def epoch(self, record: Record) -> None:
        self.records.append(record)
        # After a failure the file misses rows, and more would only hide that.
        if not self._fails:
            with self._warned():
                if record.keys() <= set(self.columns):
                    self._append(record)
                else:
                    self._rewrite()

    def _rewrite(self) -> None:
        """Write all records, whole or not at all; a full disk leaves the file as it was."""
        # A new column needs a new header, and empty cells in the rows before.
        self.columns = list(dict.fromkeys(name for record in self.records for name in record))
        with written_whole(self.path) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(self.records)

    def _append(self, record: Record) -> None:
        # A row for a file that is gone would stand there without its header.
        size = self.path.stat().st_size
        try:
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self.columns).writerow(record)
        except OSError:
            # Half a row would make the whole file unreadable.
            os.truncate(self.path, size)
            raise

    @contextmanager
    def _warned(self) -> Iterator[None]:
        """Turn the first failure to write into a warning, for the training goes on without."""
        try:
            yield
        except (OSError, InputError) as error:
            self._fails = True
            warnings.warn(
                f"{self.path} cannot be written ({reason_of(error)}): "
                "training continues without it",
                RuntimeWarning,
                stacklevel=2,
            )


class ProgressBar(Reporter):
    """Show progress on standard error: the ELBO, its parts, w_t, tau, clusters, time left.

    >>> bar = ProgressBar()
    >>> bar.start(total_steps=100, history=[])
    >>> bar.step(40)
    >>> bar.close()
    """

    def __init__(self) -> None:
        self._live: Any = None
        self._progress: Any = None
        self._task: Any = None
        self._figures: list[str] = []
        self._first: Any = None  # the bar of the start, which comes before the training

    def beginning(self, share: float) -> None:
        if self._first is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._first = Progress(
                TextColumn("first clusters"),
                BarColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._first.add_task("", total=1.0)
            self._first.start()
        self._first.update(0, completed=share)
        if share >= 1:
            self._first.stop()

    def start(self, total_steps: int, history: list[Record]) -> None:
        from rich.columns import Columns
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(), TimeRemainingColumn()
        )
        self._task = self._progress.add_task("", total=total_steps, epoch=0)
        self._figures = []
        if history:
            self.epoch(history[-1])
        # The figures are below the bar, where a narrow terminal has room for all of them.
        self._live = Live(
            get_renderable=lambda: Group(self._progress, Columns(self._figures, padding=(0, 2))),
            console=Console(stderr=True),
        )
        self._live.start()

    def step(self, step: int) -> None:
        self._progress.update(self._task, completed=step)

    def epoch(self, record: Record) -> None:
        self._figures = [
            f"ELBO {record['elbo']:.2f}",
            f"log p(x|z) {record['log_likelihood']:.2f}",
            f"KL z {record['kl_z']:.2f}",
            f"KL y {record['kl_y']:.2f}",
            f"w {record['kl_weight']:.2f}",
            f"tau {record['temperature']:.2f}",
            f"clusters {record['clusters_in_use']:.0f}",
        ]
        if "validation_elbo" in record:
            self._figures.append(f"held out {record['validation_elbo']:.2f}")
        self._progress.update(self._task, completed=record["step"], epoch=int(record["epoch"]))

    def close(self) -> None:
        for shown in (self._first, self._live):
            if shown is not None:
                shown.stop()


class Tracker(Reporter):
    """Report to any of accelerate's trackers: TensorBoard, Weights & Biases, MLflow and others.

    Args:
        tracker: such as ``accelerate.tracking.TensorBoardTracker("run", logging_dir)``.

    >>> class Printed(GeneralTracker):
    ...     name, requires_logging_directory, tracker = "printed", False, None
    ...     def log(self, values, step):
    ...         print(step, values)
    >>> Tracker(Printed()).epoch({"epoch": 1, "step": 40, "elbo": -3.5})
    40 {'elbo': -3.5}
    """

    def __init__(self, tracker: GeneralTracker) -> None:
        self.tracker = tracker
        if hasattr(tracker, "start"):
            tracker.start()

    def epoch(self, record: Record) -> None:
        values = {name: value for name, value in record.items() if name not in ("epoch", "step")}
        self.tracker.log(values, step=int(record["step"]))

    def close(self) -> None:
        self.tracker.finish()
