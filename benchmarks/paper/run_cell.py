"""Run one cell of the paper's experiment: train to the early stop, evaluate, draw."""

from __future__ import annotations

import copy
import time
from argparse import Namespace
from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.measuring.machine import describe
from benchmarks.measuring.memory import peak_bytes
from benchmarks.measuring.report import write_json
from benchmarks.measuring.resolved_config import resolved
from benchmarks.paper.kmeans_start import start_near_kmeans
from benchmarks.paper.studies import Cell, Study
from pyro_gmvae.about import About
from pyro_gmvae.data import Dataset, Encoding, Splits, load, load_splits
from pyro_gmvae.evaluation import Evaluation, evaluate
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.inference import KLAnnealing
from pyro_gmvae.likelihoods import likelihood_class
from pyro_gmvae.models import GMVAE, from_config
from pyro_gmvae.pictures import draw_clusters, draw_reconstructions, draw_samples
from pyro_gmvae.runs import save_run
from pyro_gmvae.training import Reporter, TrainConfig, fit

__all__ = ["cell_file", "judged", "prepared", "run_cell"]

SPLIT_SEED = 0
TIMED_BATCHES, TIMED_EPOCHS = 10, 4  # the first epoch warms up


@dataclass(frozen=True)
class Job:
    """Hold a cell with its data and its device."""

    cell: Cell
    splits: Splits
    transform: Encoding
    device: torch.device

    def gmvae(self) -> GMVAE:
        """Make a fresh model, whose weights depend on the cell's seed alone."""
        study = self.cell.study
        torch.manual_seed(self.cell.seed)
        options: dict[str, Any] = {"hidden": study.hidden, "network": study.network}
        if study.channels is not None:
            options["conv"] = {"channels": study.channels}
        return from_config(
            {
                "method": self.cell.method,
                "input_dim": self.splits.train.event_shape,
                "n_components": self.cell.clusters,
                "latent_dim": study.latent_dim,
                "likelihood": study.likelihood,
                **options,
            }
        )

    def config(self, gmvae: GMVAE) -> TrainConfig:
        """Return the settings of the whole training of a model, with the library's decisions."""
        study = self.cell.study
        config = TrainConfig(
            epochs=study.epochs,
            batch_size=study.batch_size,
            learning_rate=study.learning_rate,
            learning_rate_schedule="cosine",
            kl_annealing=KLAnnealing(duration=study.annealing_epochs),
            patience=study.patience,
            seed=self.cell.seed,
            device=self.device.type,  # type: ignore[arg-type]
        )
        return resolved(config, gmvae, self.splits.train.x, transform=self.transform)

    @property
    def steps_per_epoch(self) -> int:
        """Count the batches of an epoch."""
        return ceil(len(self.splits.train) / self.cell.study.batch_size)


def cell_file(cell: Cell, folder: Path) -> Path:
    """Return the file of a cell's result."""
    return folder / f"{cell.name}.json"


def run_cell(cell: Cell, folder: Path, arguments: Namespace) -> dict[str, Any]:
    """Train a cell or resume its training, evaluate it, and write its file.

    Args:
        cell: the training.
        folder: the folder of the cells' files and of their checkpoints.
        arguments: ``data_dir`` and ``device``.

    Raises:
        InputError: if the data are missing.
        TrainingInterrupted: after a signal; the state is saved, and the next call resumes there.
    """
    device = torch.device(arguments.device)
    splits, transform = prepared(cell.study, arguments.data_dir)
    job = Job(cell, splits, transform.to(device), device)
    machine = describe()
    values = timed(job) if cell.timed else trained(job, folder)
    result = {"cell": cell.to_dict(), "machine": machine, **values}
    write_json(cell_file(cell, folder), result)
    return result


@cache
def prepared(study: Study, data_dir: str) -> tuple[Splits, Encoding]:
    """Load the images of a study, the same for all its cells.

    In place of torchvision's archive ``data_dir`` may hold ``NAME.npz``, the training part, and
    ``NAME-test.npz``, the test part.

    Returns:
        The splits, and the map to the model's input.
    """
    file, test_file = (Path(data_dir, f"{study.data}{part}.npz") for part in ("", "-test"))
    if file.is_file() and test_file.is_file():
        whole = load_splits(str(file), seed=SPLIT_SEED, validation_fraction=0.1, test_fraction=0)
        whole = replace(whole, test=load(str(test_file)))
    else:
        whole = load_splits(study.data, seed=SPLIT_SEED, validation_fraction=0.1, data_dir=data_dir)
    n = len(whole.train) if study.train_rows is None else study.train_rows
    splits = Splits(
        some(whole.train, n),
        some(whole.validation, ceil(n / 10)),
        some(whole.test, study.test_rows),
    )
    name = study.likelihood
    support = likelihood_class(name).support
    return splits, splits.train.kind.fit(splits.train, support, likelihood=name)


def some(data: Dataset, n: int | None) -> Dataset:
    """Take at most ``n`` rows at random, because a file may be sorted."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(SPLIT_SEED))
    return data.subset(order[:n].sort().values)


class Pace(Reporter):
    """Time the steps of a training without the time between epochs."""

    def __init__(self, batches: int, device: torch.device) -> None:
        self.batches = batches
        self.device = device
        self.seconds: list[float] = []  # per step, for each epoch after the first

    def step(self, step: int) -> None:
        """Read the clock at the first and the last step of an epoch."""
        within = (step - 1) % self.batches
        if within in (0, self.batches - 1) and self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        if within == 0:
            self.began = time.perf_counter()
        elif within == self.batches - 1 and step > self.batches:
            self.seconds.append((time.perf_counter() - self.began) / within)


def timed(job: Job) -> dict[str, Any]:
    """Time an epoch by a few of its batches."""
    gmvae = job.gmvae()
    config = job.config(gmvae)
    x = job.splits.train.x[: TIMED_BATCHES * config.batch_size]
    short = replace(config, epochs=TIMED_EPOCHS, patience=None, keep_best=False)
    pace = Pace(ceil(len(x) / config.batch_size), job.device)
    fit(gmvae, x, short, transform=job.transform, reporters=[pace])
    return {
        "seconds_per_epoch": median(pace.seconds) * job.steps_per_epoch,
        "peak_bytes": step_memory(gmvae, x, job),
    }


def trained(job: Job, folder: Path) -> dict[str, Any]:
    """Train to the early stop and evaluate on test images."""
    cell, splits = job.cell, job.splits
    work = folder / "runs" / cell.name
    checkpoint = work / "training.safetensors"
    gmvae = job.gmvae()
    config = job.config(gmvae)
    if not checkpoint.is_file():
        work.mkdir(parents=True, exist_ok=True)
        start_near_kmeans(gmvae, splits.train.x, config, seed=cell.seed, transform=job.transform)
    result = fit(
        gmvae,
        splits.train.x,
        config,
        validation=splits.validation.x,
        transform=job.transform,
        checkpoint=checkpoint,
        resume=checkpoint.is_file(),
    )
    seconds = [record["seconds"] for record in result.history]
    tests = [judged(gmvae, splits.test, job.transform, n) for n in cell.study.samples]
    values = {
        "stopped": result.stopped,
        "epochs": len(seconds),
        "best_epoch": result.best_epoch,
        "seconds": sum(seconds),
        "seconds_per_epoch": median(seconds),
        "compiled": bool(config.compile),
        "test": [test.to_dict() for test in tests],
        # Of each image, by the most samples: methods are compared image by image.
        "log_p": [round(value, 2) for value in tests[-1].likelihood.log_p.tolist()],
        "peak_bytes": step_memory(copy.deepcopy(gmvae), splits.train.x, job),
    }
    encoding = copy.deepcopy(job.transform).cpu()
    fitted = FittedModel(gmvae.cpu(), encoding, About(splits.train.name), result.history)
    save_run(work, fitted)
    if cell.seed == 0:
        pictures = {
            "clusters": draw_clusters(fitted, splits.test),
            "reconstructions": draw_reconstructions(fitted, splits.test),
            "samples": draw_samples(fitted, 10, seed=cell.seed),
        }
        for name, picture in pictures.items():
            picture.savefig(folder / f"{cell.name}-{name}.png")
    checkpoint.unlink()
    return values


def judged(gmvae: GMVAE, test: Dataset, transform: Encoding, num_samples: int) -> Evaluation:
    """Evaluate on the test images: likelihood, bits per dimension, clusters."""
    return evaluate(
        gmvae,
        test.x,
        labels=test.class_labels,
        num_samples=num_samples,
        transform=transform,
        encode_mean=transform.encode_mean,
    )


def step_memory(gmvae: GMVAE, x: Tensor, job: Job) -> int | None:
    """Return the peak bytes of two steps beyond model and data, optimizer included."""
    config = replace(job.config(gmvae), max_steps=2, patience=None, keep_best=False)
    config = replace(config, compile=False, record=False)
    x = x[: 2 * config.batch_size].to(job.device)
    gmvae.to(job.device)
    return peak_bytes(lambda: fit(gmvae, x, config, transform=job.transform), job.device)
