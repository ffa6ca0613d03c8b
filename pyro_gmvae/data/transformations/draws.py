"""Draw the random numbers of the transformations, and check probabilities."""

import torch
from jaxtyping import Float
from torch import Tensor


def uniform(like: Float[Tensor, "B C H W"], low: float, high: float) -> Float[Tensor, " B"]:
    """Draw a number between `low` and `high` for each image, with the type and device of `like`."""
    drawn = torch.rand(len(like), dtype=like.dtype, device=like.device)
    return low + (high - low) * drawn


def check_probability(p: float) -> None:
    """Raise a ValueError unless `p` is from 0 to 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"p must be from 0 to 1, got {p}")
