"""Clusters that share a group go where two groups share a cluster."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from pyro_gmvae.fitting.starts.gaussians import SHAPES, GaussianRows, Gaussians
from pyro_gmvae.fitting.starts.portfolio import best_of_portfolio
from pyro_gmvae.fitting.starts.split_merge import moved_clusters


def groups(n_groups: int, rows: int = 60) -> tuple[Tensor, Tensor]:
    """Groups of three columns that lie well apart."""
    rng = np.random.default_rng(0)
    centre = rng.permutation(np.stack(np.meshgrid(*[range(4)] * 3), -1).reshape(-1, 3))[:n_groups]
    y = np.repeat(np.arange(n_groups), rows)
    x = centre[y] + rng.normal(scale=0.12, size=(len(y), 3))
    return torch.from_numpy(x - x.mean(0)), torch.from_numpy(y)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_wrong_mixture_is_mended(shape: str) -> None:
    x, y = groups(10)
    rows = GaussianRows.of(x, floors=(1e-3,) * 3)
    wrong = torch.where(y == 1, 0, y)  # two groups in one cluster
    half = (y == 5) & (x[:, 0] > x[y == 5, 0].median())
    wrong = torch.where(half, 1, wrong)  # and a group in two
    begun = Gaussians.of(rows, torch.nn.functional.one_hot(wrong, 10).double(), shape)
    assert adjusted_rand_score(y, begun.log_joint(rows).argmax(-1)) < 0.95
    found = moved_clusters(rows, begun)
    assert adjusted_rand_score(y, found.log_joint(rows).argmax(-1)) > 0.98


def test_the_likelihood_never_falls_and_what_is_right_stays() -> None:
    x, y = groups(8)
    rows = GaussianRows.of(x, floors=(1e-3,) * 3)
    right = Gaussians.of(rows, torch.nn.functional.one_hot(y, 8).double(), "full")
    assert moved_clusters(rows, right) is right
    generator = torch.Generator().manual_seed(0)
    r = torch.rand(len(x), 8, dtype=torch.float64, generator=generator)
    begun = Gaussians.of(rows, r / r.sum(-1, keepdim=True), "full")
    found = moved_clusters(rows, begun)
    before, after = (m.log_joint(rows).logsumexp(-1).mean() for m in (begun, found))
    assert after >= before


def test_few_and_equal_rows_have_nothing_to_move() -> None:
    x = torch.zeros(30, 2, dtype=torch.float64)
    rows = GaussianRows.of(x, floors=(1e-3,) * 2)
    mixture = Gaussians.of(rows, torch.full((30, 6), 1 / 6, dtype=torch.float64), "diagonal")
    assert moved_clusters(rows, mixture).loc.isfinite().all()


def test_a_portfolio_of_many_clusters_loses_none() -> None:
    x, y = groups(60, rows=20)
    found = best_of_portfolio(GaussianRows.of(x, floors=(1e-3,) * 3), 60, seed=0)
    labels = found.mixture.log_joint(GaussianRows.of(x)).argmax(-1)
    labels = labels if found.clusters is None else found.clusters
    assert adjusted_rand_score(y, labels) > 0.99
