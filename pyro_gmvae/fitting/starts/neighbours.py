"""Find the nearest neighbours of rows, clusters that join them, and what clusters they share."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

__all__ = [
    "LANDMARKS",
    "MOST_NEIGHBOURS",
    "followed",
    "nearest",
    "pieces",
    "separation_cost",
    "shared_information",
    "spectral_clusters",
]

MOST_NEIGHBOURS = 10
LANDMARKS = 5_000  # rows whose graph is cut; the others follow their neighbours among these
SMALLEST_SHARE = 1e-4  # of neighbours in other clusters, so that a cost is finite


def nearest(x: Float[Tensor, "N R"], count: int = MOST_NEIGHBOURS) -> Int64[Tensor, "N count"]:
    """Return the nearest other rows of each row, fewer where there are fewer.

    >>> nearest(torch.tensor([[0.0], [1.0], [5.0]]), 1).flatten().tolist()
    [1, 0, 1]
    """
    from sklearn.neighbors import NearestNeighbors

    count = min(count, len(x) - 1)
    found = NearestNeighbors(n_neighbors=count).fit(x.numpy()).kneighbors(return_distance=False)
    return torch.from_numpy(found).long()


def pieces(neighbours: Int64[Tensor, "N count"]) -> Int64[Tensor, " N"]:
    """Return the piece of the graph of neighbours that each row is in, counted from 0.

    >>> pieces(torch.tensor([[1], [0], [3], [2]])).tolist()
    [0, 0, 1, 1]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n, count = neighbours.shape
    edges = (np.ones(n * count), neighbours.flatten().numpy(), np.arange(n + 1) * count)
    _, found = connected_components(csr_array(edges, shape=(n, n)), directed=False)
    return torch.from_numpy(found).long()


def spectral_clusters(
    x: Float[Tensor, "N R"], n_clusters: int, *, seed: int
) -> Int64[Tensor, " N"] | None:
    """Cut the graph of nearest neighbours into clusters, or return None where it has none to cut.

    A spectral clustering (von Luxburg 2007, arXiv 0711.0189) finds groups of any shape, as long as
    few rows lie between them. Beyond 5,000 rows, 5,000 drawn ones are cut, and each other row gets
    the cluster that most of its neighbours among them have.

    Args:
        x: rows, in float64.
        n_clusters: K.
        seed: the seed of what is drawn.

    >>> x = torch.arange(60.0, dtype=torch.float64).unsqueeze(-1)
    >>> x[30:] += 1_000  # two groups of 30 rows
    >>> found = spectral_clusters(x, 2, seed=0)
    >>> [part.unique().numel() for part in (found, found[:30], found[30:])]
    [2, 1, 1]
    """
    from sklearn.cluster import SpectralClustering

    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    landmarks = x[order[:LANDMARKS]].numpy()
    if len(landmarks) <= max(MOST_NEIGHBOURS, n_clusters + 1):
        return None
    cut = SpectralClustering(
        n_clusters,
        affinity="nearest_neighbors",
        n_neighbors=MOST_NEIGHBOURS,
        random_state=seed % 2**32,
    )
    with warnings.catch_warnings():
        # A graph in several pieces is cut between them, which is what is wanted.
        warnings.simplefilter("ignore", UserWarning)
        try:
            found = cut.fit_predict(landmarks)
        except (np.linalg.LinAlgError, ValueError, RuntimeError):
            return None  # the eigenvectors of some graphs are not found, such as that of equal rows
    clusters = torch.empty(len(x), dtype=torch.long)
    clusters[order[:LANDMARKS]] = torch.from_numpy(found).long()
    if len(x) > LANDMARKS:
        seen, rest = order[:LANDMARKS], order[LANDMARKS:]
        clusters[rest] = followed(x[seen], clusters[seen], x[rest], MOST_NEIGHBOURS)
    return clusters


def followed(
    x: Float[Tensor, "N R"],
    clusters: Int64[Tensor, " N"],
    others: Float[Tensor, "M R"],
    count: int,
) -> Int64[Tensor, " M"]:
    """Give each of the other rows the cluster that most of its nearest rows ``x`` have.

    >>> x, clusters = torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([2, 2, 1])
    >>> followed(x, clusters, torch.tensor([[0.4], [8.0]]), 1).tolist()
    [2, 1]
    """
    from sklearn.neighbors import KNeighborsClassifier

    near = KNeighborsClassifier(count).fit(x.numpy(), clusters.numpy())
    return torch.from_numpy(near.predict(others.numpy())).long()


def separation_cost(
    clusters: Int64[Tensor, "*batch N"], neighbours: Int64[Tensor, "N count"]
) -> Float[Tensor, "*batch N"]:
    r"""Return what it costs to tell whether each row's neighbours share its cluster, in nats.

    With c the share of all pairs of neighbours that two clusters divide, a pair that shares a
    cluster costs :math:`-\log(1 - c)` and another one :math:`-\log c`. Clusters with few rows
    between them cost little. The mean over rows is the entropy of the event.

    >>> near = torch.tensor([[1], [0], [3], [2]])
    >>> separation_cost(torch.tensor([0, 0, 1, 1]), near).max() < 0.001
    tensor(True)
    >>> separation_cost(torch.tensor([0, 1, 0, 0]), near)  # both rows of one pair disagree
    tensor([0.6931, 0.6931, 0.6931, 0.6931], dtype=torch.float64)
    """
    divided = (clusters[..., neighbours] != clusters.unsqueeze(-1)).double().mean(-1)
    share = divided.mean(-1, keepdim=True).clamp(SMALLEST_SHARE, 1 - SMALLEST_SHARE)
    return -(divided * share.log() + (1 - divided) * (1 - share).log())


def shared_information(
    clusters: Int64[Tensor, " N"], neighbours: Int64[Tensor, "N count"]
) -> float:
    r"""Return the mutual information of the clusters of two neighbours, in nats.

    .. math:: I(y; y') = \sum_{y y'} p(y, y') \log \frac{p(y, y')}{p(y)\, p(y')}

    p(y, y') counts all pairs of neighbours, in both orders. Clusters that neighbours share have
    much of it, and so have many clusters of like sizes; one large cluster with a few outliers has
    hardly any. No number of rows in a cluster is wanted in advance.

    >>> near = torch.tensor([[1], [0], [3], [2]])
    >>> round(shared_information(torch.tensor([0, 0, 1, 1]), near), 4)  # log 2
    0.6931
    >>> shared_information(torch.tensor([0, 1, 0, 1]), near) > 0.69  # neighbours always differ
    True
    >>> shared_information(torch.tensor([0, 0, 0, 0]), near)
    0.0
    """
    own, other = (
        clusters.unsqueeze(-1).expand_as(neighbours).flatten(),
        clusters[neighbours].flatten(),
    )
    ends = torch.stack([torch.cat([own, other]), torch.cat([other, own])])
    pairs, counts = ends.unique(dim=1, return_counts=True)
    joint, alone = counts.double() / ends.shape[1], ends[0].bincount().double() / ends.shape[1]
    return float((joint * (joint / alone[pairs].prod(0)).log()).sum())
