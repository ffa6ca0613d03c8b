"""Build the networks of a table whose columns have laws of their own in each cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import ceil
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pyro_gmvae.likelihoods import Table, TableStructure, likelihood_class
from pyro_gmvae.networks import (
    GatedDecoder,
    PlacedHead,
    PlacedMixtureHead,
    RealCells,
    TableClusterEncoder,
    TableFeatures,
    linear,
)
from pyro_gmvae.networks.table import ignore_missing_flags

__all__ = ["apart", "check_table", "marginal_networks", "table_decoder", "table_networks"]

DISTANCE = 8.0  # standard deviations between clusters in z; 1 in 30,000 is nearer to a neighbour
MOST_SPREAD = 3  # axes that the clusters are spread along


def check_table(
    likelihood: Any, table: TableStructure, *, convolves: bool, own: bool, shared_trunk: bool
) -> None:
    """Refuse arguments that contradict the structure of a table.

    A table of real columns alone may have ``likelihood="gaussian"``, for its cells are normal.

    Raises:
        ValueError: for another likelihood, or networks that a table does not have.

    >>> table = TableStructure(("real", "levels:3"))
    >>> check_table("table", table, convolves=False, own=False, shared_trunk=False)
    >>> check_table("gaussian", table, convolves=False, own=False, shared_trunk=False)
    Traceback (most recent call last):
        ...
    ValueError: the structure of a table is for likelihood="table"
    """
    found = likelihood_class(likelihood) if isinstance(likelihood, str) else likelihood
    normal = likelihood == "gaussian" and len(table.layout.real) == len(table.layout)
    if not normal and not (isinstance(found, type) and issubclass(found, Table)):
        raise ValueError('the structure of a table is for likelihood="table"')
    if own or shared_trunk or convolves:
        raise ValueError(
            "the structure of a table brings networks of its own: leave out encoder, "
            "decoder, cluster_encoder, shared_trunk and conv"
        )


def apart(n_clusters: int, latent_dim: int) -> Float[Tensor, "K Z"]:
    """Place clusters on a grid around 0, eight standard deviations apart.

    >>> apart(3, 1).flatten().tolist()
    [0.0, -8.0, 8.0]
    """
    axes = min(latent_dim, MOST_SPREAD)
    reach = ceil((ceil(n_clusters ** (1 / axes)) + 1) / 2)
    points = sorted(product(range(-reach, reach + 1), repeat=axes), key=_norm)[:n_clusters]
    places = torch.zeros(n_clusters, latent_dim)
    places[:, :axes] = torch.tensor([[DISTANCE * i for i in point] for point in points])
    return places


def _norm(point: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    return sum(i * i for i in point), point


def table_decoder(options: Mapping[str, Any], n_clusters: int, latent_dim: int) -> nn.Module:
    """Build the decoder: linear within each cluster, or with hidden layers.

    >>> options = {"table": TableStructure(("real", "levels:3")), "hidden": (5,)}
    >>> decoder = table_decoder(options, n_clusters=4, latent_dim=2)
    >>> decoder.output_shape  # a mean, a scale and three logits
    (5,)
    """
    table = options["table"]
    layout = table.layout
    hidden = None if table.linear else options["hidden"]
    return GatedDecoder(latent_dim, n_clusters, layout.n_central, layout.n_outputs, hidden)


def table_networks(options: Mapping[str, Any], n_clusters: int, latent_dim: int) -> dict[str, Any]:
    """Build the networks of a guide that infers the cluster, as `Guide` takes them.

    >>> table = TableStructure(("real", "levels:3"))
    >>> options = {"table": table, "hidden": (5,), "label_weight": 50.0}
    >>> networks = table_networks(options, n_clusters=4, latent_dim=2)
    >>> features = networks["cluster_encoder"](torch.zeros(8, 2))
    >>> networks["y_head"](features).shape  # a logit for each cluster
    torch.Size([8, 4])
    """
    table, hidden = options["table"], options["hidden"]
    encoder, clusters = _encoder(table), _cluster_encoder(table, hidden)
    size, cells = TableFeatures(table.layout).size, _n_cells(table)
    z_head = PlacedHead(size, n_clusters, hidden, latent_dim, n_cells=cells)
    ignore_missing_flags(z_head.from_features, len(table.layout))
    return {
        "encoder": encoder,
        "cluster_encoder": clusters,
        "y_head": linear(clusters.statistics.size + hidden[-1], n_clusters),
        "z_head": z_head,
        "label_weight": options["label_weight"],
    }


def marginal_networks(
    options: Mapping[str, Any], n_clusters: int, latent_dim: int
) -> dict[str, Any]:
    """Build the networks of a guide that infers z alone, as `MarginalGuide` takes them.

    >>> options = {"table": TableStructure(("real", "levels:3")), "hidden": (5,)}
    >>> networks = marginal_networks(options, n_clusters=4, latent_dim=2)
    >>> head = networks["z_head"]
    >>> head.components = lambda: (torch.zeros(4, 2), torch.ones(4, 2))  # those of the model
    >>> loc, scale = head(networks["encoder"](torch.zeros(8, 2)))
    >>> loc.shape, scale.shape
    (torch.Size([8, 2]), torch.Size([8, 2]))

    """
    table, hidden = options["table"], options["hidden"]
    encoder, clusters = _encoder(table), _cluster_encoder(table, hidden)
    size, cells = TableFeatures(table.layout).size, _n_cells(table)
    n_first = clusters.statistics.size + hidden[-1]
    z_head = PlacedMixtureHead(n_first, size, n_clusters, hidden, latent_dim, n_cells=cells)
    ignore_missing_flags(z_head.within.from_features, len(table.layout))
    return {"encoder": _Beside(clusters, encoder), "z_head": z_head}


def _n_cells(table: TableStructure) -> int:
    """Count the real cells that the style depends on linearly in each cluster."""
    return len(table.layout.real) if table.correlated else 0


def _encoder(table: TableStructure) -> nn.Module:
    features = TableFeatures(table.layout)
    return _Beside(features, RealCells(table.layout)) if table.correlated else features


def _cluster_encoder(table: TableStructure, hidden: Sequence[int]) -> TableClusterEncoder:
    return TableClusterEncoder(table.layout, hidden, correlated=table.correlated)


class _Beside(nn.Module):
    """Join what two encoders say of the same rows."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch F"]:
        return torch.cat([self.first(x), self.second(x)], -1)
