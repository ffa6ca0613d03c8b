"""Refuse a model whose weights do not fit into memory, before any of them is allocated."""

from __future__ import annotations

from typing import Any

import torch

from pyro_gmvae.models.config import parameter_count
from pyro_gmvae.process.memory import check_memory

__all__ = ["check_capacity"]

# Of each weight a training keeps itself, its gradient, the two averages of Adam and the best value.
COPIES, BYTES = 5, 4


def check_capacity(model: dict[str, Any], device: str) -> None:
    """Count the weights of a model, and compare them with the free memory of the device.

    Args:
        model: the structure of the model, as `pyro_gmvae.models.from_config` takes it.
        device: the device of the training.

    Raises:
        InputError: for a model that is too large.
        ValueError: for values that the constructor refuses.

    >>> model = {"method": "exact", "input_dim": 4, "n_components": 3, "latent_dim": 2}
    >>> check_capacity(model, "cpu")
    """
    count = parameter_count(model)
    check_memory(
        COPIES * BYTES * count,
        f"{count:,} weights in training",
        "lower hidden, channels, latent_dim or the number of clusters",
        device=torch.device(device),
    )
