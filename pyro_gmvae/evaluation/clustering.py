"""How the clusters are used, and how well they meet known classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pyro_gmvae.errors import InputError

__all__ = ["ClusterUsage", "ClusteringScores", "cluster_usage", "clustering_scores"]


@dataclass(frozen=True, eq=False)
class ClusterUsage:
    r"""What a likelihood does not see: whether the clusters are used, and how decidedly.

    Attributes:
        clusters_in_use: number of clusters that are the likeliest one of at least one datum.
        share: share of the data for which each cluster is the likeliest.
        entropy_y: H of the mean q(y|x), in nats; log K if all clusters are used alike, 0 if one is.
        entropy_y_given_x: mean H(q(y|x)), in nats; 0 if every datum is assigned with certainty.
        mutual_information: I(x;y), the difference of the two, in nats.
    """

    clusters_in_use: int
    share: Float[Tensor, " K"]
    entropy_y: float
    entropy_y_given_x: float
    mutual_information: float


@dataclass(frozen=True)
class ClusteringScores:
    """Agreement of clusters with known classes; none of it depends on the clusters' numbering.

    Attributes:
        accuracy: share of data in the right class under the best one-to-one matching of clusters
            with classes. Clusters in excess of the classes match none.
        nmi: normalised mutual information (arithmetic mean), between 0 and 1.
        ari: adjusted Rand index, 0 in expectation for random clusters, 1 for perfect ones.
        n_labelled: data with a label, which alone are counted.
    """

    accuracy: float
    nmi: float
    ari: float
    n_labelled: int


def cluster_usage(responsibilities: Float[Tensor, "N K"]) -> ClusterUsage:
    """Summarise q(y|x), one row for each datum.

    Raises:
        InputError: if there are no data.
    """
    if len(responsibilities) == 0:
        raise InputError("There are no data to evaluate.")
    q = responsibilities.double()
    counts = q.argmax(-1).bincount(minlength=q.shape[-1])
    entropy_y = torch.special.entr(q.mean(0)).sum().item()
    entropy_y_given_x = torch.special.entr(q).sum(-1).mean().item()
    return ClusterUsage(
        clusters_in_use=int((counts > 0).sum()),
        share=counts / len(q),
        entropy_y=entropy_y,
        entropy_y_given_x=entropy_y_given_x,
        # Never negative but for rounding: the entropy is concave.
        mutual_information=max(0.0, entropy_y - entropy_y_given_x),
    )


def clustering_scores(
    labels: Int[Tensor, " labels"], clusters: Int[Tensor, " N"]
) -> ClusteringScores:
    """Compare clusters with labels; a negative label is a missing one and left out.

    The matching for ``accuracy`` is found by the Hungarian method on the contingency table.

    Raises:
        InputError: if the lengths differ or there is no label at all.
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
        nmi=float(normalized_mutual_info_score(truth, found)),
        ari=float(adjusted_rand_score(truth, found)),
        n_labelled=len(truth),
    )
