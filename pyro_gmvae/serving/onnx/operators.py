"""Compute functions that ONNX lacks, or has with fewer digits, by operations that it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["decompositions", "expm1", "log1p", "log_sigmoid", "places"]


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Return the functions of this room by the operators of torch that they stand for.

    >>> made = decompositions()
    >>> made[torch.ops.aten.log1p.default] is log1p
    True
    """
    aten = torch.ops.aten
    return {
        aten.log1p.default: log1p,
        aten.expm1.default: expm1,
        aten.log_sigmoid_forward.default: lambda x: (log_sigmoid(x), torch.zeros_like(x)),
        aten.searchsorted.Tensor: places,
    }


def log1p(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Compute log(1 + x) to all digits, by the rounded sum's own logarithm (Kahan).

    >>> log1p(torch.tensor([1e-12]))
    tensor([1.0000e-12])
    """
    total = 1 + x
    rounded = total - 1
    is_lost, grows = rounded == 0, total.isinf()
    ratio = x / torch.where(is_lost | grows, torch.ones_like(x), rounded)
    return torch.where(is_lost, x, total.log() * torch.where(grows, torch.ones_like(x), ratio))


def expm1(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Compute exp(x) - 1 to all digits: with t = tanh(x / 2) it is 2 t / (1 - t).

    >>> expm1(torch.tensor([-1e-12, 100.0]))
    tensor([-1.0000e-12,  inf])
    """
    t = (0.5 * x).tanh()
    return torch.where(x < 1, 2 * t / (1 - t), x.exp() - 1)


def log_sigmoid(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Compute log(1 / (1 + exp(-x))), which stays finite where the share is rounded to 0.

    >>> log_sigmoid(torch.tensor([-200.0]))
    tensor([-200.])
    """
    return -softplus(-x)


def places(
    ordered: Float[Tensor, "rows n"],
    values: Float[Tensor, "rows m"],
    *,
    right: bool = False,
    **options: Any,
) -> Int[Tensor, "rows m"]:
    """Count the ordered numbers that are below each value, with ``right`` those equal to it too.

    NaN is above all numbers.

    >>> places(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.5, torch.nan]]))
    tensor([[1, 2]])
    """
    above = (
        values.unsqueeze(-1) < ordered.unsqueeze(-2)
        if right
        else (values.unsqueeze(-1) <= ordered.unsqueeze(-2))
    )
    return (~above).sum(-1)
