"""A number for each image."""

import torch
from jaxtyping import Float
from torch import Tensor


def uniform(like: Float[Tensor, "B C H W"], low: float, high: float) -> Float[Tensor, " B"]:
    """Uniform between `low` and `high`, of the type and on the device of the images."""
    drawn = torch.rand(len(like), dtype=like.dtype, device=like.device)
    return low + (high - low) * drawn
