"""Compare what a training on a table could take where the user does not say.

The tables are scikit-learn's iris, wine and breast cancer. Each is trained by the defaults, and by
the defaults but for one: an equal p(y) for every cluster in place of a learned one; networks of
256, 256 and Z = 20 in place of 128, 128 and 10; early stopping also by fewer than 50 held-out rows.
The figures are the adjusted Rand index with the known groups, for which alone labels are used, and
the log-likelihood of a tenth of the rows in nats a row. Every seed that was run is counted.

    python -m benchmarks table-defaults --out benchmarks/results/table_defaults.json
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.metrics import adjusted_rand_score

from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from pyro_gmvae.data import MIN_VALIDATION, Splits, from_array, hold_out
from pyro_gmvae.fitting.plan import plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.train import train

TABLES = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer}
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "equal p(y)": {"learn_mixture": False},
    "wide networks": {"latent_dim": 20, "hidden": (256, 256)},
    "few held-out rows": {"least": 1},
}


def main(argv: Sequence[str]) -> None:
    small = {"seeds": 1, "epochs": 2, "tables": ["iris"], "variants": ["defaults"]}
    parser = Parser("table-defaults", __doc__, small=small, full={"seeds": 10})
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", type=at_least(1), default=3)
    parser.add_argument("--epochs", type=at_least(1), default=100)
    arguments = parser.read(argv)
    report = Report("table-defaults", arguments)
    report.header("table ", "variant          ", "ARI of each seed", "mean", "log p", "seconds")
    for table in arguments.tables:
        for variant in arguments.variants:
            row = measured(table, VARIANTS[variant], arguments)
            report.add(table=table, variant=variant, **row)
            indices = " ".join(f"{value:.2f}" for value in row["ari"])
            log_p = f"{fmean(row['log_p']):.2f}"
            mean, seconds = f"{fmean(row['ari']):.3f}", f"{row['seconds']:.0f}"
            report.line(table, variant, indices, mean, log_p, seconds)
    report.close()


def measured(table: str, changed: dict[str, Any], arguments: Namespace) -> dict[str, Any]:
    """Train once for each seed; return the figures of each."""
    bunch = TABLES[table]()
    data = from_array(bunch.data, bunch.target, name=table)
    changed = dict(changed)
    least = changed.pop("least", MIN_VALIDATION)
    began, indices, log_p = time.perf_counter(), [], []
    for seed in seeds_of(arguments):
        kept, test = hold_out(data, 0.1, "test", seed=seed)
        splits = Splits(*hold_out(kept, 0.1, "validation", seed=seed, least=least), test)
        settings = Settings.of(
            clusters=len(bunch.target_names),
            epochs=arguments.epochs,
            device=arguments.device,
            seed=seed,
            **changed,
        )
        with warnings.catch_warnings():
            # The index shows what warnings of bad clusters would say.
            warnings.simplefilter("ignore")
            fitted = train(plan(settings, splits))
        found = fitted.responsibilities(data.x).argmax(-1)
        assert isinstance(data.class_labels, torch.Tensor)
        indices.append(float(adjusted_rand_score(data.class_labels.numpy(), found.numpy())))
        log_p.append(fitted.log_likelihood(test.x, diagnostics=False).mean)
    return {"ari": indices, "log_p": log_p, "seconds": time.perf_counter() - began}
