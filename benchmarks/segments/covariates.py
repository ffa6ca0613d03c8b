"""Recover what covariates tell of the cluster, over simulated tables with known coefficients.

Three clusters in the plane overlap, and two numbers and a category say which one is likely. Each
table is clustered with these covariates and without. The figures are the adjusted Rand index with
the true clusters, the bias of the coefficients of p(y|w), and how often their intervals hold the
truth. A table whose largest cluster is another one has other coefficients, and counts for the index
alone.

    python -m benchmarks covariates --threads 1 --out benchmarks/results/covariates.json
"""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score, confusion_matrix

from benchmarks.measuring.options import Parser, at_least, seeds_of
from benchmarks.measuring.report import Report
from benchmarks.measuring.summary import spread
from pyro_gmvae import GMVAE

__all__ = ["TERMS", "TRUTH", "simulated"]

# Coefficients of two clusters against the first; south and west against north.
TERMS = ("constant", "age", "income", "south", "west")
TRUTH = np.array([[-5.0, 0.1, 0.0, 0.0, 0.0], [-3.4, 0.0, 0.8, 1.2, -0.7]])
SMALL = {"rows": 200, "seeds": 1, "resamples": 3}


def simulated(n: int, apart: float, seed: int = 0) -> tuple[np.ndarray, dict[str, Any], np.ndarray]:
    """Draw rows, their covariates and their clusters.

    Args:
        n: rows.
        apart: the distance between clusters, in standard deviations.
        seed: of all draws.
    """
    rng = np.random.default_rng(seed)
    age, income = rng.normal(45, 12, n), rng.normal(3, 1, n)
    region = rng.choice(["north", "south", "west"], n, p=[0.5, 0.3, 0.2])
    design = np.stack([np.ones(n), age, income, region == "south", region == "west"], 1)
    odds = np.exp(np.c_[np.zeros(n), design @ TRUTH.T])
    y = (rng.random(n)[:, None] > (odds / odds.sum(1, keepdims=True)).cumsum(1)).sum(1)
    centres = apart * np.array([[0, 0], [1, 0], [0.5, 0.87]])
    return rng.normal(centres[y], 1.0), {"age": age, "income": income, "region": region}, y


def main(argv: Sequence[str]) -> None:
    parser = Parser("covariates", __doc__, small=SMALL, full={"seeds": 100})
    parser.add_argument("--rows", type=at_least(100), default=2_000)
    parser.add_argument("--apart", type=float, default=3.0, help="in standard deviations")
    parser.add_argument("--seeds", type=at_least(1), default=10, help="tables, from --seed on")
    parser.add_argument("--resamples", type=at_least(2), default=30)
    arguments = parser.read(argv)
    report = Report("covariates", arguments)
    report.header("table", "with w", "without", "intervals that hold")
    cells = []
    for seed in seeds_of(arguments):
        cell = measured(seed, arguments)
        report.add(**cell)
        shown = None if cell["holds"] is None else f"{100 * np.mean(cell['holds']):.0f} %"
        report.line(seed, f"{cell['ari']:.3f}", f"{cell['ari_without']:.3f}", shown)
        cells.append(cell)
    known = [cell for cell in cells if cell["holds"] is not None]
    indices = [spread([cell[name] for cell in cells], 3) for name in ("ari", "ari_without")]
    report.say("index with w {}, without {}".format(*indices))
    if known:
        errors = np.array([cell["estimates"] for cell in known]) - TRUTH
        covered = float(np.mean([cell["holds"] for cell in known]))
        report.set(covered=covered, bias=errors.mean(0).tolist(), spread=errors.std(0).tolist())
        report.say(
            f"{100 * covered:.1f} % of the intervals hold; bias and spread of the estimates:"
        )
        for k, cluster in enumerate(TRUTH, 1):
            for j, value in enumerate(cluster):
                each = errors[:, k - 1, j]
                named = f"cluster {k}, {TERMS[j]} ({value:g})"
                report.say(f"{named}: {each.mean():+.3f}, {each.std():.3f}")
    report.close()


def measured(seed: int, arguments: Namespace) -> dict[str, Any]:
    """Cluster a table with and without its covariates; compare coefficients with the truth."""
    x, w, y = simulated(arguments.rows, arguments.apart, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = GMVAE(3, random_state=seed, device=arguments.device).fit(x, covariates=w)
        effects = model.covariate_effects(x, w, resamples=arguments.resamples)
        found = model.predict(x, covariates=w)
        plain = GMVAE(3, random_state=seed, device=arguments.device, init_params="mixture").fit(x)
    numbers = confusion_matrix(y, found).argmax(1)
    made: dict[str, Any] = {
        "seed": seed,
        "ari": float(adjusted_rand_score(y, found)),
        "ari_without": float(adjusted_rand_score(y, plain.predict(x))),
        "estimates": None,
        "holds": None,
    }
    if effects.reference != numbers[0] or len(set(numbers)) < 3:
        return made
    own = [[c for c in effects.coefficients if c.segment == k] for k in numbers[1:]]
    low, high = (np.array([[getattr(c, n) for c in row] for row in own]) for n in ("low", "high"))
    made["estimates"] = [[c.value for c in row] for row in own]
    made["holds"] = ((low <= TRUTH) & (high >= TRUTH)).tolist()
    return made
