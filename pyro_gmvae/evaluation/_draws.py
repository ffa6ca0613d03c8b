"""Draws from q(z|x) that depend on the seed, the datum and the draw's number alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyro.distributions as dist
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Noise", "draw_z"]


class Noise:
    """A stream of uniform numbers for each datum, whatever batch or chunk asks for them.

    Each datum has its own region of one counter-based generator, so that neither the batch size
    nor the chunk size, nor the device, changes a figure, and no global generator is touched.

    Args:
        seed: any integer.
        data: the data's places in the whole data set.
        size: numbers for one draw.

    Reference: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox).
    """

    def __init__(self, seed: int, data: Sequence[int], size: int) -> None:
        self.size = size
        self.streams = [
            np.random.Generator(np.random.Philox(key=seed % 2**64, counter=[0, 0, 0, i]))
            for i in data
        ]

    def draw(self, num_samples: int, like: Tensor) -> Float[Tensor, "S B size"]:
        """The next numbers in the open unit interval, in the precision and place of ``like``."""
        double = like.dtype == torch.float64
        dtype = np.float64 if double else np.float32
        uniform = np.stack([s.random((num_samples, self.size), dtype) for s in self.streams], 1)
        # Zero, the one value whose normal quantile is infinite, becomes half the next one.
        return torch.from_numpy(uniform).clamp(min=float(np.finfo(dtype).eps) / 4).to(like)


def draw_z(q_z: dist.TorchDistribution, uniform: Float[Tensor, "S B _"]) -> Float[Tensor, "S B Z"]:
    """Draws from q(z|x) by inverting its distribution functions.

    Args:
        q_z: a diagonal normal or a mixture of them, batch shape ``(B,)``.
        uniform: 1 + Z numbers for each draw; the first chooses the component.

    Raises:
        TypeError: for a q(z|x) of another family.
    """
    mixture = isinstance(q_z, dist.MixtureSameFamily)
    normal = q_z.component_distribution if mixture else q_z
    if not (isinstance(normal, dist.Independent) and isinstance(normal.base_dist, dist.Normal)):
        raise TypeError(f"q(z|x) must be a diagonal normal or a mixture of them, got {q_z}")
    loc, scale = normal.base_dist.loc, normal.base_dist.scale
    if mixture:
        # Divided by its last entry the function ends at exactly 1, so that a cluster of
        # probability zero is never drawn; its weight could be of any size.
        cdf = q_z.mixture_distribution.probs.cumsum(-1)
        component = (cdf / cdf[..., -1:] <= uniform[..., :1]).sum(-1)
        data = torch.arange(len(loc), device=loc.device)
        loc, scale = loc[data, component], scale[data, component]
    return loc + scale * torch.special.ndtri(uniform[..., 1:])
