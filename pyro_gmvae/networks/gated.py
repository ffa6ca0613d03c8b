"""Let clusters lie far apart in z, so that z tells the cluster, and a decoder may go by it.

The model stays y -> z -> x. A decoder that sees the model's own p(y|z) beside z can give each
cluster laws of its own, so that the GMVAE contains every mixture of them. Heads place z within
its cluster: by how many of the cluster's standard deviations it is off the cluster's mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pyro_gmvae.networks.gates import Gates
from pyro_gmvae.networks.heads import GaussianHead
from pyro_gmvae.networks.initial import normal
from pyro_gmvae.networks.mlp import linear, mlp

__all__ = ["ClusterLine", "GatedDecoder", "PlacedHead", "PlacedMixtureHead", "Gating"]

GAIN = 5.0  # Adam moves a weight by its rate a step, and loadings grow from 0 to about 1

# Says which clusters each of B styles, shape (B, Z), lies in or near.
Gating = Callable[[Tensor], Gates]
# Gives mu and sigma of p(z|y), shape (K, Z) each.
Components = Callable[[], tuple[Tensor, Tensor]]


class GatedDecoder(nn.Module):
    r"""Decode z to the parameters of a cluster, and to how they vary with the style within it.

    .. math:: \mathrm{output}(z) = \sum_y p(y|z) \, \big(a_y + f(u_y, y)\big), \qquad
        u_y = (z - \mu_y) / \sigma_y

    f acts on the central outputs alone (means, log rates, logits), so that scales belong to
    clusters. It is linear for each y, and may have a network of hidden layers beside, which sees
    the mean style and p(y|z). With the network alone, q(z|x,y) falls to p(z|y) before the network
    has learned to use it. What is learned of a central output is in units of its cluster: a step
    of an optimiser should not carry a mean across a cluster that is far narrower than its column.

    Args:
        latent_dim: Z.
        n_clusters: K.
        n_central: number of the first outputs, which vary with the style.
        n_outputs: number of outputs.
        hidden: sizes of the hidden layers; None has none.

    Attributes:
        gates: gives p(y|z) and u_y of the clusters near z; the pair sets it to the model's method.
        anchor: the parameters that each cluster began with, shape ``(K, outputs)``.
        unit: the units in which what is learned beyond them counts, of the same shape.

    >>> decoder = GatedDecoder(latent_dim=2, n_clusters=3, n_central=4, n_outputs=5)
    >>> decoder.gates = lambda z: Gates(torch.ones(7, 3) / 3, z.unsqueeze(-2).expand(-1, 3, -1))
    >>> decoder(torch.zeros(7, 2)).shape
    torch.Size([7, 5])
    """

    gates: Gating
    anchor: Tensor
    unit: Tensor
    component_dims: Mapping[str, int]

    def __init__(
        self,
        latent_dim: int,
        n_clusters: int,
        n_central: int,
        n_outputs: int,
        hidden: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.output_shape = (n_outputs,)
        self.n_central = n_central
        self.centre = nn.Parameter(normal(n_clusters, n_outputs, scale=0.1))
        self.loading = nn.Parameter(normal(n_clusters, latent_dim, n_central, scale=0.1))
        self.register_buffer("anchor", torch.zeros(n_clusters, n_outputs))
        self.register_buffer("unit", torch.ones(n_clusters, n_outputs))
        self.component_dims = {"centre": 0, "loading": 0, "anchor": 0, "unit": 0}
        self.bends = hidden is not None
        if hidden is not None:
            self.from_style = linear(latent_dim, hidden[0])
            self.from_cluster = linear(n_clusters, hidden[0], bias=False)
            self.layers = mlp(hidden)
            self.output = linear(hidden[-1], n_central)
            self.component_dims["from_cluster.weight"] = 1

    def forward(self, z: Float[Tensor, "*batch Z"]) -> Float[Tensor, "*batch output"]:
        gates = self.gates(z.reshape(-1, z.shape[-1]))
        output = gates.mix(self.anchor + self.unit * self.centre)
        unit = self.unit[:, : self.n_central]
        style = gates.mix_styles(GAIN * self.loading * unit.unsqueeze(1))
        if self.bends:
            cluster = gates.mix(self.from_cluster.weight.T)
            first = self.from_style(gates.weighted.sum(-2)) + cluster
            style = style + gates.mix(unit) * self.output(self.layers(torch.relu(first)))
        rest = output.shape[-1] - self.n_central
        output = output + nn.functional.pad(style, (0, rest))
        return output.view(*z.shape[:-1], -1)

    def begin_at(
        self,
        centre: Float[Tensor, "K output"],
        unit: Float[Tensor, "K output"] | None = None,
        loading: Float[Tensor, "K Z central"] | None = None,
    ) -> None:
        """Give each cluster its parameters, and how the style changes them at first.

        Args:
            centre: the parameters.
            unit: the units in which training moves them; 1 for all if None.
            loading: the change of the central outputs with each dimension of the style; None is 0.
        """
        with torch.no_grad():
            self.anchor.copy_(centre)
            self.unit.copy_(torch.ones_like(centre) if unit is None else unit)
            self.centre.zero_()
            if loading is None:
                self.loading.zero_()
            else:
                self.loading.copy_(loading / (GAIN * self.unit[:, None, : self.n_central]))
            if self.bends:
                self.output.weight.zero_()
                self.output.bias.zero_()


class ClusterLine(nn.Module):
    r"""Give each cluster a linear map from the real cells to the style, and a spread of it.

    .. math:: m_y(x) = A_y^T x + b_y

    In a mixture of Gaussians q(z|x,y) is exact so. Training changes A and b in units of the
    spread.

    Args:
        n_clusters: K.
        n_cells: R, the number of real cells.
        latent_dim: Z.

    >>> line = ClusterLine(n_clusters=3, n_cells=4, latent_dim=2)
    >>> [part.shape for part in line(torch.zeros(5, 4), torch.eye(3).unsqueeze(1))]
    [torch.Size([3, 5, 2]), torch.Size([3, 1, 2])]
    """

    component_dims: ClassVar[Mapping[str, int]] = dict.fromkeys(
        ("slope", "level", "spread", "slope_change", "level_change"), 0
    )
    slope: Tensor
    level: Tensor
    spread: Tensor

    def __init__(self, n_clusters: int, n_cells: int, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("slope", torch.zeros(n_clusters, n_cells, latent_dim))
        self.register_buffer("level", torch.zeros(n_clusters, latent_dim))
        self.register_buffer("spread", torch.ones(n_clusters, latent_dim))
        self.slope_change = nn.Parameter(torch.zeros(n_clusters, n_cells, latent_dim))
        self.level_change = nn.Parameter(torch.zeros(n_clusters, latent_dim))

    def forward(
        self, cells: Float[Tensor, "*batch R"], y: Float[Tensor, "*any K"]
    ) -> tuple[Float[Tensor, "*batch_z Z"], Float[Tensor, "*any Z"]]:
        slope = self.slope + self.spread.unsqueeze(1) * self.slope_change
        level = self.level + self.spread * self.level_change
        chosen = (y @ slope.flatten(1)).view(*y.shape[:-1], *slope.shape[1:])
        return (cells.unsqueeze(-2) @ chosen).squeeze(-2) + y @ level, y @ self.spread

    def around(
        self, cells: Tensor, y: Tensor, offset: Tensor, spread: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return mean and scale of the style, whose differences are in units of the spread."""
        mean, unit = self(cells, y)
        return mean + unit * offset, unit * spread

    def begin_at(
        self,
        slope: Float[Tensor, "K R Z"],
        level: Float[Tensor, "K Z"],
        spread: Float[Tensor, "K Z"],
    ) -> None:
        """Give each cluster its map and spread."""
        with torch.no_grad():
            self.slope.copy_(slope)
            self.level.copy_(level)
            self.spread.copy_(spread)
            self.slope_change.zero_()
            self.level_change.zero_()


class PlacedHead(GaussianHead):
    r"""Infer z within its cluster: the mean of q(z|x,y) is mu_y + sigma_y m(x, y).

    Its standard deviation is sigma_y s(x, y). With m = 0 and s = 1 it is p(z|y). With a number of
    real cells, which are the last features, m and s begin at a `ClusterLine`, and the hidden layers
    say how they differ from it, in units of its spread.

    Args:
        in_features, n_clusters, hidden, latent_dim: the arguments of `GaussianHead`.
        n_cells: R, the number of real cells after the features, or 0.

    Attributes:
        components: gives mu and sigma; the pair sets it to the model's method.

    >>> head = PlacedHead(in_features=8, n_clusters=3, hidden=(16,), latent_dim=2)
    >>> head.components = lambda: (torch.zeros(3, 2), torch.ones(3, 2))
    >>> head(torch.zeros(5, 8), torch.eye(3).unsqueeze(1))[0].shape
    torch.Size([3, 5, 2])
    """

    components: Components

    def __init__(
        self,
        in_features: int,
        n_clusters: int,
        hidden: Sequence[int],
        latent_dim: int,
        *,
        n_cells: int = 0,
    ) -> None:
        super().__init__(in_features, n_clusters, hidden, latent_dim)
        self.in_features = in_features
        self.line = ClusterLine(n_clusters, n_cells, latent_dim) if n_cells else None

    def forward(
        self, features: Float[Tensor, "*batch F"], y: Float[Tensor, "*any K"] | None = None
    ) -> tuple[Float[Tensor, "*batch_z Z"], Float[Tensor, "*batch_z Z"]]:
        assert y is not None
        offset, spread = super().forward(features[..., : self.in_features], y)
        if self.line is not None:
            offset, spread = self.line.around(features[..., self.in_features :], y, offset, spread)
        loc, scale = self.components()
        scale = y @ scale
        return y @ loc + scale * offset, scale * spread


class PlacedMixtureHead(nn.Module):
    r"""Infer z without a cluster, for the marginal method: near the clusters that x suggests.

    The mean of q(z|x) is that of :math:`\sum_y r_y(x) (\mu_y + \sigma_y m(x))`, where r is the
    softmax of a linear layer of the first features, and m a `GaussianHead` of the others.

    Args:
        n_cluster_features: number of the first features.
        in_features: number of the other features.
        n_clusters: K.
        hidden, latent_dim: as in `GaussianHead`.
        n_cells: as in `PlacedHead`.

    >>> head = PlacedMixtureHead(4, 8, n_clusters=3, hidden=(16,), latent_dim=2)
    >>> head.components = lambda: (torch.zeros(3, 2), torch.ones(3, 2))
    >>> head(torch.zeros(5, 12))[0].shape
    torch.Size([5, 2])
    """

    component_dims: ClassVar[Mapping[str, int]] = {"y_head.weight": 0, "y_head.bias": 0}
    components: Components

    def __init__(
        self,
        n_cluster_features: int,
        in_features: int,
        n_clusters: int,
        hidden: Sequence[int],
        latent_dim: int,
        *,
        n_cells: int = 0,
    ) -> None:
        super().__init__()
        self.n_cluster_features = n_cluster_features
        self.in_features = in_features
        self.y_head = linear(n_cluster_features, n_clusters)
        self.within = GaussianHead(in_features, 0, hidden, latent_dim)
        self.line = ClusterLine(n_clusters, n_cells, latent_dim) if n_cells else None

    @property
    def output(self) -> nn.Linear:
        """Return the last layer of m and its scale."""
        return self.within.output

    def forward(
        self, features: Float[Tensor, "*batch F"], tilt: Float[Tensor, "*batch K"] | None = None
    ) -> tuple[Float[Tensor, "*batch Z"], Float[Tensor, "*batch Z"]]:
        """Compute mean and standard deviation of z; a tilt is added to the logits of r."""
        logits = self.y_head(features[..., : self.n_cluster_features])
        r = (logits if tilt is None else logits + tilt).softmax(-1)
        rest = features[..., self.n_cluster_features :]
        offset, spread = self.within(rest[..., : self.in_features])
        if self.line is not None:
            offset, spread = self.line.around(rest[..., self.in_features :], r, offset, spread)
        loc, scale = self.components()
        scale = r @ scale
        return r @ loc + scale * offset, scale * spread
