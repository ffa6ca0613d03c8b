"""Are the clusters right, and the same for every seed, without a label?

Each method is trained by the default settings of `pyro-gmvae train` but for the number of epochs
and the learning rate, which falls to zero, with its regulariser and by the ELBO alone
(``NAME-elbo``), for as many epochs after the start. Beside them stand k-means and a Gaussian
mixture of the pixels and of a VAE's latent space (``vae-kmeans``, ``vae-gmm``) and, if ClustPy is
installed (see `peers.py`), its VaDE and DEC, with as many epochs of pretraining as of clustering,
and k-means of the autoencoder that DEC begins by (``ae-kmeans``). Clusters are compared with the
classes of the official test images, or for digits of all that were not trained on; no label is used
before that. Every seed that was run is in the table.

    python benchmarks/clusters.py --data mnist --contenders concrete --seeds 5 --data-dir data \
        --out benchmarks/results/clusters

Each training is a JSON file in the folder --out, and the same command goes on where it stopped.
summary.json and table.md are made from all that are finished.
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
from torch import Tensor

from benchmarks.clusters_known import CONTENDERS, Found, contend
from benchmarks.clusters_table import summary, table
from benchmarks.machine import describe
from benchmarks.report import Parser, at_least, script, write_json
from pyro_gmvae.data import Dataset, Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import clustering_scores
from pyro_gmvae.files import written_whole
from pyro_gmvae.tasks.data import own_splits
from pyro_gmvae.tasks.settings import TrainSettings

SMALL = {"data": ["digits"], "contenders": ["kmeans", "concrete"], "seeds": 1, "epochs": 1}
SMALL |= {"rows": 150, "samples": 10}


def main(argv: Sequence[str] | None = None) -> None:
    parser = Parser(__doc__, small=SMALL, full={"epochs": 100, "seeds": 20})
    parser.set_defaults(out=Path("clusters"))
    parser.add_argument("--data", nargs="+", default=["digits", "mnist", "fashion-mnist"])
    parser.add_argument("--data-dir", default="data")
    parser.add_argument(
        "--contenders", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS)
    )
    parser.add_argument("--seeds", type=at_least(1), default=5, help="how many, from --seed on")
    parser.add_argument("--clusters", type=at_least(2), default=10, metavar="K")
    parser.add_argument("--epochs", type=at_least(1), default=10, help="after the start")
    parser.add_argument("--start-epochs", type=float, default=4.0, help="of the regulariser alone")
    parser.add_argument("--annealing-epochs", type=float, default=2.0)
    parser.add_argument("--starts", type=at_least(1), help="the best of which goes on")
    parser.add_argument("--rows", type=at_least(1), help="to train on, at most")
    parser.add_argument("--samples", type=at_least(1), default=500, help="of the log-likelihood")
    parser.add_argument("--table", action="store_true", help="make the table, run nothing")
    arguments = parser.read(argv)
    if arguments.out.suffix:
        raise InputError(f"--out is a folder here, for a file a training: not {arguments.out}")
    talks = not (arguments.quiet or arguments.json)
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    for data, contender, seed in product(arguments.data, arguments.contenders, seeds):
        path = arguments.out / f"{data}-{contender}-seed{seed}.json"
        if not (path.is_file() or arguments.table):
            if talks:
                print(path.stem, flush=True)
            write_json(path, cell(data, contender, seed, arguments, path))
    finished = sorted(arguments.out.glob("*-seed*.json"))
    rows = summary([json.loads(path.read_text()) for path in finished], finished)
    values = {"benchmark": "clusters", "machine": describe(), "results": rows}
    write_json(arguments.out / "summary.json", values)
    with written_whole(arguments.out / "table.md") as partial:
        partial.write_text(table(rows))
    if talks:
        print(table(rows))
    if arguments.json:
        print(json.dumps(values))


def cell(data: str, contender: str, seed: int, arguments: Namespace, path: Path) -> dict[str, Any]:
    """Train one contender and compare its clusters with the classes of the test rows."""
    settings = TrainSettings(
        data,
        seed=seed,
        clusters=arguments.clusters,
        epochs=arguments.epochs,
        initialization_epochs=arguments.start_epochs,
        annealing_epochs=arguments.annealing_epochs,
        learning_rate_schedule="cosine",
        starts=arguments.starts,
        device=arguments.device,
        data_dir=arguments.data_dir,
    )
    splits = limited(own_splits(settings), arguments.rows)
    machine, started = describe(), time.perf_counter()
    found = contend(contender, settings, splits)
    seconds = time.perf_counter() - started
    labels, clusters = known(splits.test), found.clusters(splits.test)
    scores = clustering_scores(labels, clusters)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the file, for the agreement between seeds.
    np.save(path.with_suffix(".npy"), clusters.numpy().astype(np.int16))
    told = vars(arguments)
    return {
        "data": data,
        "contender": contender,
        "seed": seed,
        "machine": machine,
        "settings": {n: told[n] for n in ("clusters", "epochs", "start_epochs", "starts", "rows")},
        "seconds": seconds,
        "accuracy": scores.accuracy,
        "nmi": scores.nmi,
        "ari": scores.ari,
        "clusters_in_use": len(clusters.unique()),
        **likelihood(found, splits.test, arguments.samples),
    }


def known(test: Dataset) -> Tensor:
    if test.y is None:
        raise InputError(f"{test.name} has no labels to compare clusters with")
    return test.y


def limited(splits: Splits, rows: int | None) -> Splits:
    """With fewer training rows."""
    if rows is None:
        return splits
    return replace(splits, train=splits.train.subset(torch.arange(min(rows, len(splits.train)))))


def likelihood(found: Found, test: Dataset, samples: int) -> dict[str, Any]:
    """Of a thousand test rows, evenly spaced, if the contender has such a thing."""
    if found.log_likelihood is None:
        return {}
    n = min(len(test), 1_000)
    some = test.subset(torch.arange(n) * len(test) // n)
    mean, error = found.log_likelihood(some, samples)
    return {"log_likelihood": mean, "log_likelihood_se": error, "samples": samples}


if __name__ == "__main__":
    script(main)
