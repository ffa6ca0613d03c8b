"""Measure the gain by a few known labels, or by rows that are known to belong together.

The same training is run without knowledge, with the labels of ``--each`` rows of each class, and
with groups of three of these same rows, whose classes are not given. The data are the ten digits,
by one start, and a table of four blobs. The blobs are twice as far from left to right as from top
to bottom, and the two classes are top and bottom. The accuracy is that of the test rows, of which
nothing is known in training, and every seed that was run is counted.

    python -m benchmarks partial-knowledge --out benchmarks/results/partial_knowledge.json
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import torch

from benchmarks.clusters.contenders import contend
from benchmarks.clusters.labels import class_labels
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from pyro_gmvae.data import Dataset, Splits, TableEncoding, load_splits
from pyro_gmvae.evaluation import clustering_scores
from pyro_gmvae.fitting.settings import Settings

SMALL = {"data": ["blobs"], "seeds": 2, "epochs": 2}
TOLD = ("nothing", "labels", "groups")
TOGETHER = 3


def main(argv: Sequence[str]) -> None:
    parser = Parser("partial-knowledge", __doc__, small=SMALL, full={"seeds": 10})
    parser.add_argument("--data", nargs="+", default=list(SPLITS), choices=list(SPLITS))
    parser.add_argument("--told", nargs="+", default=list(TOLD), choices=TOLD)
    parser.add_argument(
        "--each", type=at_least(TOGETHER), default=6, help="known rows of each class"
    )
    parser.add_argument("--seeds", type=at_least(2), default=5, help="how many, from --seed on")
    parser.add_argument("--epochs", type=at_least(1), default=20)
    arguments = parser.read(argv)
    report = Report("partial-knowledge", arguments)
    report.header("data  ", "told   ", "accuracy", "spread", "least", "of each seed")
    for data in arguments.data:
        for told in arguments.told:
            found = [accuracy(data, told, seed, arguments) for seed in seeds_of(arguments)]
            row: dict[str, Any] = {"mean": mean(found), "spread": stdev(found), "least": min(found)}
            report.add(data=data, told=told, accuracy=found, **row)
            each = " ".join(f"{value:.3f}" for value in found)
            report.line(data, told, *(f"{value:.3f}" for value in row.values()), each)
    report.close()


def accuracy(data: str, told: str, seed: int, arguments: Namespace) -> float:
    """Return the accuracy of the test rows after a training with this knowledge."""
    splits, n_clusters = SPLITS[data](seed)
    splits = replace(splits, train=taught(splits.train, told, arguments.each, seed))
    settings = Settings.of(
        data,
        clusters=n_clusters,
        epochs=arguments.epochs,
        annealing_epochs=2.0,
        starts=1,
        seed=seed,
        device=arguments.device,
    )
    clusters = contend(settings.method, settings, splits).clusters(splits.test)
    return clustering_scores(class_labels(splits.test), clusters).accuracy


def taught(train: Dataset, told: str, each: int, seed: int) -> Dataset:
    """Add knowledge about ``each`` random rows of every class to the training rows."""
    y = class_labels(train)
    labels, must_link = torch.full_like(y, -1), torch.full_like(y, -1)
    generator = torch.Generator().manual_seed(seed)
    for label in y.unique():
        rows = (y == label).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)[: each - each % TOGETHER]]
        labels[rows] = label
        must_link[rows] = int(label) * each + torch.arange(len(rows)) // TOGETHER
    if told == "labels":
        return replace(train, labels=labels)
    return replace(train, must_link=must_link) if told == "groups" else train


def digits(seed: int) -> tuple[Splits, int]:
    """Load the digits, of ten classes."""
    return load_splits("digits", seed=seed), 10


def blobs(seed: int) -> tuple[Splits, int]:
    """Draw 300 training rows and 100 test rows, of two classes."""
    generator = torch.Generator().manual_seed(seed)
    i = torch.arange(400)
    left, top = i % 2, i // 2 % 2
    centres = torch.stack([4.0 * left - 2, 2.0 * top - 1], 1)
    x = centres + 0.35 * torch.randn(400, 2, generator=generator)
    train, test = (
        Dataset("blobs", x[rows], top[rows], TableEncoding)
        for rows in (slice(300), slice(300, None))
    )
    return Splits(train, train.subset(torch.arange(0)), test), 2


SPLITS = {"digits": digits, "blobs": blobs}
