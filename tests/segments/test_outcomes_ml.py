"""Maximum likelihood in the third step: closed forms, and known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pyro_gmvae.segments.classification_error import Assignment, assigned
from pyro_gmvae.segments.outcomes.estimates import KnownRows
from pyro_gmvae.segments.outcomes.ml import ml_means, ml_shares
from tests.helpers.known_segments import certain, draw_segments

MEANS, SPREADS, SHARES = np.array([10.0, 12.0, 20.0]), np.array([1.0, 3.0, 6.0]), [0.1, 0.3, 0.7]


def rows_of(z: np.ndarray, q: np.ndarray, assignment: Assignment) -> KnownRows:
    z = z[:, None] if z.ndim == 1 else z
    return KnownRows(z, q, assigned(q, assignment), np.ones(len(q)))


def test_certain_rows_give_group_means_and_shares() -> None:
    rng = np.random.default_rng(0)
    y, q = certain(rng, 300)
    z = MEANS[y] + SPREADS[y] * rng.normal(size=300)
    found = ml_means(rows_of(z, q, "modal"), 0.95)
    for t in range(3):
        own = z[y == t]
        assert found.means[t, 0] == pytest.approx(own.mean(), rel=1e-5)
        deviation = found.covariances[0, t, t] ** 0.5
        assert deviation == pytest.approx(own.std() / len(own) ** 0.5, rel=0.02)
    levels = np.eye(2)[(rng.random(300) < np.array(SHARES)[y]).astype(int)]
    shares = ml_shares(rows_of(levels, q, "modal"), 0.95)
    sizes = np.bincount(y)
    prior = levels.mean(0) / 3  # a row in all
    for t in range(3):
        expected = (levels[y == t].sum(0) + prior) / (sizes[t] + 1 / 3)
        assert shares.means[t] == pytest.approx(expected, abs=1e-5)


def test_a_level_that_a_segment_lacks_has_an_interval_above_zero() -> None:
    q = np.eye(2)[np.repeat([0, 1], 40)]
    levels = np.eye(2)[np.r_[np.zeros(40, dtype=int), np.tile([0, 1], 20)]]
    found = ml_shares(rows_of(levels, q, "modal"), 0.95)
    assert 0 < found.lows[0, 1] < found.means[0, 1] < found.highs[0, 1] < 0.9


@pytest.mark.parametrize(
    ("assignment", "times", "least"),
    [
        ("modal", 30, 0.75),
        pytest.param("modal", 500, 0.90, marks=pytest.mark.slow),
        pytest.param("proportional", 500, 0.90, marks=pytest.mark.slow),
    ],
)
def test_corrected_figures_are_unbiased(assignment: Assignment, times: int, least: float) -> None:
    rng = np.random.default_rng(times)
    off, held, shares_off, shares_held = [], [], [], []
    truth = np.array(SHARES)
    for _ in range(times):
        y, q = draw_segments(rng, 1_000)
        z = MEANS[y] + SPREADS[y] * rng.normal(size=1_000)
        found = ml_means(rows_of(z, q, assignment), 0.95)
        off.append(found.means[:, 0] - MEANS)
        held.append((found.lows[:, 0] <= MEANS) & (found.highs[:, 0] >= MEANS))
        churn = (rng.random(1_000) < truth[y]).astype(int)
        found = ml_shares(rows_of(np.eye(2)[churn], q, assignment), 0.95)
        shares_off.append(found.means[:, 1] - truth)
        shares_held.append((found.lows[:, 1] <= truth) & (found.highs[:, 1] >= truth))
    for errors, covered in ((off, held), (shares_off, shares_held)):
        values = np.array(errors)
        # Maximum likelihood is unbiased in large samples only: a tenth of a deviation is allowed.
        allowed = (4 / times**0.5 + 0.1) * values.std(0)
        assert (np.abs(values.mean(0)) < allowed).all()
        assert (np.mean(covered, 0) >= least).all() and (np.mean(covered, 0) <= 1).all()


def test_under_a_wrong_law_the_likelihood_is_biased_and_bch_is_not() -> None:
    """Why BCH is the default."""
    from pyro_gmvae.segments.outcomes.bch import bch_means

    rng = np.random.default_rng(5)
    y, q = draw_segments(rng, 20_000)
    z = MEANS[y] + SPREADS[y] * (rng.exponential(size=20_000) - 1)
    rows = rows_of(z, q, "proportional")
    bch, ml = bch_means(rows, 0.95), ml_means(rows, 0.95)
    spread = stats.norm.ppf(0.999) * np.sqrt(np.einsum("lkk->kl", bch.covariances))
    assert (np.abs(bch.means - MEANS[:, None]) < spread).all()
    assert (np.abs(ml.means - MEANS[:, None]) > spread).any()
