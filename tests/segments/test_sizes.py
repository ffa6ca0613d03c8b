"""Sizes, certainty, blur and the nearest cluster."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from pyro_gmvae.segments.explanation.imputation import draw_memberships, pooled
from pyro_gmvae.segments.explanation.sizes import expected_confusion, sizes_of


def test_the_interval_of_a_known_share_covers_at_its_level() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for repeat in range(400):
        q = np.eye(2)[(rng.random(120) < 0.15).astype(int)]
        size = sizes_of(q, draw_memberships(q, draws=2, seed=repeat), np.ones(120))[1]
        hits += size.low <= 0.15 <= size.high
    assert abs(hits / 400 - 0.95) < 3 * sqrt(0.95 * 0.05 / 400)


def test_doubt_about_the_clusters_widens_the_interval() -> None:
    sure = np.eye(2)[np.repeat([0, 1], 100)]
    doubtful = 0.6 * sure + 0.2
    wide, narrow = (sizes_of(q, draw_memberships(q), np.ones(200))[0] for q in (doubtful, sure))
    assert wide.share == pytest.approx(narrow.share)
    assert wide.high - wide.low > 1.1 * (narrow.high - narrow.low)
    assert (wide.certainty, wide.certain_share) == (pytest.approx(0.8), 0.0)
    assert (narrow.certainty, narrow.certain_share) == (1.0, 1.0)


def test_a_cluster_without_rows_and_one_with_all() -> None:
    q = np.tile([1.0, 0.0], (50, 1))
    full, empty = sizes_of(q, draw_memberships(q), np.ones(50))
    assert (full.share, full.high, full.n_rows) == (1.0, 1.0, 50)
    assert (empty.share, empty.low, empty.n_rows) == (0.0, 0.0, 0)
    assert full.low < 1 and 0 < empty.high < 0.15
    assert np.isnan(empty.certainty)


def test_draws_follow_the_responsibilities() -> None:
    q = np.tile([0.2, 0.5, 0.3], (2_000, 1))
    draws = draw_memberships(q, draws=10)
    shares = np.bincount(draws.members.ravel(), minlength=3) / 20_000
    assert np.abs(shares - q[0]).max() < 4 * sqrt(0.25 / 20_000)
    assert (draws.members == draw_memberships(q, draws=10).members).all()


def test_rubins_rules() -> None:
    estimates = np.array([[1.0], [2.0], [4.0]])
    spread = estimates.var(ddof=1)
    found = pooled(estimates, np.full((3, 1), 9.0))
    between = (4 / 3) * spread / (1 - spread / 9)
    assert found.error[0] == pytest.approx(sqrt(9 + between))
    assert found.df[0] == pytest.approx(2 * (1 + 9 / between) ** 2)
    same = pooled(np.ones((3, 1)), np.full((3, 1), 9.0))
    assert (same.error[0], same.df[0]) == (3.0, np.inf)


def test_many_draws_give_the_variance_of_missing_information() -> None:
    """A share whose rows are known by a test of known errors, estimated by EM from the rows."""
    rng = np.random.default_rng(3)
    right, n, truth = 0.85, 400, 0.3  # the test says the cluster with this probability
    off, errors = [], []
    for repeat in range(300):
        y = rng.random(n) < truth
        said = np.where(rng.random(n) < right, y, ~y)
        share = np.clip((said.mean() - (1 - right)) / (2 * right - 1), 0.01, 0.99)  # its estimate
        likely = np.where(said, right, 1 - right)
        p = share * likely / (share * likely + (1 - share) * (1 - likely))
        draws = draw_memberships(np.c_[1 - p, p], draws=40, seed=repeat)
        means = draws.members.mean(1)[:, None]
        found = pooled(means, means * (1 - means) / n)
        off.append(found.estimate[0] - truth)
        errors.append(found.error[0])
    p_said = truth * right + (1 - truth) * (1 - right)
    true_error = sqrt(p_said * (1 - p_said) / n) / (2 * right - 1)
    assert np.std(off) == pytest.approx(true_error, rel=0.15)
    assert np.mean(errors) == pytest.approx(true_error, rel=0.08)


def test_expected_confusion_finds_what_labels_would_show() -> None:
    """If responsibilities are right, drawn clusters fall where the matrix says."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=20_000) + 2 * rng.integers(2, size=20_000)
    p = 1 / (1 + np.exp(-(2 * x - 2)))
    q = np.c_[1 - p, p]
    truth = (rng.random(20_000) < p).astype(int)
    matrix = expected_confusion(q, np.ones(len(q)))
    for k in range(2):
        rows = q.argmax(1) == k
        assert matrix[k, 1] == pytest.approx(truth[rows].mean(), abs=4 * 0.5 / sqrt(rows.sum()))
