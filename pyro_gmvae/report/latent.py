"""Lay the rows out in two dimensions of the latent space."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from pyro_gmvae.data import Dataset
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.segments.explanation.explain import Explanation

__all__ = ["LatentMap", "Point", "latent_map"]

MOST_POINTS = 1_500


@dataclass(frozen=True)
class Point:
    """Hold a row on the map.

    Attributes:
        row: its place in the data.
        cluster, probability: its likeliest cluster, with the responsibility.
        x, y: where it is, from 0 to 1.

    >>> Point(row=7, cluster=2, probability=0.9, x=0.25, y=0.5).cluster
    2
    """

    row: int
    cluster: int
    probability: float
    x: float
    y: float


@dataclass(frozen=True)
class LatentMap:
    """Hold a map of rows by the two directions in which their latents vary most.

    Attributes:
        points: the rows.
        explained: the share of the variance of E[z] that the two directions have.
        latent_dim: Z.

    >>> points = (Point(row=7, cluster=2, probability=0.9, x=0.25, y=0.5),)
    >>> LatentMap(points, explained=0.8, latent_dim=4).to_dict()["points"][0]["row"]
    7
    """

    points: tuple[Point, ...]
    explained: float
    latent_dim: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"points": [asdict(point) for point in self.points]}


def latent_map(
    fitted: FittedModel, data: Dataset, explanation: Explanation, *, seed: int = 0
) -> LatentMap:
    """Map up to 1,500 rows, drawn without replacement, by the principal components of E[z].

    Both axes have the same unit. A model of one latent dimension has all points on a line.

    Args:
        fitted: the model.
        data: rows that conform to it.
        explanation: the clusters of these rows.
        seed: fixes which rows are drawn.

    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> from pyro_gmvae.segments.explanation.explain import explain
    >>> found = latent_map(fitted, data, explain(fitted, data))
    >>> len(found.points), found.latent_dim
    (20, 1)
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    rows = order[:MOST_POINTS].sort().values
    drawn = data.subset(rows)
    z = fitted.embed(drawn.x, drawn.w).double().numpy()
    centred = z - z.mean(0)
    _, size, directions = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ directions[:2].T
    flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    # A direction has no sign of its own: the largest coordinate is positive.
    signs = np.sign(flat[np.abs(flat).argmax(0), [0, 1]])
    flat = flat * np.where(signs == 0, 1.0, signs)
    low, high = flat.min(0), flat.max(0)
    unit = float((high - low).max()) or 1.0
    at = 0.5 + (flat - (low + high) / 2) / unit
    total = float((size**2).sum())
    chosen = rows.numpy()
    cluster, probability = explanation.likeliest[chosen], explanation.probability[chosen]
    places = rows if data.places is None else data.places[rows]
    each = zip(
        places.tolist(), cluster.tolist(), probability.tolist(), at.round(4).tolist(), strict=True
    )
    points = tuple(Point(row, k, p, x, y) for row, k, p, (x, y) in each)
    explained = float((size[:2] ** 2).sum()) / total if total else 1.0
    return LatentMap(points, explained, z.shape[1])
