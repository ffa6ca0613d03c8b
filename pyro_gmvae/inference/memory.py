"""Measure the memory that a computation keeps for its gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pyro_gmvae.rng import forked_rng

__all__ = ["bytes_saved"]


def bytes_saved(compute: Callable[[], Tensor], module: nn.Module) -> int:
    """Measure the bytes that ``compute()`` keeps for its gradient, without ``module``'s parameters.

    ``compute`` is run once. Torch's global generators are as before afterwards.

    >>> layer = nn.Linear(3, 2)
    >>> x = torch.ones(5, 3, requires_grad=True)
    >>> bytes_saved(lambda: layer(x).exp().sum(), layer)  # x, and the exponentials
    100
    """
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    # The storages themselves, so that no address is used twice.
    saved: dict[int, torch.UntypedStorage] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage
        return tensor

    devices = {p.device for p in module.parameters()}
    with (
        forked_rng(*devices),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        compute()
    return sum(storage.nbytes() for address, storage in saved.items() if address not in own)
