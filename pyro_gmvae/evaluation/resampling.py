"""Whether the clusters of one clustering come back when the data are drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation.stability import verdict

__all__ = ["ClusterStability", "best_jaccard", "cluster_stability"]


@dataclass(frozen=True, eq=False)
class ClusterStability:
    """How well R further clusterings of the same N data have the clusters of a first one.

    Attributes:
        jaccard: of each cluster of the first, the Jaccard index with the cluster of another that is
            most like it, shape ``(R, K)``; 0 for an empty one.
        ari: adjusted Rand index of the first with each other, shape ``(R,)``.
        sizes: data in each cluster of the first, shape ``(K,)``.
    """

    jaccard: Float[Tensor, "R K"]
    ari: Float[Tensor, " R"]
    sizes: Int64[Tensor, " K"]

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON; empty clusters are left out."""
        mean, least = self.jaccard.mean(0), self.jaccard.amin(0)
        return {
            "n": int(self.sizes.sum()),
            "resamples": len(self.ari),
            "mean_ari": self.ari.mean().item(),
            "min_ari": self.ari.min().item(),
            "ari": self.ari.tolist(),
            "clusters": [
                {
                    "cluster": k,
                    "size": int(size),
                    "jaccard": mean[k].item(),
                    "least": least[k].item(),
                    "verdict": verdict(mean[k]),
                }
                for k, size in enumerate(self.sizes)
                if size
            ],
        }


def cluster_stability(
    labels: Int64[Tensor, " N"], others: Sequence[Int64[Tensor, " N"]], n_clusters: int
) -> ClusterStability:
    """Clusterwise stability: the best match of each cluster in every other clustering.

    Matches are not one to one: a cluster that has been merged with another finds the two.

    Args:
        labels: the clustering that is judged; its numbers are those of the report.
        others: clusterings of the same data, such as by models of resampled data.
        n_clusters: K of ``labels``.

    Raises:
        InputError: without another clustering.

    Reference: Hennig 2007, Cluster-wise assessment of cluster stability, Computational Statistics
    and Data Analysis 52.
    """
    from sklearn.metrics import adjusted_rand_score

    if not others:
        raise InputError("there is no clustering of a resample to compare with: make one or more")
    return ClusterStability(
        jaccard=torch.stack([best_jaccard(labels, each, n_clusters) for each in others]),
        ari=torch.tensor(
            [adjusted_rand_score(labels.numpy(), each.numpy()) for each in others],
            dtype=torch.float64,
        ),
        sizes=labels.bincount(minlength=n_clusters),
    )


def best_jaccard(
    labels: Int64[Tensor, " N"], others: Int64[Tensor, " N"], n_clusters: int
) -> Float[Tensor, " K"]:
    """For each cluster the largest |A and B| / |A or B| over the clusters B of ``others``."""
    first, second = one_hot(labels, n_clusters).double(), one_hot(others).double()
    both = first.T @ second
    either = first.sum(0).unsqueeze(-1) + second.sum(0) - both
    return (both / either.clamp(min=1)).amax(-1)
