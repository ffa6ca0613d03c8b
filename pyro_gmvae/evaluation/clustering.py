"""Measure how the clusters are used and how well they agree with known classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation.weighting import weighted_mean, weighted_sizes

__all__ = ["ClusterUsage", "ClusteringScores", "cluster_usage", "clustering_scores"]


@dataclass(frozen=True, eq=False)
class ClusterUsage:
    r"""Summarise how many clusters are used and how certain the assignments are.

    A likelihood does not show this: a model with one cluster for all data may have the best one.

    Attributes:
        clusters_in_use: number of clusters that are the likeliest one of at least one datum.
        share: share of the data for which each cluster is the likeliest, shape ``(K,)``.
        entropy_y: H of the mean q(y|x), in nats; log K if all clusters are used alike, 0 if only
            one is used.
        entropy_y_given_x: mean H(q(y|x)), in nats; 0 if every datum is assigned with certainty.
        mutual_information: I(x;y), the difference of the two entropies, in nats.

    >>> usage = cluster_usage(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    >>> usage.clusters_in_use, round(usage.mutual_information, 4)  # log 2
    (2, 0.6931)
    """

    clusters_in_use: int
    share: Float[Tensor, " K"]
    entropy_y: float
    entropy_y_given_x: float
    mutual_information: float


@dataclass(frozen=True)
class ClusteringScores:
    """Score the agreement of clusters with known classes, whatever the clusters' numbers.

    Attributes:
        accuracy: share of data in the right class under the best one-to-one matching of clusters
            with classes. If there are more clusters than classes, the others match no class.
        purity: share of data in the class that is the most frequent one in their cluster. It tells
            whether clusters mix classes, also where several clusters share a class; more clusters
            raise it by chance.
        nmi: normalised mutual information (arithmetic mean), between 0 and 1.
        ari: adjusted Rand index, 0 in expectation for random clusters, 1 for perfect ones.
        n_labelled: number of data with a label; the scores are those of these data.

    >>> scores = clustering_scores(torch.tensor([0, 0, 1, -1]), torch.tensor([2, 2, 0, 1]))
    >>> scores.accuracy, scores.n_labelled
    (1.0, 3)
    """

    accuracy: float
    purity: float
    nmi: float
    ari: float
    n_labelled: int


def cluster_usage(
    responsibilities: Float[Tensor, "N K"], weights: Float[Tensor, " N"] | None = None
) -> ClusterUsage:
    """Summarise how the clusters are used.

    Args:
        responsibilities: q(y|x), shape ``(N, K)``.
        weights: how much each datum counts; None if all count alike.

    Raises:
        InputError: if there are no data.

    >>> usage = cluster_usage(torch.eye(3)[[0, 0, 0, 2]])
    >>> usage.clusters_in_use, usage.share.tolist()
    (2, [0.75, 0.0, 0.25])
    """
    if len(responsibilities) == 0:
        raise InputError("There are no data to evaluate.")
    q = responsibilities.double()
    sizes = weighted_sizes(q.argmax(-1), q.shape[-1], weights)
    entropy_y = torch.special.entr(weighted_mean(q, weights)).sum().item()
    entropy_y_given_x = weighted_mean(torch.special.entr(q).sum(-1), weights).item()
    return ClusterUsage(
        clusters_in_use=int((sizes > 0).sum()),
        share=sizes / sizes.sum(),
        entropy_y=entropy_y,
        entropy_y_given_x=entropy_y_given_x,
        # The entropy is concave, so only rounding can make the difference negative.
        mutual_information=max(0.0, entropy_y - entropy_y_given_x),
    )


def clustering_scores(
    labels: Int[Tensor, " labels"], clusters: Int[Tensor, " N"]
) -> ClusteringScores:
    """Compare clusters with labels, leaving out data whose label is missing.

    The Hungarian method on the contingency table finds the matching for ``accuracy``.

    Args:
        labels: known classes, shape ``(N,)``, negative where missing.
        clusters: cluster of each datum, shape ``(N,)``.

    Raises:
        InputError: if the lengths differ or there is no label at all.

    >>> labels, clusters = torch.tensor([0, 0, 1, 1]), torch.tensor([2, 2, 0, 2])
    >>> clustering_scores(labels, clusters).accuracy  # cluster 2 is class 0, and 0 is class 1
    0.75
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
    from sklearn.metrics.cluster import contingency_matrix

    if len(labels) != len(clusters):
        raise InputError(f"There are {len(labels)} labels for {len(clusters)} data.")
    known = (labels >= 0).cpu().numpy()
    if not known.any():
        raise InputError("There are no labels to compare the clusters with.")
    truth = labels.cpu().numpy()[known]
    found = clusters.cpu().numpy()[known]
    table: np.ndarray = contingency_matrix(truth, found)
    matched = table[linear_sum_assignment(table, maximize=True)].sum()
    return ClusteringScores(
        accuracy=float(matched / len(truth)),
        purity=float(table.max(0).sum() / len(truth)),
        nmi=float(normalized_mutual_info_score(truth, found)),
        ari=float(adjusted_rand_score(truth, found)),
        n_labelled=len(truth),
    )
