"""Measure the memory that a step of the exact method takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import Tensor

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.inference.memory import bytes_saved
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.config import TrainConfig

__all__ = ["bytes_per_cluster", "records_steps"]

PEAK = 2  # how many times the memory saved for the gradient a whole step takes, about


def records_steps(config: TrainConfig, accelerator: Accelerator) -> bool:
    """Return True if steps are recorded as CUDA graphs: on one GPU, if the config allows it.

    >>> from pyro_gmvae.training.device import make_accelerator
    >>> records_steps(TrainConfig(), make_accelerator("cpu"))
    False
    """
    on_one = accelerator.device.type == "cuda" and accelerator.num_processes == 1
    return on_one and config.record


def bytes_per_cluster(
    gmvae: GMVAE, elbo: TraceEnumMeanField_ELBO, batch: Sequence[Tensor | None]
) -> int:
    """Measure the memory that one cluster of the exact sum takes in a training step, in bytes.

    Args:
        gmvae: a model of the exact method.
        elbo: the ELBO of the training.
        batch: the pair's arguments for as many rows as a step has, on the model's device.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    >>> few, many = (bytes_per_cluster(gmvae, elbo, (torch.ones(n, 4), None)) for n in (10, 1000))
    >>> 0 < few < many
    True
    """
    one = torch.zeros(1, dtype=torch.long, device=gmvae.model.component_loc.device)
    training = gmvae.training
    gmvae.eval()  # so that no buffer changes, such as the means of batch norm
    size = bytes_saved(
        lambda: elbo.partial_terms(gmvae.model, gmvae.guide, one, *batch).loss, gmvae
    )
    gmvae.train(training)
    return PEAK * size
