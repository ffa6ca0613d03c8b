"""Columns that are forgotten or borrowed."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.data.transformations import FeatureDropout, Resample

X = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([0.0, 10, 20])


def test_resample_borrows_within_the_column() -> None:
    torch.manual_seed(0)
    moved = Resample(0.3)(X)
    changed = moved != X
    assert abs(changed.float().mean() - 0.3) < 0.02  # 3.3 standard errors of 12,000 draws
    assert all(torch.isin(moved[:, d], X[:, d]).all() for d in range(3))


def test_dropout_sets_to_the_mean() -> None:
    torch.manual_seed(0)
    moved = FeatureDropout(0.3)(X)
    changed = moved != X
    assert abs(changed.float().mean() - 0.3) < 0.02
    assert (moved[changed] == 0).all()


def test_columns_of_a_group_change_together() -> None:
    torch.manual_seed(0)
    x = torch.arange(900.0).view(300, 3)
    borrowed = Resample(0.5, groups=(0, 1, 0))(x)
    assert torch.equal(borrowed[:, 2] - borrowed[:, 0], torch.full((300,), 2.0))
    assert (borrowed[:, 1] - borrowed[:, 0]).unique().numel() > 100
    gaps = FeatureDropout(0.5, gaps=True, groups=(0, 1, 0))(x).isnan()
    assert torch.equal(gaps[:, 0], gaps[:, 2]) and not torch.equal(gaps[:, 0], gaps[:, 1])
    assert abs(gaps.float().mean() - 0.5) < 0.07  # 3.4 standard errors of 600 draws


@pytest.mark.parametrize("move", [Resample, FeatureDropout])
def test_at_the_ends(move: type[Resample]) -> None:
    assert torch.equal(move(0.0)(X), X)
    assert (move(1.0)(X) != X).float().mean() > 0.99
    with pytest.raises(ValueError, match="p must be from 0 to 1, got 2"):
        move(2.0)
