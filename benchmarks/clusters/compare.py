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

import json
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.clusters.contenders import CONTENDERS, Found, contend
from benchmarks.clusters.labels import class_labels
from benchmarks.clusters.summary_table import summary, table
from benchmarks.measuring.finished_cells import add_cells_option, cells_folder, finished
from benchmarks.measuring.machine import describe
from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report, write_json
from pyro_gmvae.data import Dataset, Splits
from pyro_gmvae.evaluation import clustering_scores
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.training_data import load_settings_splits

SMALL = {"data": ["digits"], "contenders": ["kmeans", "concrete"], "seeds": 1, "epochs": 1}
SMALL |= {"rows": 150, "samples": 10}


def main(argv: Sequence[str]) -> None:
    parser = Parser("clusters", __doc__, small=SMALL, full={"epochs": 100, "seeds": 20})
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
    report = Report("clusters", arguments)
    folder = cells_folder("clusters", arguments)
    if not arguments.table:
        wanted = product(
            arguments.data, arguments.clusters, arguments.contenders, seeds_of(arguments)
        )
        for data, clusters, contender, seed in wanted:
            path = folder / f"{data}-K{clusters}-{contender}-seed{seed}.json"
            if finished(path, {"settings": settings_of(clusters, arguments)}) is None:
                report.say(path.stem)
                write_json(path, cell(data, clusters, contender, seed, arguments, path))
    paths = sorted(folder.glob("*-seed*.json"))
    cells = [json.loads(path.read_text()) for path in paths]
    rows = summary(cells, paths)
    report.set(results=rows, cells=cells)
    report.say(table(rows))
    report.close()


def settings_of(clusters: int, arguments: Namespace) -> dict[str, Any]:
    """Return the options that a finished training must agree with."""
    values = vars(arguments)
    names = ("epochs", "start_epochs", "starts", "rows")
    return {"clusters": clusters, **{name: values[name] for name in names}}


def cell(
    data: str, clusters: int, contender: str, seed: int, arguments: Namespace, path: Path
) -> dict[str, Any]:
    """Train one contender and compare its clusters with the classes of the test rows."""
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
    machine, started = describe(), time.perf_counter()
    found = contend(contender, settings, splits)
    seconds = time.perf_counter() - started
    information = None if found.information is None else found.information(splits.test)
    labels, assigned = class_labels(splits.test), found.clusters(splits.test)
    scores = clustering_scores(labels, assigned)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The agreement between seeds is computed from the clusters beside the file.
    np.save(path.with_suffix(".npy"), assigned.numpy().astype(np.int16))
    return {
        "data": data,
        "contender": contender,
        "seed": seed,
        "machine": machine,
        "settings": settings_of(clusters, arguments),
        "test_rows": splits.test.fingerprint(),
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
