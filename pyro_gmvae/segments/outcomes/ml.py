"""Correct means and shares by segment by maximum likelihood, with D known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pyro_gmvae.segments.classification_error import bch_weights
from pyro_gmvae.segments.outcomes.equality import EqualityTest, chi_square, contrasts
from pyro_gmvae.segments.outcomes.estimates import (
    Estimates,
    KnownRows,
    Moves,
    covariance_of,
    covariances_of,
    pairs_of,
    widened,
)
from pyro_gmvae.segments.three_step import Maximum, assignment_log_likelihoods, maximise

__all__ = ["ml_means", "ml_shares"]


def ml_means(rows: KnownRows, level: float, moves: Moves | None = None) -> Estimates:
    """Estimate the mean of a number that has a normal law, of its own spread, in each segment.

    The law is part of the likelihood: where it is wrong, rows move to segments whose law they fit.
    A prior of one row in all, of the spread of all rows, keeps every spread above zero.

    Args:
        rows: the rows where the number is known, ``z`` of one column.
        level: probability of the intervals.
        moves: what fits of the segments to resampled rows change; None for segments that are known.

    Source: Vermunt 2010 (see `classification_error`), equation 13.

    >>> q = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    >>> rows = KnownRows(np.array([[1.0], [2.0], [3.0], [7.0], [8.0], [9.0]]), q, q, np.ones(6))
    >>> ml_means(rows, 0.95).means.ravel().round(3)
    array([2., 8.])
    """
    from scipy import stats

    share = rows.weights / rows.weights.sum()
    centre = float(share @ rows.z[:, 0])
    unit = float(np.sqrt(share @ (rows.z[:, 0] - centre) ** 2)) or 1.0
    z = torch.from_numpy((rows.z - centre) / unit)
    k = rows.q.shape[1]

    def log_joint(p: Tensor) -> Tensor:
        means, log_spreads = p[k - 1 : 2 * k - 1], p[2 * k - 1 :]
        apart = (z - means) / log_spreads.exp()
        return _log_pi(p[: k - 1]) - log_spreads - apart**2 / 2

    def log_prior(p: Tensor) -> Tensor:
        log_spreads = p[2 * k - 1 :]
        return -(log_spreads + (-2 * log_spreads).exp() / 2).mean()

    start = np.concatenate([_start(rows), _group_means(rows, z.numpy())[:, 0], np.zeros(k)])
    found = _maximum(rows, log_joint, log_prior, start)
    own = slice(k - 1, 2 * k - 1)
    means, covariance = found.parameters[own], found.covariance[own, own]
    effective = _effective(rows)
    spread = stats.t.ppf((1 + level) / 2, np.maximum(effective - 1, 1))
    half = spread * np.sqrt(np.diag(covariance))
    whole = covariance if moves is None else covariance + covariance_of(moves[..., 0] / unit)
    found_means = Estimates(
        means=(means * unit + centre)[:, None],
        covariances=covariance[None] * unit**2,
        lows=((means - half) * unit + centre)[:, None],
        highs=((means + half) * unit + centre)[:, None],
        effective=effective,
        test=_test(means[:, None], covariance, contrasts(k)),
        pair_tests=tuple(_test(means[:, None], whole, c[None]) for c in pairs_of(k)),
    )
    return widened(found_means, moves, spread)


def ml_shares(rows: KnownRows, level: float, moves: Moves | None = None) -> Estimates:
    """Estimate the share of each level in each segment; no share leaves 0 to 1.

    A prior of one row in all, of the shares of all rows, keeps every share above zero. Intervals
    and tests are those of the logits.

    Args:
        rows: the rows where the level is known, ``z`` its indicators ``(N, L)``.
        level: probability of the intervals.
        moves: as in `ml_means`.

    Source: as of `ml_means`.

    >>> q = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    >>> rows = KnownRows(np.eye(2)[[0, 0, 1, 1, 1, 1]], q, q, np.ones(6))
    >>> ml_shares(rows, 0.95).means[1].round(3)  # 3 of 3, and the prior
    array([0.048, 0.952])
    """
    from scipy import stats

    k, n_levels = rows.q.shape[1], rows.z.shape[1]
    z = torch.from_numpy(rows.z)
    pooled = rows.weights @ rows.z / rows.weights.sum()

    def log_shares(p: Tensor) -> Tensor:
        free = p[k - 1 :].view(k, n_levels - 1)
        return torch.cat([free, free.new_zeros(k, 1)], 1).log_softmax(1)

    def log_joint(p: Tensor) -> Tensor:
        return _log_pi(p[: k - 1]) + z @ log_shares(p).T

    def log_prior(p: Tensor) -> Tensor:
        return (log_shares(p) @ torch.from_numpy(pooled)).mean()

    groups = np.log(0.9 * _group_means(rows, rows.z) + 0.1 * pooled)
    start = np.concatenate([_start(rows), (groups[:, :-1] - groups[:, -1:]).ravel()])
    found = _maximum(rows, log_joint, log_prior, start)
    logits = found.parameters[k - 1 :].reshape(k, n_levels - 1)
    own = found.covariance[k - 1 :, k - 1 :]
    shares = log_shares(torch.from_numpy(found.parameters)).exp().numpy()
    # The slope of share l by logit j is p_l (1[l = j] - p_j).
    slopes = shares[:, :, None] * (np.eye(n_levels) - shares[:, None, :])[:, :, :-1]
    blocks = own.reshape(k, n_levels - 1, k, n_levels - 1)
    covariances = np.einsum("kla,kajb,jlb->lkj", slopes, blocks, slopes)
    whole = own
    if moves is not None:
        covariances = covariances + covariances_of(moves)
        # The logit of level j against the last one moves by that of its share, over the share.
        relative = moves / shares
        of_logits = relative[..., :-1] - relative[..., -1:]
        whole = own + covariance_of(of_logits.reshape(len(moves), -1))
    # The logit of p varies by that of p, over p (1 - p).
    spread = np.sqrt(np.einsum("lkk->kl", covariances)) / (shares * (1 - shares))
    middle, half = np.log(shares / (1 - shares)), stats.norm.ppf((1 + level) / 2) * spread
    return Estimates(
        means=shares,
        covariances=covariances,
        lows=1 / (1 + np.exp(half - middle)),
        highs=1 / (1 + np.exp(-half - middle)),
        effective=_effective(rows),
        test=_test(logits, own, contrasts(k)),
        pair_tests=tuple(_test(logits, whole, c[None]) for c in pairs_of(k)),
    )


def _maximum(
    rows: KnownRows,
    log_joint: Callable[[Tensor], Tensor],
    log_prior: Callable[[Tensor], Tensor],
    start: np.ndarray,
) -> Maximum:
    def log_likelihoods(p: Tensor) -> Tensor:
        return assignment_log_likelihoods(log_joint(p), rows.d, rows.a)

    return maximise(log_likelihoods, start, rows.weights, log_prior)


def _log_pi(free: Tensor) -> Tensor:
    return torch.cat([free, free.new_zeros(1)]).log_softmax(0)


def _start(rows: KnownRows) -> np.ndarray:
    sizes = rows.weights @ rows.q
    return np.log(sizes[:-1] / sizes[-1])


def _group_means(rows: KnownRows, z: np.ndarray) -> np.ndarray:
    weighted = rows.weights[:, None] * rows.q
    return weighted.T @ z / weighted.sum(0)[:, None]


def _effective(rows: KnownRows) -> np.ndarray:
    return 1 / (bch_weights(rows.q, rows.a, rows.weights) ** 2).sum(0)


def _test(values: np.ndarray, covariance: np.ndarray, c: np.ndarray) -> EqualityTest:
    """Test contrasts of ``(K, m)`` parameters."""
    each = np.kron(c, np.eye(values.shape[1]))
    return chi_square((c @ values).ravel(), each @ covariance @ each.T)
