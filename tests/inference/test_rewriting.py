"""A rewritten graph computes what it did before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from pyro_gmvae.inference.rewriting import LONG, NARROW, turn_narrow_products

aten = torch.ops.aten


def product_of(m: int, k: int, n: int, dtype: torch.dtype) -> tuple[GraphModule, list[Tensor]]:
    # Small whole numbers, so that no order of summation rounds.
    given = [torch.randint(-3, 4, shape).to(dtype) for shape in ((m, k), (k, n))]

    def doubled(a: Tensor, b: Tensor) -> Tensor:
        return 2 * (a @ b)

    return make_fx(doubled, tracing_mode="fake")(*given), given


@pytest.mark.parametrize(
    ("m", "k", "n", "dtype", "turned"),
    [
        (LONG, LONG, NARROW, torch.float32, True),
        (2 * LONG, 3 * LONG, 1, torch.float32, True),
        (LONG, LONG, NARROW + 1, torch.float32, False),
        (LONG - 1, LONG, NARROW, torch.float32, False),
        (LONG, LONG - 1, NARROW, torch.float32, False),
        (LONG, LONG, NARROW, torch.float64, False),
    ],
    ids=str,
)
def test_narrow_products_are_turned(
    m: int, k: int, n: int, dtype: torch.dtype, turned: bool
) -> None:
    graph, given = product_of(m, k, n, dtype)
    before = graph(*given)
    turn_narrow_products(graph)
    graph.graph.lint()
    after = graph(*given)
    assert torch.equal(after, before)
    assert after.stride() == before.stride()
    (product,) = graph.graph.find_nodes(op="call_function", target=aten.mm.default)
    assert (product.args[0].target is aten.t.default) is turned
