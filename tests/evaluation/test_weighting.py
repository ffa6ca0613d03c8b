"""Figures of rows with weights are those of repeated rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pyro_gmvae.evaluation import (
    Candidate,
    LogLikelihood,
    cluster_stability,
    cluster_usage,
    select,
    stability,
)
from pyro_gmvae.evaluation.criteria import aic, bic
from pyro_gmvae.evaluation.weighting import standard_error, weighted_ari, weighted_mean

GENERATOR = torch.Generator().manual_seed(0)
N, K = 60, 4
WEIGHTS = torch.randint(4, (N,), generator=GENERATOR).double()
TIMES = WEIGHTS.long()
RUNS = torch.randint(K, (3, N), generator=GENERATOR)
RUNS[1] = torch.where(torch.rand(N, generator=GENERATOR) < 0.8, RUNS[0], RUNS[1])
LOG_P = torch.randn(3, N, generator=GENERATOR, dtype=torch.float64)
Q = torch.randn(N, K, generator=GENERATOR, dtype=torch.float64).softmax(-1)


def repeated(values: torch.Tensor, dim: int = 0) -> torch.Tensor:
    return values.repeat_interleave(TIMES, dim)


def figures(log_p: torch.Tensor) -> LogLikelihood:
    return LogLikelihood(log_p, log_p - 1, torch.ones_like(log_p), torch.ones_like(log_p), 1)


def test_means_and_criteria() -> None:
    whole, weighted = figures(repeated(LOG_P[0])), replace(figures(LOG_P[0]), weights=WEIGHTS)
    assert weighted.mean == pytest.approx(whole.mean, abs=1e-12)
    assert weighted.elbo == pytest.approx(whole.elbo, abs=1e-12)
    assert bic(weighted, 7) == pytest.approx(bic(whole, 7), abs=1e-9)
    assert aic(weighted, 7) == pytest.approx(aic(whole, 7), abs=1e-9)


def test_the_standard_error_of_equal_weights_is_the_plain_one() -> None:
    ones = torch.full((N,), 0.3)
    torch.testing.assert_close(standard_error(LOG_P[0], ones), standard_error(LOG_P[0]))


def test_the_standard_error_is_that_of_many_samples() -> None:
    """Rows with weights of their own, drawn 4000 times."""
    values = torch.randn(4000, 50, generator=GENERATOR, dtype=torch.float64)
    weights = torch.rand(4000, 50, generator=GENERATOR, dtype=torch.float64).square()
    means = torch.stack([weighted_mean(v, w) for v, w in zip(values, weights, strict=True)])
    errors = torch.stack([standard_error(v, w) for v, w in zip(values, weights, strict=True)])
    assert errors.square().mean().sqrt() == pytest.approx(means.std().item(), rel=0.1)


def test_use_of_the_clusters() -> None:
    whole, weighted = cluster_usage(repeated(Q)), cluster_usage(Q, WEIGHTS)
    assert weighted.clusters_in_use == whole.clusters_in_use
    torch.testing.assert_close(weighted.share.double(), whole.share.double())
    assert weighted.entropy_y == pytest.approx(whole.entropy_y, abs=1e-12)
    assert weighted.entropy_y_given_x == pytest.approx(whole.entropy_y_given_x, abs=1e-12)


@pytest.mark.parametrize("other", [0, 1, 2])
def test_rand_index(other: int) -> None:
    whole = weighted_ari(repeated(RUNS[0]), repeated(RUNS[other]))
    assert weighted_ari(RUNS[0], RUNS[other], WEIGHTS) == pytest.approx(whole, abs=1e-12)
    ones = torch.ones(N, dtype=torch.float64)
    assert weighted_ari(RUNS[0], RUNS[other], ones) == pytest.approx(
        weighted_ari(RUNS[0], RUNS[other]), abs=1e-12
    )


def test_clusters_found_again() -> None:
    whole = cluster_stability(repeated(RUNS[0]), [repeated(r) for r in RUNS[1:]], K)
    weighted = cluster_stability(RUNS[0], list(RUNS[1:]), K, WEIGHTS)
    torch.testing.assert_close(weighted.jaccard, whole.jaccard)
    torch.testing.assert_close(weighted.ari, whole.ari)
    assert weighted.sizes.tolist() == whole.sizes.tolist()
    assert weighted.to_dict()["n"] == N and whole.to_dict()["n"] == TIMES.sum()


def test_agreement_of_runs() -> None:
    q = [torch.nn.functional.one_hot(r, K).double() for r in RUNS]
    weighted = stability(q, WEIGHTS).to_dict()
    plain = stability(q)
    agreement = repeated(plain.agreement)
    assert weighted["mean_agreement"] == pytest.approx(agreement.mean().item(), abs=1e-12)
    assert sum(c["size"] for c in weighted["clusters"]) == WEIGHTS.sum()
    same = stability(q, torch.ones(N)).to_dict()
    assert same["mean_ari"] == pytest.approx(plain.to_dict()["mean_ari"], abs=1e-12)
    for one, other in zip(same["clusters"], plain.to_dict()["clusters"], strict=True):
        assert one["jaccard"] == pytest.approx(other["jaccard"], abs=1e-12)


def test_selection_counts_by_weights() -> None:
    whole = Candidate(K, repeated(LOG_P, 1), repeated(RUNS, 1))
    weighted = Candidate(K, LOG_P, RUNS, WEIGHTS, WEIGHTS)
    assert weighted.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-12)
    assert weighted.ari == pytest.approx(whole.ari, abs=1e-12)
    for one, other in zip(weighted.recurrence, whole.recurrence, strict=True):
        torch.testing.assert_close(one, other)
    better = Candidate(2, LOG_P + torch.where(WEIGHTS > 0, 0.5, -9), RUNS % 2, WEIGHTS, WEIGHTS)
    gap = select([weighted, better]).behind[0]
    torch.testing.assert_close(gap, torch.tensor([0.0, 0.5], dtype=torch.float64))
