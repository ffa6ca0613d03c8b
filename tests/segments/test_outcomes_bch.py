"""BCH against textbooks where rows are certain, and against known truth where they are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from pyro_gmvae.segments.classification_error import Assignment, assigned
from pyro_gmvae.segments.outcomes.bch import bch_means, bch_shares
from pyro_gmvae.segments.outcomes.estimates import Estimates, KnownRows
from tests.helpers.known_segments import certain, draw_segments

MEANS, SPREADS, SHARES = np.array([10.0, 12.0, 20.0]), np.array([1.0, 3.0, 6.0]), [0.02, 0.3, 0.7]
Truth = tuple[Callable[..., Estimates], np.ndarray]


def rows_of(z: np.ndarray, q: np.ndarray, assignment: Assignment = "proportional") -> KnownRows:
    z = z[:, None] if z.ndim == 1 else z
    return KnownRows(z.astype(np.float64), q, assigned(q, assignment), np.ones(len(q)))


def test_certain_rows_give_the_means_and_intervals_of_a_textbook() -> None:
    rng = np.random.default_rng(0)
    y, q = certain(rng, 90)
    z = MEANS[y] + rng.normal(size=90)
    found = bch_means(rows_of(z, q), 0.9)
    for t in range(3):
        own = z[y == t]
        low, high = stats.t.interval(0.9, len(own) - 1, own.mean(), stats.sem(own))
        assert found.means[t, 0] == pytest.approx(own.mean())
        assert (found.lows[t, 0], found.highs[t, 0]) == pytest.approx((low, high))
        assert found.effective[t] == pytest.approx(len(own))


def test_certain_rows_give_the_intervals_of_wilson_and_the_test_of_pearson() -> None:
    rng = np.random.default_rng(1)
    y, q = certain(rng, 150)
    level = np.where(y == 0, 0, rng.choice(3, 150))  # the first segment has one level only
    z = np.eye(3)[level]
    found = bch_shares(rows_of(z, q), 0.95)
    for t in range(3):
        for i in range(3):
            hits, n = int(z[y == t, i].sum()), int((y == t).sum())
            wilson = stats.binomtest(hits, n).proportion_ci(0.95, "wilson")
            ends = (found.lows[t, i], found.highs[t, i])
            assert ends == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    table = np.stack([z[y == t].sum(0) for t in range(3)])
    pearson = stats.chi2_contingency(table, correction=False)
    assert found.test.statistic == pytest.approx(pearson.statistic)
    assert found.test.degrees == 4 and found.test.p_value == pytest.approx(pearson.pvalue)
    pair = stats.chi2_contingency(table[1:], correction=False)
    assert found.pair_tests[2].statistic == pytest.approx(pair.statistic)


def test_a_level_that_two_segments_lack_is_left_out_of_their_test() -> None:
    q = np.eye(3)[np.repeat([0, 1, 2], 20)]
    z = np.eye(3)[np.r_[np.tile([0, 1], 20), np.tile([0, 2], 10)]]
    found = bch_shares(rows_of(z, q), 0.95)
    assert [test.degrees for test in found.pair_tests] == [1, 2, 2]


def test_one_segment_has_nothing_to_compare() -> None:
    rows = rows_of(np.arange(10.0), np.ones((10, 1)))
    assert bch_means(rows, 0.95).test.p_value is None
    assert bch_shares(rows_of(np.eye(2)[[0, 1] * 5], np.ones((10, 1))), 0.95).pair_tests == ()


def simulate(n: int, times: int, assignment: Assignment, seed: int) -> dict[str, np.ndarray]:
    """Errors of corrected and plain figures, and how often the intervals hold the truth."""
    rng = np.random.default_rng(seed)
    made: dict[str, list] = {}

    def keep(name: str, value: object) -> None:
        made.setdefault(name, []).append(value)

    for _ in range(times):
        y, q = draw_segments(rng, n)
        spend = MEANS[y] + SPREADS[y] * (rng.exponential(size=n) - 1)
        churn = (rng.random(n) < np.array(SHARES)[y]).astype(float)
        groups = q.argmax(1)
        keep("plain", [spend[groups == t].mean() - MEANS[t] for t in range(3)])
        keep("plain share", [churn[groups == t].mean() - SHARES[t] for t in range(3)])
        for name, found, truth in (
            ("mean", bch_means(rows_of(spend, q, assignment), 0.95), MEANS),
            (
                "share",
                bch_shares(rows_of(np.stack([churn, 1 - churn], 1), q, assignment), 0.95),
                np.array(SHARES),
            ),
        ):
            keep(name, found.means[:, 0] - truth)
            keep(f"{name} held", (found.lows[:, 0] <= truth) & (truth <= found.highs[:, 0]))
        same = np.eye(3)[rng.choice(3, n, p=[0.9, 0.07, 0.03])]
        keep("alarm of means", bch_means(rows_of(rng.exponential(size=n), q), 0.95).test.p_value)
        found = bch_shares(rows_of(same, q, assignment), 0.95)
        keep("alarm of shares", found.test.p_value)
        keep("alarm of pairs", found.pair_tests[0].p_value)
    return {name: np.array(values) for name, values in made.items()}


def check(found: dict[str, np.ndarray], least: float, most: float, alarms: float) -> None:
    times = len(found["mean"])
    for name in ("mean", "share"):
        error = found[name].std(0) / times**0.5
        assert (np.abs(found[name].mean(0)) < 4 * error).all(), name
        covered = found[f"{name} held"].mean(0)
        assert (covered >= least).all() and (covered <= most).all(), (name, covered)
    # Without a correction the first segment and the last are drawn together.
    for name in ("plain", "plain share"):
        error = found[name].std(0) / times**0.5
        bias = found[name].mean(0) / error
        assert bias[0] > 8 and bias[2] < -8
    for name in ("of means", "of shares", "of pairs"):
        assert (found[f"alarm {name}"] < 0.05).mean() < alarms, name


@pytest.mark.parametrize("assignment", ["proportional", "modal"])
def test_corrected_figures_are_unbiased_where_plain_ones_are_not(assignment: Assignment) -> None:
    # 200 intervals: a coverage of 95 % is seen as 89 % or less once in 10,000 times.
    check(simulate(600, 200, assignment, seed=3), 0.885, 1.0, 0.11)


@pytest.mark.slow
@pytest.mark.parametrize("assignment", ["proportional", "modal"])
@pytest.mark.parametrize("n", [300, 2_000])
def test_intervals_cover_at_ninety_to_ninety_eight_per_cent(assignment: Assignment, n: int) -> None:
    check(simulate(n, 4_000, assignment, seed=n), 0.90, 0.98, 0.08)
