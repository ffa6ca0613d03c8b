"""A start goes on from clusters so far, unless one that begins anew is clearly better."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.fitting.starts.column_mixture import TableRows
from pyro_gmvae.fitting.starts.comparison import is_clearly_better
from pyro_gmvae.fitting.starts.gaussians import GaussianRows
from pyro_gmvae.fitting.starts.mixture_fit import continue_mixture
from pyro_gmvae.fitting.starts.portfolio import continued
from pyro_gmvae.likelihoods import TableStructure

CENTRES = torch.tensor([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0], [30.0, 30.0]])
GROUPS = torch.arange(200) % 4
STUCK = torch.where(
    GROUPS == 3, 2, torch.where((GROUPS == 0) & (torch.arange(200) < 100), 3, GROUPS)
)
"""The first group is in two clusters, and the last two groups are in one."""


def table() -> Tensor:
    return CENTRES[GROUPS] + torch.randn(200, 2, generator=torch.Generator().manual_seed(0))


def locs_of_numbers(x: Tensor, begun: Tensor) -> Tensor:
    rows = GaussianRows.of(x, floors=(0.01, 0.01))
    return continued(rows, one_hot(begun, 4).double(), taught=False, seed=0).mixture.loc


def locs_of_taught(x: Tensor, begun: Tensor) -> Tensor:
    rows = GaussianRows.of(x, floors=(0.01, 0.01))
    return continued(rows, one_hot(begun, 4).double(), taught=True, seed=0).mixture.loc


def locs_of_columns(x: Tensor, begun: Tensor) -> Tensor:
    rows = TableRows.of(x, TableStructure(("real", "real")))
    return continue_mixture(rows, x.double(), one_hot(begun, 4).double(), seed=0).loc


@pytest.mark.parametrize("locs", [locs_of_numbers, locs_of_taught, locs_of_columns])
def test_clusters_so_far_stay_where_nothing_is_better(locs: Callable[..., Tensor]) -> None:
    order = torch.tensor([2, 0, 3, 1])
    found = locs(table(), order.argsort()[GROUPS])
    assert (found - CENTRES[order]).abs().max() < 0.6  # in the order that they came in


@pytest.mark.parametrize("locs", [locs_of_numbers, locs_of_taught, locs_of_columns])
def test_a_fit_that_is_stuck_begins_anew(locs: Callable[..., Tensor]) -> None:
    found = locs(table(), STUCK)
    assert (torch.cdist(CENTRES.double(), found).min(-1).values < 0.6).all()


def test_clearly_better_is_beyond_chance_and_more_than_a_little() -> None:
    gain = torch.randn(400, generator=torch.Generator().manual_seed(0))
    gain = (gain - gain.mean()) / gain.std()
    ones = torch.ones(400)  # the standard error is 0.05
    assert is_clearly_better(gain + 0.126, ones)
    assert not is_clearly_better(gain + 0.124, ones)
    assert not is_clearly_better(torch.full((400,), 0.009), ones)
