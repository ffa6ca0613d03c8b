"""Time an epoch of a wide mixed table for each method, eager and compiled, against K.

The table has twenty columns (eight numbers, four counts, eight of 2 to 40 levels) and gaps in a
fifth of the cells. It is read from a file and trained as by `pyro-gmvae train`, with the networks
that the library takes for so many rows. A figure is the median over the epochs after the first,
which may compile. The training begins at random, for the start is not what is timed.

    python -m benchmarks tables-step --threads 1 --out benchmarks/results/tables_step.json

The slope is that of log seconds against log K: 0 is no growth, 1 is growth in proportion. Below the
seconds stands what the matrix products of an epoch take at least, at the machine's best rate.
"""

from __future__ import annotations

import tempfile
import warnings
from argparse import Namespace
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyro
import torch

from benchmarks.measuring.flops import matrix_flops
from benchmarks.measuring.growth_curve import slope
from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.rates import LARGEST, matrix_rate
from benchmarks.measuring.report import Report
from benchmarks.tables.encoding import hidden
from pyro_gmvae.fitting.plan import Plan, plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.train import train
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import METHODS
from pyro_gmvae.training_data import load_settings_splits

WAYS = {"eager": "off", "compiled": "on"}
LEVELS = (2, 2, 2, 3, 5, 8, 12, 40)
SMALL: dict[str, Any] = {"methods": ["sparse"], "ways": ["eager"], "clusters": [2, 3]}
SMALL |= {"rows": 400, "batch": 100, "epochs": 2, "largest": 128}


def main(argv: Sequence[str]) -> None:
    parser = Parser("tables-step", __doc__, small=SMALL, full={"clusters": [2, 5, 10, 20, 50, 100]})
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--clusters", nargs="+", type=at_least(2), default=[5, 20, 50], metavar="K")
    parser.add_argument("--rows", type=at_least(100), default=100_000)
    parser.add_argument("--batch", type=at_least(1), default=1024)
    parser.add_argument(
        "--epochs", type=at_least(2), default=3, help="epochs, the first of which warms up"
    )
    parser.add_argument(
        "--largest", type=at_least(1), default=LARGEST, help="rows of the largest matrix"
    )
    arguments = parser.read(argv)
    report = Report("tables-step", arguments)
    rate = matrix_rate(torch.device(arguments.device), torch.float32, arguments.largest)
    report.set(matrix_flops_per_second=rate)
    report.say(f"{arguments.rows} rows, batch {arguments.batch}; seconds an epoch")
    report.header("method  ", "way     ", *(f"K = {k}" for k in arguments.clusters), "slope")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        drawn(arguments.rows, arguments.seed).to_csv(file, index=False)
        for method, way in product(arguments.methods, arguments.ways):
            curve: dict[int, float] = {}
            products: dict[int, float] = {}
            for clusters in arguments.clusters:
                made = planned(file, method, way, clusters, arguments)
                first, *others = epochs_of(made)
                curve[clusters] = median(others)
                products[clusters] = product_flops(made) / rate
                report.add(
                    method=method,
                    way=way,
                    clusters=clusters,
                    seconds=curve[clusters],
                    first_epoch_seconds=first,
                    epochs=others,
                    product_seconds=products[clusters],
                )
            grows = slope(curve)
            report.set(slopes={**report.values.get("slopes", {}), f"{method}, {way}": grows})
            shown = [f"{seconds:.2f}" for seconds in curve.values()]
            report.line(method, way, *shown, None if grows is None else f"{grows:.2f}")
            shown = [f"{seconds:.2f}" for seconds in products.values()]
            report.line("", "products", *shown, "")
    report.close()


def drawn(n: int, seed: int) -> pd.DataFrame:
    """Draw the table, of five clusters."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, n)
    numbers = rng.normal(size=(n, 8)) + rng.normal(size=(5, 8))[y]
    frame = pd.DataFrame({f"number {j}": column.round(4) for j, column in enumerate(numbers.T)})
    for j in range(4):
        frame[f"count {j}"] = rng.poisson(5.0, n)
    for j, levels in enumerate(LEVELS):
        names = np.array([f"level {i}" for i in range(levels)])
        frame[f"levels {j}"] = names[rng.integers(0, levels, n)]
    return hidden(frame, 0.2, rng)


def planned(file: Path, method: str, way: str, clusters: int, arguments: Namespace) -> Plan:
    """Plan a training as the command does, but that it begins at random."""
    settings = Settings.of(
        str(file),
        method=method,
        clusters=clusters,
        epochs=arguments.epochs,
        batch_size=arguments.batch,
        initialization="random",
        regularize="none",
        validation_fraction=0.0,
        test_fraction=0.0,
        compile=WAYS[way],
        seed=arguments.seed,
        device=arguments.device,
    )
    return plan(settings, load_settings_splits(settings))


def epochs_of(made: Plan) -> list[float]:
    """Train; return the seconds of each epoch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clusters that so few epochs leave empty
        fitted = train(made)
    return [float(record["seconds"]) for record in fitted.history]


def product_flops(made: Plan) -> float:
    """Count the operations of an epoch's matrix products, forward and backward."""
    gmvae, rows = made.make_model(0).train(), made.splits.train
    batch = made.encoding(rows.x[: made.config.batch_size]).to(gmvae.model.component_loc)
    elbo = TraceEnumMeanField_ELBO(vectorize_particles=True, max_plate_nesting=1)
    with pyro.settings.context(module_local_params=True):
        flops = matrix_flops(lambda: elbo(gmvae.model, gmvae.guide)(batch).backward())
    return flops * len(rows) / len(batch)
