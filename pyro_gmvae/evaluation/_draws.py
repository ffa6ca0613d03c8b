"""Draw from q(z|x) such that a draw depends only on the seed, the datum and its own number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyro.distributions as dist
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Noise", "draw_z"]


class Noise:
    """Draw a stream of uniform numbers for each datum, independent of batches and chunks.

    Each datum has its own region of one counter-based generator. So the figures do not depend on
    the batch size, the chunk size or the device, and no global generator is used.

    Args:
        seed: any integer.
        data: the data's places in the whole data set.
        size: how many numbers one draw takes.

    Reference: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox).
    """

    def __init__(self, seed: int, data: Sequence[int], size: int) -> None:
        self.size = size
        self.streams = [
            np.random.Generator(np.random.Philox(key=seed % 2**64, counter=[0, 0, 0, i]))
            for i in data
        ]

    def draw(self, num_samples: int, like: Tensor) -> Float[Tensor, "S B size"]:
        """Draw the next numbers in the open unit interval, with the type and device of ``like``.

        Args:
            num_samples: S, number of draws for each datum.
            like: a tensor.
        """
        double = like.dtype == torch.float64
        dtype = np.float64 if double else np.float32
        uniform = np.stack([s.random((num_samples, self.size), dtype) for s in self.streams], 1)
        # The normal quantile of zero is infinite, so zero becomes half of the next value.
        return torch.from_numpy(uniform).clamp(min=float(np.finfo(dtype).eps) / 4).to(like)


def draw_z(q_z: dist.TorchDistribution, uniform: Float[Tensor, "S B _"]) -> Float[Tensor, "S B Z"]:
    """Draw from q(z|x) by inverting its distribution functions.

    Args:
        q_z: a diagonal normal or a mixture of diagonal normals, batch shape ``(B,)``.
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
        # Division by the last entry makes the distribution function end at exactly 1. Otherwise a
        # cluster of probability zero could be drawn, with a weight of any size.
        cdf = q_z.mixture_distribution.probs.cumsum(-1)
        component = (cdf / cdf[..., -1:] <= uniform[..., :1]).sum(-1)
        data = torch.arange(len(loc), device=loc.device)
        loc, scale = loc[data, component], scale[data, component]
    return loc + scale * torch.special.ndtri(uniform[..., 1:])
