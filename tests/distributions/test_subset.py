"""A weighted subset: as large as asked for, and right on average."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.distributions.subset import draw_subset, inclusion_probabilities

SIZES = torch.tensor([0.5, 1e-6, 0.02, 0.9, 0.1, 0.3, 0.04], dtype=torch.float64)


@pytest.mark.parametrize("n", range(1, 7))
def test_probabilities_sum_to_the_number_and_go_with_the_sizes(n: int) -> None:
    found = inclusion_probabilities(SIZES, n)
    torch.testing.assert_close(found.sum(), torch.tensor(float(n)).double())
    assert ((found > 0) & (found <= 1)).all()
    free = found < 1
    ratio = found[free] / SIZES[free]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))
    assert (SIZES[~free].min() if (~free).any() else 1) >= SIZES[free].max()


def test_equal_sizes_are_equally_likely() -> None:
    torch.testing.assert_close(inclusion_probabilities(torch.ones(8), 2), torch.full((8,), 0.25))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_draws_by_these_probabilities(n: int) -> None:
    n_draws, probabilities = 3_000, inclusion_probabilities(SIZES, n)
    total, weights = torch.zeros_like(SIZES), torch.zeros_like(SIZES)
    for _ in range(n_draws):
        subset = draw_subset(SIZES, n)
        assert len(subset.rows.unique()) == n
        assert (subset.weights > 0).nonzero().flatten().tolist() == sorted(subset.rows.tolist())
        total[subset.rows] += 1
        weights += subset.weights
    error = (probabilities * (1 - probabilities) / n_draws).sqrt()
    assert ((total / n_draws - probabilities).abs() <= 4.5 * error + 1e-9).all()
    # The mean weight is 1, where the data are not too rare to be seen.
    often = probabilities > 0.01
    spread = error / probabilities
    assert ((weights / n_draws - 1).abs() <= 4.5 * spread + 1e-9)[often].all()


def test_a_batch_of_float32_has_no_row_twice() -> None:
    sizes = torch.rand(256).pow(20).clamp(min=1e-6)
    for _ in range(200):
        assert len(draw_subset(sizes, 64).rows.unique()) == 64
