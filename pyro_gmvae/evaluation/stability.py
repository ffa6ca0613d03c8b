"""Check whether several clusterings of the same data agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation.weighting import weighted_ari, weighted_mean, weighted_sizes

__all__ = [
    "Stability",
    "aligned",
    "consensus",
    "jaccard",
    "pairwise_ari",
    "stability",
]

STABLE, DOUBTFUL = 0.75, 0.6  # least Jaccard index of each verdict; Hennig's (2007) rule of thumb
ROUNDS = 10  # most rounds of matching all clusterings to their mean; two or three suffice


@dataclass(frozen=True, eq=False)
class Stability:
    """Hold what R clusterings of the same N data have in common.

    Attributes:
        pairwise_ari: adjusted Rand index of every pair of clusterings, shape ``(R, R)``.
        consensus: the mean responsibilities after matching, shape ``(N, K)``.
        jaccard: Jaccard index of each cluster of the consensus with the matched cluster of each
            clustering, averaged over the clusterings, shape ``(K,)``; 0 for a cluster without
            members in the consensus.
        agreement: for each datum, the share of clusterings that put it into its cluster of the
            consensus, shape ``(N,)``.
        alive: number of clusters with members in each clustering, shape ``(R,)``.
        weights: how much each datum counts, shape ``(N,)``; None if all count alike.

    >>> first = torch.eye(2)[[0, 0, 1, 1]]
    >>> result = stability([first, first.flip(1)])  # the same clusters with other numbers
    >>> result.agreement
    tensor([1., 1., 1., 1.], dtype=torch.float64)
    """

    pairwise_ari: Float[Tensor, "R R"]
    consensus: Float[Tensor, "N K"]
    jaccard: Float[Tensor, " K"]
    agreement: Float[Tensor, " N"]
    alive: Int64[Tensor, " R"]
    weights: Float[Tensor, " N"] | None = None

    @property
    def pairs(self) -> Float[Tensor, " pairs"]:
        """Return the adjusted Rand index of each pair of different clusterings."""
        n = len(self.pairwise_ari)
        rows, columns = torch.triu_indices(n, n, offset=1)
        return self.pairwise_ari[rows, columns]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON."""
        return {
            "n": len(self.agreement),
            "clusterings": len(self.pairwise_ari),
            "mean_ari": self.pairs.mean().item(),
            "min_ari": self.pairs.min().item(),
            "mean_agreement": weighted_mean(self.agreement, self.weights).item(),
            "certain": weighted_mean((self.agreement == 1).double(), self.weights).item(),
            "alive": self.alive.tolist(),
            "pairwise_ari": self.pairwise_ari.tolist(),
            "clusters": [
                {"cluster": k, "size": size.item(), "jaccard": j.item(), "verdict": verdict(j)}
                for k, (size, j) in enumerate(zip(self._sizes(), self.jaccard, strict=True))
                if size
            ],
        }

    def _sizes(self) -> Num[Tensor, " K"]:
        n_clusters = self.consensus.shape[-1]
        return weighted_sizes(self.consensus.argmax(-1), n_clusters, self.weights)


def verdict(jaccard: Tensor) -> str:
    """Turn a mean Jaccard index into a word."""
    return "stable" if jaccard >= STABLE else "doubtful" if jaccard >= DOUBTFUL else "unstable"


def stability(
    responsibilities: Sequence[Float[Tensor, "N _"]],
    weights: Float[Tensor, " N"] | None = None,
) -> Stability:
    """Compare clusterings, such as those of several seeds, or of models of resampled data.

    Args:
        responsibilities: q(y|x) of each clustering, for the same data; they may differ in K.
        weights: how much each datum counts in the figures; None if all count alike. Clusterings
            are matched with all data alike.

    Raises:
        InputError: for fewer than two clusterings, or clusterings of different data.

    >>> first, second = torch.eye(2)[[0, 0, 1, 1]], torch.eye(2)[[1, 1, 0, 1]]
    >>> stability([first, second]).agreement.tolist()  # they differ on the last row
    [1.0, 1.0, 1.0, 0.5]
    """
    if len(responsibilities) < 2:
        raise InputError("one clustering cannot be compared with itself: give two or more")
    if len({len(q) for q in responsibilities}) > 1 or len(responsibilities[0]) == 0:
        raise InputError(
            "the clusterings are of different data, or of none: give clusterings of the same rows"
        )
    mean, matched = consensus(responsibilities)
    labels = [q.argmax(-1) for q in matched]
    agreed = mean.argmax(-1)
    return Stability(
        pairwise_ari=pairwise_ari(labels, weights),
        consensus=mean,
        jaccard=torch.stack(
            [jaccard(agreed, each, mean.shape[-1], weights) for each in labels]
        ).mean(0),
        agreement=torch.stack([each == agreed for each in labels]).double().mean(0),
        alive=torch.tensor([len(each.unique()) for each in labels]),
        weights=weights,
    )


def pairwise_ari(
    labels: Sequence[Int64[Tensor, " N"]], weights: Float[Tensor, " N"] | None = None
) -> Float[Tensor, "R R"]:
    """Compute the adjusted Rand index of every pair of clusterings.

    >>> pairwise_ari([torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 0])])
    tensor([[1., 1.],
            [1., 1.]], dtype=torch.float64)
    """
    table = torch.eye(len(labels), dtype=torch.float64)
    for i, first in enumerate(labels):
        for j, second in enumerate(labels[:i]):
            table[i, j] = table[j, i] = weighted_ari(first, second, weights)
    return table


def consensus(
    responsibilities: Sequence[Float[Tensor, "N _"]],
) -> tuple[Float[Tensor, "N K"], list[Float[Tensor, "N K"]]]:
    """Average several responsibilities after matching the numbers of their clusters.

    The clusterings are matched to the one that agrees best with the others, then to their mean,
    until the numbers no longer change.

    Args:
        responsibilities: q(y|x) of each clustering, for the same data; they may differ in K.

    Returns:
        The mean, shape ``(N, K)`` with the largest K, and each clustering with the numbers of the
        mean.

    >>> first, second = torch.eye(2)[[0, 0, 1]], torch.eye(2)[[1, 1, 0]]
    >>> mean, matched = consensus([first, second])  # the same clusters with other numbers
    >>> torch.equal(mean, matched[0]), torch.equal(matched[0], matched[1])
    (True, True)
    """
    k = max(q.shape[-1] for q in responsibilities)
    padded = [
        torch.nn.functional.pad(q.cpu().double(), (0, k - q.shape[-1])) for q in responsibilities
    ]
    medoid = pairwise_ari([q.argmax(-1) for q in padded]).sum(0).argmax()
    mean = padded[int(medoid)]
    for _ in range(ROUNDS):
        matched = [aligned(q, mean) for q in padded]
        before, mean = mean, torch.stack(matched).mean(0)
        if torch.equal(before, mean):
            break
    return mean, matched


def aligned(q: Float[Tensor, "N K"], reference: Float[Tensor, "N K"]) -> Float[Tensor, "N K"]:
    """Reorder the clusters of ``q`` so that they overlap most with those of ``reference``.

    >>> reference = torch.eye(2)[[0, 0, 1]]
    >>> aligned(torch.eye(2)[[1, 1, 0]], reference).argmax(-1).tolist()
    [0, 0, 1]
    """
    return q[:, best_matching(reference, q)]


def best_matching(reference: Float[Tensor, "N K"], q: Float[Tensor, "N K"]) -> Int64[Tensor, " K"]:
    """Match each cluster of ``reference`` one to one with the cluster of ``q`` it overlaps most.

    The Hungarian method maximises the total overlap.

    >>> reference, q = torch.eye(3)[[0, 1, 2]], torch.eye(3)[[2, 0, 1]]
    >>> best_matching(reference, q).tolist()  # cluster 0 is cluster 2 of q
    [2, 0, 1]
    """
    from scipy.optimize import linear_sum_assignment

    _, order = linear_sum_assignment((reference.T @ q).numpy(), maximize=True)
    return torch.from_numpy(order)


def jaccard(
    labels: Int64[Tensor, " N"],
    others: Int64[Tensor, " N"],
    n_clusters: int,
    weights: Float[Tensor, " N"] | None = None,
) -> Float[Tensor, " K"]:
    r"""Compute :math:`|A \cap B| / |A \cup B|` of the clusters of equal number in two clusterings.

    The index is 0 if both clusters are empty. With weights, sums of weights take the place of
    numbers of data.

    >>> jaccard(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1]), n_clusters=2)
    tensor([0.6667, 0.5000], dtype=torch.float64)
    """
    first = torch.nn.functional.one_hot(labels, n_clusters).bool()
    second = torch.nn.functional.one_hot(others, n_clusters).bool()
    counted = torch.ones(len(labels), dtype=torch.float64) if weights is None else weights.double()
    both, either = counted @ (first & second).double(), counted @ (first | second).double()
    return both / either.where(either > 0, 1.0)
