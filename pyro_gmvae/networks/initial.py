"""Draw initial weights.

On torch's meta device a tensor has a shape and no values, and so nothing is drawn. Torch would draw
there by code that loads its compiler, which takes seconds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["normal", "xavier_normal"]


def normal(*shape: int, scale: float) -> Tensor:
    """Draw weights from N(0, scale^2).

    >>> normal(2, 3, scale=0.1).shape
    torch.Size([2, 3])
    """
    blank = torch.empty(shape)
    return blank if blank.is_meta else scale * torch.randn(shape)


def xavier_normal(n_out: int, n_in: int) -> Tensor:
    """Draw a matrix of weights as in Glorot and Bengio (2010), from a normal distribution.

    >>> xavier_normal(2, 3).shape
    torch.Size([2, 3])
    """
    blank = torch.empty(n_out, n_in)
    return blank if blank.is_meta else nn.init.xavier_normal_(blank)
