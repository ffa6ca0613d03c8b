r"""Select the number of clusters: many should be found again, and unseen data predicted well.

A likelihood alone rarely tells, because a flexible decoder describes the data as well by fewer
clusters and more style. Several trainings on different parts of the data tell more. If there are
too few clusters, all are found again, but they are few. If there are too many, the real clusters
are split, in another place each time. So the recommended number is the one with the most clusters
found again, minus those not found again. Only numbers that predict unseen data no worse than the
best are considered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation.resampling import best_jaccard
from pyro_gmvae.evaluation.stability import STABLE, pairwise_ari
from pyro_gmvae.evaluation.weighting import standard_error, weighted_mean

__all__ = ["Candidate", "Selection", "select"]

NEARLY_ALL = 0.9  # share of the clusters that must be found again for all to be reliable
CLEAR = 2.0  # standard errors above which a difference is taken as real


@dataclass(frozen=True, eq=False)
class Candidate:
    """Hold the results of R runs with the same number of clusters.

    Attributes:
        n_clusters: K.
        log_p: log p(x) of the same N held-out data by each run, in nats, shape ``(R, N)``.
        clusters: clusters of the same M data by each run, shape ``(R, M)``.
        weights: how much each of the N data counts; None if all count alike.
        cluster_weights: how much each of the M data counts, likewise.

    Raises:
        InputError: for fewer than two runs, fewer than two held-out data, or a log p that is not
            finite.

    >>> two = Candidate(2, -torch.ones(2, 5), torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0]]))
    >>> two.found_again, two.ari, two.log_likelihood
    (2.0, 1.0, -1.0)
    """

    n_clusters: int
    log_p: Float[Tensor, "R N"]
    clusters: Int64[Tensor, "R M"]
    weights: Float[Tensor, " N"] | None = None
    cluster_weights: Float[Tensor, " M"] | None = None

    def __post_init__(self) -> None:
        if len(self.log_p) < 2 or self.log_p.shape[1] < 2:
            raise InputError(
                "each number of clusters needs two runs or more, and two held-out rows or more"
            )
        if not self.log_p.isfinite().all():
            raise InputError(
                f"a run of {self.n_clusters} clusters gives some held-out rows no finite "
                "log-likelihood: leave that number out, or train it at a lower learning rate"
            )

    @property
    def log_likelihood(self) -> float:
        """Return the mean log p(x) over the data and runs, in nats."""
        return self.run_means.mean().item()

    @property
    def run_means(self) -> Float[Tensor, " R"]:
        """Return the mean log p(x) of each run over the data, in nats."""
        return weighted_mean(self.log_p.T, self.weights)

    @property
    def standard_error(self) -> float:
        """Return the standard error of `log_likelihood`, with data and runs as random samples."""
        runs, rows = self.run_means, self.log_p.mean(0)
        by_rows = standard_error(rows, self.weights).square()
        return (runs.var() / len(runs) + by_rows).sqrt().item()

    @cached_property
    def ari(self) -> float:
        """Return the adjusted Rand index between runs, averaged over all pairs."""
        n = len(self.clusters)
        table = pairwise_ari(list(self.clusters), self.cluster_weights)
        return ((table.sum() - n) / (n * (n - 1))).item()

    @cached_property
    def recurrence(self) -> list[Float[Tensor, " K"]]:
        """Return the Jaccard index of each run's clusters, averaged over the other runs."""
        runs, k, w = self.clusters, self.n_clusters, self.cluster_weights
        return [
            torch.stack([best_jaccard(a, b, k, w) for j, b in enumerate(runs) if j != i]).mean(0)
            for i, a in enumerate(runs)
        ]

    @property
    def found_again(self) -> float:
        """Return the number of clusters that the other runs find again, averaged over the runs.

        A cluster is found again if its mean Jaccard index is at least 0.75.
        """
        return self._found.mean().item()

    @property
    def found_again_error(self) -> float:
        """Return the standard error of `found_again` over the runs."""
        return (self._found.std() / len(self._found) ** 0.5).item()

    @property
    def _found(self) -> Float[Tensor, " R"]:
        return torch.stack([(index >= STABLE).sum() for index in self.recurrence]).double()

    @property
    def in_use(self) -> float:
        """Return the number of clusters that have members, averaged over the runs."""
        return sum(len(c.unique()) for c in self.clusters) / len(self.clusters)


@dataclass(frozen=True, eq=False)
class Selection:
    """Hold the recommended number of clusters, and reasons for doubt.

    Attributes:
        candidates: the candidates, ordered by number of clusters.
        n_clusters: the recommended number.
        doubts: sentences with reasons not to rely on the recommendation; empty if it is sure.
        behind: mean log p of the candidate that predicts best minus that of each candidate, and the
            standard error of this difference, shape ``(2, candidates)``, in nats.

    >>> two = Candidate(2, -torch.ones(2, 5), torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0]]))
    >>> three = Candidate(3, -torch.ones(2, 5), torch.tensor([[0, 1, 2, 2], [0, 2, 2, 1]]))
    >>> selection = select([two, three])
    >>> selection.n_clusters, selection.sure
    (2, True)
    """

    candidates: tuple[Candidate, ...]
    n_clusters: int
    doubts: tuple[str, ...]
    behind: Float[Tensor, "2 C"]

    @property
    def sure(self) -> bool:
        """Return True if there are no doubts."""
        return not self.doubts

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON."""
        rows = zip(self.candidates, self.behind.T.tolist(), strict=True)
        return {
            "n_clusters": self.n_clusters,
            "sure": self.sure,
            "doubts": list(self.doubts),
            "candidates": [
                {
                    "clusters": c.n_clusters,
                    "runs": len(c.log_p),
                    "log_likelihood": c.log_likelihood,
                    "log_likelihood_se": c.standard_error,
                    "behind": behind,
                    "behind_se": error,
                    "found_again": c.found_again,
                    "found_again_se": c.found_again_error,
                    "ari": c.ari,
                    "in_use": c.in_use,
                }
                for c, (behind, error) in rows
            ],
        }


def select(candidates: Sequence[Candidate]) -> Selection:
    """Recommend a number of clusters.

    The recommended number has the most clusters found again, minus those not found again. Numbers
    that predict the held-out data worse than the best, by more than two standard errors of the
    difference, are excluded. In a tie the smaller number is chosen.

    Args:
        candidates: two or more different numbers of clusters, all with the same data.

    Raises:
        InputError: for fewer than two candidates, the same number twice, or candidates of different
            data.

    >>> two = Candidate(2, -torch.ones(2, 5), torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0]]))
    >>> three = Candidate(3, -torch.ones(2, 5), torch.tensor([[0, 1, 2, 2], [0, 2, 2, 1]]))
    >>> select([three, two]).n_clusters  # two clusters are found again by the other training
    2
    """
    ordered = tuple(sorted(candidates, key=lambda c: c.n_clusters))
    if len({c.n_clusters for c in ordered}) < max(2, len(ordered)):
        raise InputError("give two or more different numbers of clusters to choose from")
    if len({(c.log_p.shape[1], c.clusters.shape[1]) for c in ordered}) > 1:
        raise InputError(
            "the candidates are of different data: try all numbers of clusters on the same rows"
        )
    behind = _behind(ordered)
    predicting = [
        c for c, (by, error) in zip(ordered, behind.T.tolist(), strict=True) if by <= CLEAR * error
    ]
    chosen = max(predicting, key=_worth)
    doubts = _doubts(chosen, ordered, predicting)
    return Selection(ordered, chosen.n_clusters, tuple(doubts), behind)


def _worth(candidate: Candidate) -> float:
    """Return the number of clusters found again minus the number not found again.

    A cluster that is not found again does as much harm as one that is found again does good.
    """
    return 2 * candidate.found_again - candidate.n_clusters


def _behind(candidates: Sequence[Candidate]) -> Float[Tensor, "2 C"]:
    """Compute how much worse each candidate predicts than the best, and the standard error.

    The two are compared datum by datum.
    """
    best = max(candidates, key=lambda c: c.log_likelihood)
    columns = []
    for c in candidates:
        gap = best.log_p.mean(0) - c.log_p.mean(0)
        variance = standard_error(gap, c.weights).square()
        if c is not best:
            variance = variance + sum(each.run_means.var() / len(each.log_p) for each in (c, best))
        columns.append(torch.stack([weighted_mean(gap, c.weights), variance.sqrt()]))
    return torch.stack(columns, -1)


def _doubts(
    chosen: Candidate, candidates: Sequence[Candidate], predicting: Sequence[Candidate]
) -> list[str]:
    """List the reasons not to rely on the choice, as sentences."""
    k, found, doubts = chosen.n_clusters, chosen.found_again, []
    if found < 2:
        doubts.append("No clusters are found again: there may be no separate groups in these data.")
    elif found < NEARLY_ALL * k:
        doubts.append(f"Only {found:.1f} of {k} clusters are found again: rely on these only.")
    if chosen is candidates[-1]:
        doubts.append(f"{k} is the largest number that was tried: there may be more clusters.")
    rivals = [
        f"{c.n_clusters} clusters ({c.found_again:.1f} found again)"
        for c in predicting
        if c is not chosen
        and _worth(chosen) - _worth(c) <= 2 * (chosen.found_again_error + c.found_again_error)
    ]
    if rivals:
        doubts.append(f"Other numbers are about as good: {', '.join(rivals)}. Take more runs.")
    if chosen.in_use < k - 0.5:
        doubts.append(f"Only {chosen.in_use:.1f} of {k} clusters have members.")
    return doubts
