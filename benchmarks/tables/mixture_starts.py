"""Compare mixtures that a mixed table may begin at: by the number of starts, and from the truth.

No model is trained. Each mixture of per-column laws is fitted to all rows of a generated table by
expectation maximisation, from ten starts, from twenty, or from the true clusters. The figures are
the adjusted Rand index, and the log-likelihood that the fit maximises, in nats a row. Where a
mixture is likelier than the one begun at the truth and its index is lower, more starts cannot help.

    python -m benchmarks mixture-starts --out benchmarks/results/mixture_starts.json
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch.nn.functional import one_hot

from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.summary import spread
from benchmarks.tables.generators import GENERATORS, Generated
from benchmarks.tables.our_start import on_model_scale
from pyro_gmvae.fitting.starts.mixture_fit import fit_mixture, refine_mixture

TRUTH = "truth"


def main(argv: Sequence[str]) -> None:
    small = {"tables": ["bar"], "gaps": [40], "rows": 200, "seeds": 1, "starts": [1, 2]}
    parser = Parser("mixture-starts", __doc__, small=small, full={"seeds": 20})
    tables = ["bar", "a", "b", "c"]
    parser.add_argument("--tables", nargs="+", default=tables, choices=tables)
    parser.add_argument(
        "--gaps", nargs="+", type=at_least(0), default=[0, 40], help="missing cells, in percent"
    )
    parser.add_argument("--starts", nargs="+", type=at_least(1), default=[10, 20])
    parser.add_argument("--rows", type=at_least(50), default=3_000)
    parser.add_argument("--seeds", type=at_least(1), default=5)
    arguments = parser.read(argv)
    report = Report("mixture-starts", arguments)
    report.header("table", "gaps", "starts", "ARI            ", "nats a row      ", "seconds")
    for name in arguments.tables:
        for gaps in arguments.gaps:
            made = [
                GENERATORS[name](seed, arguments.rows, gaps=gaps / 100)
                for seed in seeds_of(arguments)
            ]
            for starts in [*arguments.starts, TRUTH]:
                found = [
                    measured(table, starts, seed)
                    for table, seed in zip(made, seeds_of(arguments), strict=True)
                ]
                ari, nats, seconds = (list(column) for column in zip(*found, strict=True))
                report.add(
                    table=name, gaps=gaps, starts=starts, ari=ari, nats=nats, seconds=seconds
                )
                shown = (spread(ari, 3), spread(nats, 3), spread(seconds, 1))
                report.line(name, gaps, starts, *shown)
    report.close()


def measured(table: Generated, starts: int | str, seed: int) -> tuple[float, float, float]:
    """Fit a mixture, and return its index, its log-likelihood and the seconds of the fit."""
    rows, features, *_ = on_model_scale(table.frame, len(table.frame))
    began = time.perf_counter()
    if starts == TRUTH:
        labels = torch.from_numpy(np.asarray(table.labels)).long()
        mixture = refine_mixture(rows, one_hot(labels, table.clusters).double())
    else:
        mixture = fit_mixture(rows, features, table.clusters, seed=seed, tries=int(starts))
    seconds = time.perf_counter() - began
    index = adjusted_rand_score(table.labels, mixture.log_joint(rows).argmax(-1))
    return float(index), float(mixture.log_likelihood(rows, weighted=True).mean()), seconds
