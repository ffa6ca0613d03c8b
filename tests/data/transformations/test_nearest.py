"""A row is replaced by one of the rows nearest to it."""

from __future__ import annotations

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from pyro_gmvae.data.transformations import NearestRow

LINE = torch.arange(50.0).unsqueeze(-1)


def test_neighbours_are_those_of_brute_force() -> None:
    known = torch.randn(80, 6, generator=torch.Generator().manual_seed(0))
    distance = torch.cdist(known.double(), known.double()).fill_diagonal_(torch.inf)
    wanted = distance.topk(5, largest=False).indices
    torch.manual_seed(0)
    draws = torch.stack([NearestRow(known, count=5)(known) for _ in range(100)])
    for row in range(len(known)):
        found = {tuple(r) for r in draws[:, row].tolist()}
        assert found == {tuple(r) for r in known[wanted[row]].tolist()}


def test_each_neighbour_is_equally_likely() -> None:
    torch.manual_seed(0)
    n = 4_000
    drawn = NearestRow(LINE, count=4)(LINE[[20]].expand(n, 1)).flatten().long()
    counts = drawn.bincount(minlength=50)
    assert counts.nonzero().flatten().tolist() == [18, 19, 21, 22]
    z = (counts[[18, 19, 21, 22]] - n / 4) / (n * 3 / 16) ** 0.5
    assert z.abs().max() < 4


def test_new_rows_have_neighbours_too() -> None:
    assert NearestRow(LINE, count=1)(torch.tensor([[3.4], [-9.0]])).flatten().tolist() == [3, 0]


def test_equal_rows_are_neighbours_where_there_are_no_others() -> None:
    same = torch.ones(6, 3)
    assert torch.equal(NearestRow(same, count=3)(same), same)


def test_it_can_be_traced_and_keeps_the_type() -> None:
    t = NearestRow(LINE, count=2)
    traced = make_fx(t)(LINE)
    torch.manual_seed(1)
    wanted = t(LINE)
    torch.manual_seed(1)
    assert torch.equal(traced(LINE), wanted)
    assert t(LINE.double()).dtype == torch.float64


@pytest.mark.parametrize("count", [0, 50])
def test_the_count_is_checked(count: int) -> None:
    with pytest.raises(ValueError, match="count must be at least 1 and below 50"):
        NearestRow(LINE, count)
