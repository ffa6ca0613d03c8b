"""Time clusters of new rows, and how much longer their densities take.

`predict` asks the encoder for each row; `predict --density` also scores it by 100 importance
samples, each of which the decoder reads. A figure is the median over rounds, in which plain and
dense calls take turns; the ratio is the median of the rounds' own.

    python -m benchmarks tables-predict --threads 1 --out benchmarks/results/tables_predict.json

The table is that of `tables-step`, with half of its columns for the narrow one.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial

import torch

from benchmarks.measuring.options import Parser, at_least
from benchmarks.measuring.report import Report
from benchmarks.measuring.timing import Step, ratio, side_by_side, turns_of, typical, warm_up
from benchmarks.tables.step import drawn
from pyro_gmvae import GMVAE
from pyro_gmvae.data import from_frame
from pyro_gmvae.segments import assign

SMALL = {"clusters": [3], "columns": [5], "rows": 200, "fitted": 200, "rounds": 2}


def main(argv: Sequence[str]) -> None:
    parser = Parser("tables-predict", __doc__, small=SMALL)
    parser.add_argument("--clusters", nargs="+", type=at_least(2), default=[5, 20], metavar="K")
    parser.add_argument("--columns", nargs="+", type=at_least(1), default=[10, 20])
    parser.add_argument("--rows", type=at_least(50), default=10_000, help="new rows")
    parser.add_argument("--fitted", type=at_least(100), default=10_000, help="training rows")
    parser.add_argument("--rounds", type=at_least(1), default=5)
    arguments = parser.read(argv)
    report = Report("tables-predict", arguments)
    report.header("columns", "K", "rows a second", "with density", "times as long")
    device = torch.device(arguments.device)
    frame = drawn(arguments.fitted + arguments.rows, arguments.seed)
    for columns in arguments.columns:
        # Numbers, counts and levels in the order of the table, evenly spread.
        chosen = frame.iloc[:, :: max(1, frame.shape[1] // columns)].iloc[:, :columns]
        train, new = chosen[: arguments.fitted], chosen[arguments.fitted :]
        for clusters in arguments.clusters:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the time is asked for, not the clusters
                model = GMVAE(clusters, max_iter=1, random_state=0, device=arguments.device)
                fitted = model.fit(train).fitted_
            x = fitted.conform(from_frame(new, purpose="apply")).x
            steps = {d: Step(partial(assign, fitted, x, density=d)) for d in (False, True)}
            for step in steps.values():
                warm_up(step, device, n_steps=1)
            turns = {dense: turns_of(step, device) for dense, step in steps.items()}
            times = side_by_side(turns, rounds=arguments.rounds, n_steps=1, seconds=60.0)
            plain, dense = (len(x) / typical(times[key]) for key in (False, True))
            times_as_long = ratio(times[True], times[False])
            report.add(
                columns=columns,
                clusters=clusters,
                rows_per_second=plain,
                rows_per_second_with_density=dense,
                ratio=times_as_long,
            )
            report.line(columns, clusters, f"{plain:,.0f}", f"{dense:,.0f}", f"{times_as_long:.0f}")
    report.close()
