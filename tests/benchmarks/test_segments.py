"""The simulation of segments: its truth is true, and it runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.segments.coverage import matched, summed, trait_truth
from benchmarks.segments.simulation import CHURN, SLOPES, SPEND, TABLES, draw
from tests.benchmarks.conftest import Bench


@pytest.mark.parametrize("table", TABLES)
def test_the_truth_of_simulated_tables(table: str) -> None:
    drawn = draw(table, "near", 60_000, np.random.default_rng(0))
    spend, churn = drawn.outcomes["spend"].to_numpy(), drawn.outcomes["churn"].eq("yes").to_numpy()
    for k in range(3):
        own = drawn.segment == k
        assert spend[own].mean() == pytest.approx(SPEND[k], abs=0.2)
        assert churn[own].mean() == pytest.approx(CHURN[k], abs=0.02)
    # The slope of a logit of two segments is the difference of theirs.
    from sklearn.linear_model import LogisticRegression

    two = drawn.segment != 2
    logit = LogisticRegression(C=1e6).fit(drawn.covariate[two, None], drawn.segment[two])
    assert logit.coef_[0, 0] == pytest.approx(SLOPES[1] - SLOPES[0], abs=0.05)


def test_traits_of_the_truth() -> None:
    found = trait_truth("numbers", "near")
    assert found.shape == (3, 2) and found[1, 0] > 1.5 and found[2, 1] > 1.5
    assert found[0, 0] < 0 and found[0, 1] < 0


def test_clusters_are_matched_by_their_rows() -> None:
    truth = np.array([0, 0, 1, 2, 2])
    q = np.eye(3)[[2, 2, 0, 1, 1]]
    assert matched(truth, q).tolist() == [1, 2, 0]


def test_a_table_that_is_not_trusted_counts_in_one_figure_only() -> None:
    cell = {"uncertain": 0.1, "rejected": 0.05, "errors": {"spend, refit": [(0, 1.0), (1, 3.0)]}}
    good = cell | {"trusted": True, "held": {"spend, refit": [True, True]}}
    bad = cell | {"trusted": False, "held": {"spend, refit": [False, True]}}
    found = summed([good, bad])
    assert found["covered"] == {"spend, refit": 0.75} and found["trusted"] == 0.5
    assert found["covered_if_trusted"] == {"spend, refit": 1.0}
    assert found["bias"] == {"spend, refit": [1.0, 3.0, None]}


@pytest.mark.slow
def test_coverage(bench: Bench) -> None:
    result = bench("coverage", "--small", "--device", "cpu", "--out", "found.json")
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(Path("found.json").read_text())["results"]
    assert row["tables"] == 2 and 0 <= row["rejected"] < 0.2
    assert {"spend, known", "spend, refit", "slopes, refit", "traits"} <= row["covered"].keys()
    assert all(0 <= share <= 1 for share in row["covered"].values())


@pytest.mark.slow
def test_covariates(bench: Bench) -> None:
    result = bench("covariates", "--small", "--device", "cpu", "--out", "found.json")
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(Path("found.json").read_text())["results"]
    assert 0.3 < row["ari"] <= 1 and 0.3 < row["ari_without"] <= 1
    assert np.array(row["holds"]).shape == np.array(row["estimates"]).shape == (2, 5)
