"""The memory that a computation keeps for its gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pyro_gmvae.rng import forked_rng

__all__ = ["bytes_saved"]


def bytes_saved(compute: Callable[[], Tensor], module: nn.Module) -> int:
    """Bytes of the tensors kept for the gradient of ``compute()``, parameters of ``module`` aside.

    It is run once, its draws made without touching the generators.
    """
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    devices = {p.device for p in module.parameters()}
    with (
        forked_rng(*devices),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        kept = compute()  # while this lives, so do the storages, and no address is used twice
    del kept
    return sum(size for address, size in saved.items() if address not in own)
