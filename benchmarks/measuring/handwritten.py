"""Write the four objectives in plain torch, as one would write them for speed.

The time of this package's steps is compared with theirs. `handwritten` takes the networks of a
GMVAE with built-in networks and a Bernoulli likelihood, and shares its parameters. From one seed it
draws the same noise, so that loss and gradients are equal to those of
`pyro_gmvae.inference.TraceEnumMeanField_ELBO`.
"""

from __future__ import annotations

from abc import abstractmethod
from math import ceil
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, softplus

from pyro_gmvae.distributions import LEAST_SIZE, bits_log_prob, draw_subset
from pyro_gmvae.models import GMVAE
from pyro_gmvae.networks import MIN_SCALE, MLPDecoder

__all__ = ["HandWritten", "handwritten"]


class HandWritten(nn.Module):
    """Compute minus the ELBO of a batch ``(B, *event)``, summed over the batch.

    Args:
        gmvae: the model whose parameters are used.
        bfloat16: whether the networks compute in bfloat16; everything else is in the parameters'
            precision.
    """

    def __init__(self, gmvae: GMVAE, *, bfloat16: bool = False) -> None:
        super().__init__()
        self.in_bfloat16 = bfloat16
        model, guide = gmvae.model, gmvae.guide
        self.weights = gmvae.weights
        self.component_loc = model.component_loc
        self.component_raw_scale = model.component_raw_scale
        self.mixture_logits = model.mixture_logits
        decoder = cast(MLPDecoder, model.decoder)
        self.decoder = nn.Sequential(*decoder.layers, decoder.output)
        self.z_first = guide.z_head.from_features
        self.z_rest = nn.Sequential(*guide.z_head.layers, guide.z_head.output)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor: ...

    def networks(self) -> torch.autocast:
        """Return the context in which the networks run, in their precision."""
        device = self.component_loc.device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.in_bfloat16)

    def component_scale(self) -> Tensor:
        return softplus(self.component_raw_scale) + MIN_SCALE

    def log_p_y(self) -> Tensor:
        return self.mixture_logits.log_softmax(-1)

    def q_z(self, first: Tensor) -> tuple[Tensor, Tensor]:
        """Compute mean and scale of q(z|x,y) from the output of its first layer."""
        with self.networks():
            output = self.z_rest(first.relu())
        loc, raw_scale = output.to(self.component_loc.dtype).chunk(2, -1)
        return loc, softplus(raw_scale) + MIN_SCALE

    def reconstruction(self, z: Tensor, x: Tensor) -> Tensor:
        """Compute -log p(x|z)."""
        with self.networks():
            output = self.decoder(z)
        return -bits_log_prob(output.to(z.dtype), x)


class _WithClusters(HandWritten):
    """Compute the parts that the methods with a q(y|x) share."""

    def __init__(self, gmvae: GMVAE, *, bfloat16: bool = False) -> None:
        super().__init__(gmvae, bfloat16=bfloat16)
        guide = gmvae.guide
        self.y_net = nn.Sequential(*guide.cluster_encoder.layers, guide.y_head)
        self.z_from_y = guide.z_head.from_cluster.weight  # (H, K)

    def y_terms(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute log q(y|x), q(y|x), and the weighted KL(q(y|x) || p(y)) of the batch."""
        with self.networks():
            output = self.y_net(x)
        log_q = output.to(x.dtype).log_softmax(-1)
        q = log_q.exp()
        return log_q, q, self.weights.kl_weight * (q * (log_q - self.log_p_y())).sum()

    def per_cluster(self, first: Tensor, x: Tensor, p_loc: Tensor, p_scale: Tensor) -> Tensor:
        """Compute -log p(x|z) plus the weighted KL(q(z|x,y) || p(z|y)), with y in front."""
        loc, scale = self.q_z(first)
        z = loc + scale * torch.randn_like(scale)
        kl = gaussian_kl(loc, scale, p_loc, p_scale)
        return self.reconstruction(z, x) + self.weights.z_kl_weight * kl


class HandWrittenExact(_WithClusters):
    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        _, q, kl_y = self.y_terms(x)
        with self.networks():
            first = self.z_first(x) + self.z_from_y.t().unsqueeze(1)
        p_loc, p_scale = self.component_loc.unsqueeze(1), self.component_scale().unsqueeze(1)
        return (q.t() * self.per_cluster(first, x, p_loc, p_scale)).sum() + kl_y


class HandWrittenConcrete(_WithClusters):
    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        log_q, _, kl_y = self.y_terms(x)
        eps = torch.finfo(log_q.dtype).eps
        uniform = torch.rand_like(log_q).clamp(eps, 1 - eps)
        gumbel = -(-uniform.log()).log()
        y = ((log_q + gumbel) / self.weights.temperature).softmax(-1)
        with self.networks():
            first = self.z_first(x) + y @ self.z_from_y.t()
        p_loc, p_scale = y @ self.component_loc, y @ self.component_scale()
        return self.per_cluster(first, x, p_loc, p_scale).sum() + kl_y


class HandWrittenSparse(_WithClusters):
    def __init__(self, gmvae: GMVAE, *, bfloat16: bool = False) -> None:
        super().__init__(gmvae, bfloat16=bfloat16)
        self.n_likeliest: int = gmvae.guide.n_likeliest
        self.drawn_share: float = gmvae.guide.drawn_share

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        log_q, _, kl_y = self.y_terms(x)
        y, rows, weights = self.support(log_q.detach())
        # Only the rows whose drawn cluster has a weight go through the networks with it.
        data = torch.cat([torch.arange(len(x), device=x.device).repeat(len(y) - 1), rows])
        y_rows = torch.cat([y[:-1].flatten(), y[-1, rows]])
        x_rows = x[data]
        with self.networks():
            first = self.z_first(x_rows) + embedding(y_rows, self.z_from_y.t())
        loc, scale = self.q_z(first)
        noise = torch.randn(*y.shape, loc.shape[-1], dtype=loc.dtype, device=loc.device)
        z = loc + scale * torch.cat([noise[:-1].flatten(0, 1), noise[-1, rows]])
        kl = gaussian_kl(loc, scale, self.component_loc[y_rows], self.component_scale()[y_rows])
        f = self.reconstruction(z, x_rows) + self.weights.z_kl_weight * kl
        f_likely, f_drawn = f[: -len(rows)].view(len(y) - 1, len(x)), f[-len(rows) :]
        log_q_y = log_q.gather(-1, y.t()).t()
        q_likely, log_q_drawn = log_q_y[:-1].exp(), log_q_y[-1, rows]
        likely = (q_likely * f_likely).sum(0)
        rest = (1 - q_likely.sum(0)).clamp(min=0)
        baseline = (likely / q_likely.sum(0)).detach()
        above = f_drawn - baseline[rows]
        drawn = above + above.detach() * (log_q_drawn - log_q_drawn.detach())
        drawn = (weights * rest).detach()[rows] * drawn
        return (likely + baseline * rest).sum() + drawn.sum() + kl_y

    def support(self, log_q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Choose the likeliest clusters and draw one of the others.

        Returns:
            The clusters, shape ``(m + 1, B)``; the rows whose drawn cluster has a weight; and the
            weights of all rows, shape ``(B,)``.
        """
        likeliest = log_q.topk(self.n_likeliest, -1).indices
        tiny = torch.finfo(log_q.dtype).tiny
        exponential = -torch.rand_like(log_q).clamp(min=tiny).log()
        gumbel = -exponential.clamp(min=tiny).log()
        others = log_q.scatter(-1, likeliest, -torch.inf)
        drawn = (others + gumbel).argmax(-1, keepdim=True)
        n = ceil(self.drawn_share * len(log_q))
        if n < len(log_q):
            rows, weights = draw_subset(others.logsumexp(-1).exp().clamp(min=LEAST_SIZE), n)
        else:
            rows, weights = torch.arange(n, device=log_q.device), torch.ones_like(log_q[:, 0])
        return torch.cat([likeliest, drawn], -1).t(), rows, weights


class HandWrittenMarginal(HandWritten):
    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        with self.networks():
            first = self.z_first(x)
        loc, scale = self.q_z(first)
        z = loc + scale * torch.randn_like(scale)
        log_q = gaussian_log_prob(z, loc, scale)
        log_p = gaussian_log_prob(z.unsqueeze(1), self.component_loc, self.component_scale())
        # At weights of one this is log p(z) - log q(z|x).
        w, b = self.weights.kl_weight, self.weights.z_kl_weight
        inner = self.log_p_y() + b * (log_p - log_q.unsqueeze(-1)) / w
        return (self.reconstruction(z, x) - w * inner.logsumexp(-1)).sum()


def gaussian_kl(loc: Tensor, scale: Tensor, p_loc: Tensor, p_scale: Tensor) -> Tensor:
    ratio = (scale / p_scale).square()
    distance = ((loc - p_loc) / p_scale).square()
    return 0.5 * (ratio + distance - 1 - ratio.log()).sum(-1)


def gaussian_log_prob(z: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    half_log_2pi = 0.9189385332046727
    return -(0.5 * ((z - loc) / scale).square() + scale.log() + half_log_2pi).sum(-1)


def handwritten(gmvae: GMVAE, *, bfloat16: bool = False) -> HandWritten:
    """Make the plain torch module of ``gmvae``'s method on the same parameters."""
    classes: dict[str, type[HandWritten]] = {
        "exact": HandWrittenExact,
        "concrete": HandWrittenConcrete,
        "sparse": HandWrittenSparse,
        "marginal": HandWrittenMarginal,
    }
    return classes[gmvae.method](gmvae, bfloat16=bfloat16)
