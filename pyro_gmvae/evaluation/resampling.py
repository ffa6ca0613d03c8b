"""Check whether the clusters of one clustering come back when the data are resampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation.stability import verdict
from pyro_gmvae.evaluation.weighting import weighted_ari, weighted_sizes

__all__ = ["ClusterStability", "best_jaccard", "cluster_stability"]


@dataclass(frozen=True, eq=False)
class ClusterStability:
    """Hold how well the clusters of one clustering are found in R other ones of the same N data.

    Attributes:
        jaccard: Jaccard index of each cluster with the most similar cluster of each other
            clustering, shape ``(R, K)``; 0 for an empty cluster.
        ari: adjusted Rand index with each other clustering, shape ``(R,)``.
        sizes: number of data in each cluster, or the sum of their weights, shape ``(K,)``.
        n: number of data; None is the sum of the sizes.

    >>> labels, other = torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 1, 0])
    >>> cluster_stability(labels, [other], n_clusters=2).jaccard
    tensor([[0.6667, 0.5000]], dtype=torch.float64)
    """

    jaccard: Float[Tensor, "R K"]
    ari: Float[Tensor, " R"]
    sizes: Num[Tensor, " K"]
    n: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON, without empty clusters."""
        mean, least = self.jaccard.mean(0), self.jaccard.amin(0)
        return {
            "n": int(self.sizes.sum()) if self.n is None else self.n,
            "resamples": len(self.ari),
            "mean_ari": self.ari.mean().item(),
            "min_ari": self.ari.min().item(),
            "ari": self.ari.tolist(),
            "clusters": [
                {
                    "cluster": k,
                    "size": size.item(),
                    "jaccard": mean[k].item(),
                    "least": least[k].item(),
                    "verdict": verdict(mean[k]),
                }
                for k, size in enumerate(self.sizes)
                if size
            ],
        }


def cluster_stability(
    labels: Int64[Tensor, " N"],
    others: Sequence[Int64[Tensor, " N"]],
    n_clusters: int,
    weights: Float[Tensor, " N"] | None = None,
) -> ClusterStability:
    """Find the best match of each cluster in every other clustering (clusterwise stability).

    Matches are not one to one: two clusters that are merged in another clustering both match the
    merged cluster.

    Args:
        labels: the clustering to judge, shape ``(N,)``; the result has its cluster numbers.
        others: clusterings of the same data, for example by models of resampled data.
        n_clusters: K of ``labels``.
        weights: how much each datum counts; None if all count alike.

    Raises:
        InputError: if ``others`` is empty.

    Reference: Hennig 2007, Cluster-wise assessment of cluster stability, Computational Statistics
    and Data Analysis 52.

    >>> labels = torch.tensor([0, 0, 1, 1])
    >>> result = cluster_stability(labels, [labels, 1 - labels], n_clusters=2)
    >>> result.jaccard.tolist()  # both clusters come back, whatever their numbers
    [[1.0, 1.0], [1.0, 1.0]]
    """
    if not others:
        raise InputError("there is no clustering of a resample to compare with: make one or more")
    return ClusterStability(
        jaccard=torch.stack([best_jaccard(labels, each, n_clusters, weights) for each in others]),
        ari=torch.tensor(
            [weighted_ari(labels, each, weights) for each in others], dtype=torch.float64
        ),
        sizes=weighted_sizes(labels, n_clusters, weights),
        n=len(labels),
    )


def best_jaccard(
    labels: Int64[Tensor, " N"],
    others: Int64[Tensor, " N"],
    n_clusters: int,
    weights: Float[Tensor, " N"] | None = None,
) -> Float[Tensor, " K"]:
    """Compute the largest Jaccard index with a cluster of ``others``, for each cluster.

    With weights, sums of weights take the place of numbers of data.

    >>> best_jaccard(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1]), n_clusters=2)
    tensor([0.6667, 0.5000], dtype=torch.float64)
    """
    first, second = one_hot(labels, n_clusters).double(), one_hot(others).double()
    counted = first if weights is None else first * weights.double().unsqueeze(-1)
    sizes = second if weights is None else second * weights.double().unsqueeze(-1)
    both = counted.T @ second
    either = counted.sum(0).unsqueeze(-1) + sizes.sum(0) - both
    return (both / either.where(either > 0, 1.0)).amax(-1)
