"""Compare clusters with classes and between seeds, without a label in training.

Each method is trained by the default settings of `pyro-gmvae train` except for the number of epochs
and the learning rate, which falls to zero. It is trained with its regulariser, and by the ELBO
alone (``NAME-elbo``) for as many epochs after the start. Beside the methods stand k-means and a
Gaussian mixture of the pixels and of a VAE's latent space (``vae-kmeans``, ``vae-gmm``). If ClustPy
is installed (see the benchmark ``peers``), its VaDE and DEC take part, with as many epochs of
pretraining as of clustering, and k-means of the autoencoder that DEC starts with (``ae-kmeans``).
Clusters are compared with the classes of the official test images, or of all digits that were not
trained on. Labels are used for that only, and every seed that was run is in the table.

    python -m benchmarks clusters --data mnist --contenders concrete --seeds 5 --data-dir data \
        --out benchmarks/results/clusters.json

With more clusters than classes, purity tells whether a cluster mixes classes.

Each training is a JSON file in the folder --cells, and the same command goes on where it stopped.
The table and the JSON file --out are made from all trainings in that folder.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import torch

from benchmarks.clusters.contenders import CONTENDERS, Found, contend
from benchmarks.clusters.labels import class_labels
from benchmarks.clusters.summary_table import summary, table
from benchmarks.measuring.finished_cells import add_cells_option, cells_folder
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.study_cells import path_of, run_cells
from pyro_gmvae.data import Dataset, Splits
from pyro_gmvae.evaluation import clustering_scores
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.training_data import load_settings_splits

STUDY = "clusters"
NAMES = ("data", "clusters", "contender", "seed")
SETTINGS = ("epochs", "start_epochs", "starts", "rows")
SMALL = {"data": ["digits"], "contenders": ["kmeans", "concrete"], "seeds": 1, "epochs": 1}
SMALL |= {"rows": 150, "samples": 10}


def main(argv: Sequence[str]) -> None:
    parser = Parser(STUDY, __doc__, small=SMALL, full={"epochs": 100, "seeds": 20})
    add_cells_option(parser)
    parser.add_argument("--data", nargs="+", default=["digits", "mnist", "fashion-mnist"])
    parser.add_argument("--data-dir", default="data", help="folder of the image sets")
    parser.add_argument(
        "--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS)
    )
    parser.add_argument("--seeds", type=at_least(1), default=5, help="how many, from --seed on")
    parser.add_argument("--clusters", nargs="+", type=at_least(2), default=[10], metavar="K")
    parser.add_argument("--epochs", type=at_least(1), default=10, help="epochs after the start")
    parser.add_argument(
        "--start-epochs", type=float, default=4.0, help="epochs by the regulariser alone"
    )
    parser.add_argument("--annealing-epochs", type=float, default=2.0)
    parser.add_argument("--starts", type=at_least(1), help="starts, the best of which is trained")
    parser.add_argument("--rows", type=at_least(1), help="training rows, at most")
    parser.add_argument(
        "--samples", type=at_least(1), default=500, help="importance samples of the likelihood"
    )
    parser.add_argument("--table", action="store_true", help="make the table, run nothing")
    arguments = parser.read(argv)
    report = Report(STUDY, arguments)
    each = product(arguments.data, arguments.clusters, arguments.contenders, seeds_of(arguments))
    wanted = [] if arguments.table else [dict(zip(NAMES, names, strict=True)) for names in each]
    settings = {name: getattr(arguments, name) for name in SETTINGS}

    measure = partial(measured, arguments=arguments)
    cells = run_cells(STUDY, arguments, report, wanted, settings, measure)
    folder = cells_folder(STUDY, arguments)
    paths = [path_of(folder, {name: cell[name] for name in NAMES}) for cell in cells]
    rows = summary(cells, paths)
    report.set(results=rows, cells=cells)
    report.say(table(rows))
    report.close()


def measured(
    data: str, clusters: int, contender: str, seed: int, arguments: Namespace
) -> dict[str, Any]:
    """Train one contender and compare its clusters with the classes of the test rows.

    The seconds are those of training.
    """
    settings = Settings.of(
        data,
        seed=seed,
        clusters=clusters,
        epochs=arguments.epochs,
        initialization_epochs=arguments.start_epochs,
        annealing_epochs=arguments.annealing_epochs,
        learning_rate_schedule="cosine",
        starts=arguments.starts,
        device=arguments.device,
        data_dir=arguments.data_dir,
    )
    splits = limited(load_settings_splits(settings), arguments.rows)
    started = time.perf_counter()
    found = contend(contender, settings, splits)
    seconds = time.perf_counter() - started
    information = None if found.information is None else found.information(splits.test)
    labels, assigned = class_labels(splits.test), found.clusters(splits.test)
    scores = clustering_scores(labels, assigned)
    return {
        "test_rows": splits.test.fingerprint(),
        "labels": assigned.numpy(),
        "seconds": seconds,
        "accuracy": scores.accuracy,
        "purity": scores.purity,
        "nmi": scores.nmi,
        "ari": scores.ari,
        "clusters_in_use": len(assigned.unique()),
        "mutual_information": information,
        **likelihood(found, splits.test, arguments.samples),
    }


def limited(splits: Splits, rows: int | None) -> Splits:
    """Keep at most so many training rows."""
    if rows is None:
        return splits
    return replace(splits, train=splits.train.subset(torch.arange(min(rows, len(splits.train)))))


def likelihood(found: Found, test: Dataset, samples: int) -> dict[str, Any]:
    """Estimate the likelihood of a thousand test rows, evenly spaced, if there is a density."""
    if found.log_likelihood is None:
        return {}
    n = min(len(test), 1_000)
    some = test.subset(torch.arange(n) * len(test) // n)
    mean, error = found.log_likelihood(some, samples)
    return {"log_likelihood": mean, "log_likelihood_se": error, "samples": samples}
