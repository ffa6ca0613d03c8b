"""Say when one start fits rows clearly better than another."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.evaluation.weighting import standard_error, weighted_mean

__all__ = ["is_clearly_better"]

STANDARD_ERRORS, LEAST_GAIN = 2.5, 0.01  # nats a row


def is_clearly_better(gain: Float[Tensor, " N"], weights: Float[Tensor, " N"]) -> bool:
    """Return True if the mean gain is above 0.01 nats and above 2.5 of its standard errors.

    Args:
        gain: what each row gains by a start over another, in nats.
        weights: how often each row counts.

    >>> import torch
    >>> gain, weights = torch.tensor([0.1, 0.2, 0.3, 0.2]), torch.ones(4)
    >>> is_clearly_better(gain, weights), is_clearly_better(gain - 0.1, weights)
    (True, False)
    """
    mean = weighted_mean(gain, weights)
    return bool(mean > LEAST_GAIN and mean > STANDARD_ERRORS * standard_error(gain, weights))
