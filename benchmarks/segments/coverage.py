"""Measure how often intervals of segments hold the truth, over simulated tables.

Tables of three known segments are drawn and clustered, and what is said of the clusters is compared
with the truth: traits (differences of the clustered numbers from all other rows), outcomes (means
of spend, shares of churn), slopes of a covariate, and the share of new rows that is rejected.
Clusters are matched to segments by their rows. `plain` are figures of the likeliest segments,
`known` the three-step correction with the model's responsibilities as they are, `refit` the one
that is fitted on and resampled, which is the default.

    python -m benchmarks coverage --threads 1 --out coverage.json

The nominal level is 95 %. Clusters of such tables are held where they begin, so that a single epoch
gives the responsibilities of a whole training.
"""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.report import Report
from benchmarks.segments.simulation import CHURN, OVERLAPS, SLOPES, SPEND, TABLES, Drawn, draw
from pyro_gmvae import GMVAE
from pyro_gmvae.data import Dataset, Splits, from_frame
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.segments import (
    RESAMPLES,
    SegmentLogit,
    assign,
    calibrate,
    covariates_of_run,
    describe_run,
    explain,
)

WAYS = {"known": 0, "refit": RESAMPLES}
FIGURES = ("outcomes", "slopes", "traits", "rejection")
REJECTED, HELD_OUT, NEW = 0.05, 1_000, 2_000
NUMBERS = ("width", "height")
TRUTH_ROWS = 200_000
SMALL: dict[str, Any] = {"tables": ["numbers"], "overlaps": ["near"], "rows": [200], "repeats": 2}

Cell = dict[str, Any]


def main(argv: Sequence[str]) -> None:
    parser = Parser("coverage", __doc__, small=SMALL, full={"repeats": 400})
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--overlaps", nargs="+", default=list(OVERLAPS), choices=list(OVERLAPS))
    parser.add_argument("--rows", nargs="+", type=at_least(100), default=[500, 2_000])
    parser.add_argument("--repeats", type=at_least(1), default=40, help="tables of each kind")
    parser.add_argument("--figures", nargs="+", default=list(FIGURES), choices=FIGURES)
    arguments = parser.read(argv)
    report = Report("coverage", arguments)
    heads = ("spend, known", "refit", "churn, known", "refit", "slopes, known", "refit")
    report.header(
        "table  ", "overlap", "rows", "uncertain", *heads, "traits", "rejected", "trusted"
    )
    for table, overlap, rows in product(arguments.tables, arguments.overlaps, arguments.rows):
        truth = trait_truth(table, overlap)
        cells = [
            measured(table, overlap, rows, arguments.seed + i, truth, arguments)
            for i in range(arguments.repeats)
        ]
        row = summed(cells)
        report.add(table=table, overlap=overlap, rows=rows, **row)
        ways = [f"{n}, {w}" for n in ("spend", "churn", "slopes") for w in WAYS]
        shown = [row["covered"].get(name) for name in (*ways, "traits")]
        shown = [row["uncertain"], *shown, row["rejected"], row["trusted"]]
        percent = ("" if share is None else f"{100 * share:.1f}" for share in shown)
        report.line(table, overlap, rows, *percent)
    report.close()


def measured(
    table: str, overlap: str, n: int, seed: int, truth: np.ndarray, arguments: Namespace
) -> Cell:
    """Draw a table and cluster it; return errors, and whether intervals hold the truth."""
    rng = np.random.default_rng(seed)
    rows = draw(table, overlap, n, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clusters that overlap
        model = GMVAE(3, max_iter=1, random_state=seed, device=arguments.device)
        fitted = model.fit(rows.frame).fitted_
        data = fitted.conform(from_frame(rows.frame))
        q = fitted.responsibilities(data.x).numpy()
        segment = matched(rows.segment, q)
        made = {"uncertain": 1 - float(q.max(1).mean()), "errors": {}, "held": {}}
        for way, resamples in WAYS.items():
            if "outcomes" in arguments.figures:
                keep_outcomes(made, way, fitted, data, rows, segment, resamples)
            if "slopes" in arguments.figures:
                covariates = {"covariate": rows.covariate}
                found = covariates_of_run(fitted, data, covariates, resamples=resamples)
                keep_slopes(made, way, found, segment)
        if "traits" in arguments.figures:
            keep_traits(made, fitted, data, segment, truth)
        if "rejection" in arguments.figures:
            made["rejected"] = rejected(fitted, table, overlap, rng)
    return made


def matched(truth: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the segment that each cluster stands for: those that share most rows."""
    shared = np.eye(q.shape[1])[truth].T @ q
    segments, clusters = linear_sum_assignment(-shared)
    return segments[np.argsort(clusters)]


def keep(made: Cell, name: str, segment: int, error: float, *, held: bool | None = None) -> None:
    """Keep the error of a figure of a segment, and whether its interval holds the truth."""
    made["errors"].setdefault(name, []).append((segment, error))
    if held is not None:
        made["held"].setdefault(name, []).append(held)


def keep_outcomes(
    made: Cell,
    way: str,
    fitted: FittedModel,
    data: Dataset,
    rows: Drawn,
    segment: np.ndarray,
    resamples: int,
) -> None:
    """Compare spend and churn of each segment with the truth."""
    found = describe_run(fitted, data, rows.outcomes, resamples=resamples)
    for name, truth in (("spend", SPEND), ("churn", CHURN)):
        for each in found[name].segments:
            e, own = each.estimates[-1], int(segment[each.segment])
            true = float(truth[own])
            keep(made, f"{name}, {way}", own, e.value - true, held=e.low <= true <= e.high)
            if way == "known" and e.uncorrected is not None:
                keep(made, f"{name}, plain", own, e.uncorrected - true)
    if found.first_step is not None:
        made["trusted"] = found.first_step.trusted
        made["moved"], made["spread"] = found.first_step.moved, found.first_step.spread


def keep_slopes(made: Cell, way: str, found: SegmentLogit, segment: np.ndarray) -> None:
    """Compare slopes, which are differences from the reference segment's."""
    for c in found.coefficients:
        if c.covariate is not None:
            own = int(segment[c.segment])
            true = float(SLOPES[own] - SLOPES[segment[found.reference]])
            keep(made, f"slopes, {way}", own, c.value - true, held=c.low <= true <= c.high)


def keep_traits(
    made: Cell, fitted: FittedModel, data: Dataset, segment: np.ndarray, truth: np.ndarray
) -> None:
    """Compare how far numbers of a segment are from those of all other rows."""
    for each in explain(fitted, data).segments:
        for trait in each.traits:
            if trait.column in NUMBERS and trait.part == "value":
                low, high = trait.effect.interval()
                own = int(segment[each.cluster])
                true = float(truth[own, NUMBERS.index(trait.column)])
                keep(made, "traits", own, trait.effect.estimate - true, held=low <= true <= high)


def trait_truth(table: str, overlap: str) -> np.ndarray:
    """Return the standardised differences of each segment from the rest, by many rows."""
    rows = draw(table, overlap, TRUTH_ROWS, np.random.default_rng(0))
    x = rows.frame[list(NUMBERS)].to_numpy()
    own = [x[rows.segment == k].mean(0) - x[rows.segment != k].mean(0) for k in range(3)]
    return np.array(own) / x.std(0)


def rejected(fitted: FittedModel, table: str, overlap: str, rng: np.random.Generator) -> float:
    """Return the share of new rows that is rejected, calibrated by others."""

    def fresh(n: int) -> Dataset:
        return fitted.conform(from_frame(draw(table, overlap, n, rng).frame, purpose="apply"))

    held_out, new = fresh(HELD_OUT), fresh(NEW)
    none = held_out.subset(torch.arange(0))
    calibrated = replace(fitted, calibration=calibrate(fitted, Splits(none, none, held_out)))
    return float((assign(calibrated, new.x, reject=REJECTED).cluster == -1).double().mean())


def summed(cells: Sequence[Cell]) -> Cell:
    """Sum up over tables: the share of intervals that hold the truth, and the bias by segment.

    ``covered_if_trusted`` is of the tables whose refit says that its intervals can be trusted.
    """
    trusted = [cell for cell in cells if cell.get("trusted", True)]
    rates = [cell["rejected"] for cell in cells if "rejected" in cell]
    names = sorted({name for cell in cells for name in cell["held"]})
    refits = [name for name in names if name.endswith("refit")]
    of_segments = sorted({name for cell in cells for name in cell["errors"]})
    return {
        "tables": len(cells),
        "uncertain": mean(cell["uncertain"] for cell in cells),
        "moved": median(cell.get("moved", 0.0) for cell in cells),
        "spread": median(cell.get("spread", 0.0) for cell in cells),
        "trusted": len(trusted) / len(cells),
        "rejected": mean(rates) if rates else None,
        "covered": {name: covered(name, cells) for name in names},
        "covered_if_trusted": {name: covered(name, trusted) for name in refits},
        "bias": {name: bias(name, cells) for name in of_segments},
    }


def covered(name: str, cells: Sequence[Cell]) -> float | None:
    """Return the share of intervals that hold the truth; None without any."""
    held = [float(each) for cell in cells for each in cell["held"].get(name, [])]
    return mean(held) if held else None


def bias(name: str, cells: Sequence[Cell]) -> list[float | None]:
    """Return the mean error of each segment; None for one that has none."""
    errors = [pair for cell in cells for pair in cell["errors"].get(name, [])]
    by_segment = [[error for own, error in errors if own == k] for k in range(3)]
    return [mean(each) if each else None for each in by_segment]
