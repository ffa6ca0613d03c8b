"""Let the processes of one training agree on weights and figures."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn

__all__ = ["broadcast", "summed"]


def broadcast(module: nn.Module, device: torch.device) -> None:
    """Give the weights and buffers of the first process to all others; alone it does nothing.

    Args:
        module: the module, wherever it is; it stays there.
        device: the device of the training, over which its processes talk.

    >>> broadcast(nn.Linear(1, 1), torch.device("cpu"))
    """
    if not _are_several():
        return
    for tensor in module.state_dict().values():
        sent = tensor.to(device)
        distributed.broadcast(sent, 0)
        tensor.copy_(sent)


def summed(values: Float[Tensor, "*figures"]) -> Float[Tensor, "*figures"]:
    """Return the sum of the figures of all processes, the same in each of them.

    >>> summed(torch.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    if not _are_several():
        return values
    total = values.clone()
    distributed.all_reduce(total)
    return total


def _are_several() -> bool:
    return distributed.is_available() and distributed.is_initialized()
