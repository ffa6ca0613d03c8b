"""Find the number of clusters by several trainings with each of several numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from pyro_gmvae.data import Dataset, Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import Candidate, Selection, select
from pyro_gmvae.files import written_whole
from pyro_gmvae.fitting.defaults import total_steps
from pyro_gmvae.fitting.groups import DataSettings
from pyro_gmvae.fitting.plan import Plan, plan, seeds_of
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.starts.imitation import MIN_STEPS
from pyro_gmvae.fitting.train import train
from pyro_gmvae.plots import plot_selection, save_figure
from pyro_gmvae.process.workers import in_processes, jobs_that_fit
from pyro_gmvae.ranges import MOST_CLUSTERS, MOST_DRAWS, MOST_TRAININGS, shown, whole
from pyro_gmvae.runs import read_training, write_training
from pyro_gmvae.runs.contents import SELECTION, TRAINING
from pyro_gmvae.runs.folder import clear, open_run_folder
from pyro_gmvae.training_data import load_settings_splits, sources_of

__all__ = ["counts", "select_clusters"]

RUN_SHARE = 0.8  # share of the training rows that a run sees; each run draws its own
JUDGED_ROWS = 20_000  # rows that runs are compared on, at most
STEPS_FOR_PROCESSES = 4_000  # fewer take no longer than it takes to start a process
ANY_NUMBER = 1  # stands for the number of clusters in the settings that are kept


def counts(text: str) -> list[int]:
    """Read ``"2:20"`` as 2 to 20, ``"2:20:3"`` in steps of 3, ``"5,10"`` as these two.

    Raises:
        InputError: for anything else, a single number, or more than `MOST_TRAININGS` numbers.

    >>> counts("2:5"), counts("2:20:6"), counts("5,10")
    ([2, 3, 4, 5], [2, 8, 14, 20], [5, 10])
    """
    try:
        spans = [_span(part) for part in text.split(",")]
    except ValueError:
        spans = []
    # Before the numbers are counted out: there may be a billion.
    for span in spans:
        whole("a number of clusters", max(span.start, span.stop - 1), most=MOST_CLUSTERS)
    if sum(map(len, spans)) > MOST_TRAININGS:
        raise InputError(
            f"{shown(text)} names more than {MOST_TRAININGS} numbers of clusters: try fewer, such "
            "as 2:200:10"
        )
    numbers = {k for span in spans for k in span}
    if len(numbers) < 2 or min(numbers) < 1:
        raise InputError(
            f"{shown(text)} does not name several numbers of clusters: write them as 2:20, 2:20:2 "
            "or 5,10"
        )
    return sorted(numbers)


def _span(text: str) -> range:
    first, *rest = map(int, text.split(":"))
    last, step, *more = [*rest, *[first, 1][len(rest) :]]
    if more:
        raise ValueError(text)
    return range(first, last + 1, step)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Hold the rows that a selection trains and compares on."""

    splits: Splits
    held_out: Dataset
    compared: Tensor
    compared_w: Tensor | None
    compared_weights: Tensor | None


class _Cell(NamedTuple):
    """Name one training, and the file of its results."""

    k: int
    run: int
    seed: int
    file: Path


def select_clusters(
    settings: Settings,
    numbers: Sequence[int],
    folder: str | os.PathLike[str],
    *,
    runs: int = 3,
    num_samples: int = 100,
    overwrite: bool = False,
    download: bool = False,
    jobs: int | None = None,
    on_training: Callable[[int, int], None] = lambda k, run: None,
) -> Selection:
    """Train ``runs`` times with each number of clusters, on four fifths of the training rows each.

    The n-th runs of all numbers see the same rows and draws. The runs are compared by the
    log-likelihood of rows that none has seen and by the clusters of all rows. Every finished run is
    kept in the folder, and the same call goes on where it stopped.

    Args:
        settings: the settings of all trainings; their number of clusters is not used.
        numbers: two or more numbers of clusters.
        folder: the folder for ``selection.json``, ``selection.png`` and the runs' figures.
        runs: trainings with each number, two or more.
        num_samples: importance samples of the log-likelihood.
        overwrite: whether to replace another selection.
        download: whether to fetch a built-in data set that is missing.
        jobs: trainings at a time, each in a process of its own; None is one for each core on a CPU,
            as far as the memory goes, and else one.
        on_training: called with the number of clusters and the run before each training.

    Raises:
        InputError: for settings or data that cannot be used, too few runs or held-out rows, jobs
            out of range, or a folder that holds something else.
        NonFiniteLossError: if the loss of a training becomes NaN or infinite.

    >>> select_clusters(Settings.of("digits"), [2, 3], "out", runs=1)
    Traceback (most recent call last):
        ...
    pyro_gmvae.ranges.OutOfRange: runs must be at least 2...
    """
    # One run cannot be compared with itself.
    runs = whole("runs", runs, least=2, most=MOST_TRAININGS)
    if jobs is not None:
        jobs = whole("jobs", jobs, least=1, most=MOST_TRAININGS)
    num_samples = whole("samples", num_samples, least=1, most=MOST_DRAWS)
    parts = _parts(load_settings_splits(settings, download=download))
    n_rows = max(1, round(RUN_SHARE * len(parts.splits.train)))
    if max(numbers) > n_rows:
        raise InputError(
            f"{max(numbers)} clusters are more than the {n_rows} rows of a training: try fewer"
        )
    # A selection may go on with another device and with another place of the same data.
    kept = settings.with_(clusters=ANY_NUMBER, device="auto", data_dir=DataSettings.data_dir)
    with _opened(folder, kept, parts.splits.train.fingerprint(), overwrite) as path:
        # Each round trains with every number once, so that early figures are of all numbers.
        cells = [
            _Cell(k, run, seed, path / f"K{k}-run{run}-S{num_samples}.npz")
            for run, seed in enumerate(seeds_of(settings.training.seed, runs))
            for k in numbers
        ]
        missing = [cell for cell in cells if not cell.file.is_file()]
        if jobs is None:
            jobs = _jobs(settings, numbers, len(missing), parts)
        cases = (
            (settings.with_(clusters=cell.k), cell.seed, parts, num_samples)
            for cell in _told(missing, on_training)
        )
        for place, result in in_processes(_trained, cases, jobs):
            _write(missing[place].file, *result)
        selection = select(
            [_candidate(k, [_read(c.file) for c in cells if c.k == k], parts) for k in numbers]
        )
        name = parts.splits.train.name
        figures = {"data": name, "runs": runs, "samples": num_samples} | selection.to_dict()
        with written_whole(path / SELECTION) as partial:
            partial.write_text(json.dumps(figures, indent=2) + "\n")
        with written_whole(path / "selection.png") as partial:
            save_figure(plot_selection(selection, title=name), partial)
    return selection


def _told(cells: Sequence[_Cell], on_training: Callable[[int, int], None]) -> Iterator[_Cell]:
    for cell in cells:
        on_training(cell.k, cell.run)
        yield cell


def _candidate(k: int, results: Sequence[tuple[Tensor, Tensor]], parts: _Parts) -> Candidate:
    log_p, clusters = (torch.stack(column) for column in zip(*results, strict=True))
    return Candidate(k, log_p, clusters, parts.held_out.weights, parts.compared_weights)


def _jobs(settings: Settings, numbers: Sequence[int], trainings: int, parts: _Parts) -> int:
    """Return how many trainings go on at a time, where the user does not say."""
    planned = _planned(settings.with_(clusters=min(numbers)), settings.training.seed, parts)
    config, rows = planned.config, len(planned.splits.train)
    steps = trainings * total_steps(config.epochs, rows, config.batch_size)
    if config.device == "cuda" or steps < STEPS_FOR_PROCESSES:
        return 1
    return jobs_that_fit(trainings, sum(part.x.nbytes for part in parts.splits))


def _parts(splits: Splits) -> _Parts:
    held_out = splits.test if len(splits.test) else splits.validation
    if len(held_out) < 2:
        raise InputError("no rows are held out to compare on: raise --test-fraction")
    rows = torch.cat([p.x for p in splits])
    weights = [p.weights for p in splits if p.weights is not None]
    step = -(-len(rows) // JUDGED_ROWS)
    compared_weights = torch.cat(weights)[::step] if weights else None
    w = None if splits.w is None else splits.w[::step]
    return _Parts(splits, held_out, rows[::step], w, compared_weights)


@contextmanager
def _opened(
    folder: str | os.PathLike[str], settings: Settings, fingerprint: str, overwrite: bool
) -> Iterator[Path]:
    """Hold a new folder, or one in which the same selection was begun."""
    begun = not overwrite and Path(folder, TRAINING).is_file()
    if begun and read_training(Path(folder)) != (settings, fingerprint):
        raise InputError(
            f"{folder} holds a training or selection with other settings or data: choose another "
            "folder, or --overwrite it"
        )
    sources = sources_of(settings)
    with open_run_folder(folder, overwrite=overwrite, resume=begun, sources=sources) as path:
        if not begun:
            clear(path)
            write_training(path, settings, fingerprint)
        yield path


def _planned(settings: Settings, seed: int, parts: _Parts) -> Plan:
    splits = parts.splits.with_share(RUN_SHARE, seed=seed)
    planned = plan(settings.with_(seed=seed), splits)
    # The start is short, for the clusters that a training keeps count, not those it begins near.
    return replace(planned, start=replace(planned.start, steps=MIN_STEPS))


def _trained(
    settings: Settings, seed: int, parts: _Parts, num_samples: int
) -> tuple[Tensor, Tensor]:
    """Train once; return log p of the held-out rows in raw units, and a cluster for all rows."""
    planned = _planned(settings, seed, parts)
    fitted = train(planned).to(planned.config.device or "cpu")
    log_p = fitted.log_likelihood(
        parts.held_out.x,
        parts.held_out.w,
        num_samples=num_samples,
        seed=settings.training.seed,
        diagnostics=False,
    ).log_p
    return log_p, fitted.responsibilities(parts.compared, parts.compared_w).argmax(-1)


def _write(file: Path, log_p: Tensor, clusters: Tensor) -> None:
    with written_whole(file) as partial:
        np.savez_compressed(partial, log_p=log_p.numpy(), clusters=clusters.numpy())


def _read(file: Path) -> tuple[Tensor, Tensor]:
    try:
        with np.load(file) as cell:
            return torch.from_numpy(cell["log_p"]), torch.from_numpy(cell["clusters"])
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"{file} is damaged: delete it, and the same command goes on") from error
