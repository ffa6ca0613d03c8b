r"""How many clusters there are: what is found again, and what predicts unseen data.

A likelihood alone rarely says: a flexible decoder describes the data as well by fewer clusters and
more style. What several trainings find in different parts of the data says more. Too few clusters
are all found again, but they are few; too many are cut out of the real ones, every time elsewhere.
So the recommendation is the number of which most are found again and fewest are not, of those that
predict unseen data no worse than the best.
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

__all__ = ["Candidate", "Selection", "select"]

NEARLY_ALL = 0.9  # of the clusters, which should be found again if one is to rely on them
CLEAR = 2.0  # standard errors of a difference that are taken for one


@dataclass(frozen=True, eq=False)
class Candidate:
    """What R runs with the same number of clusters found.

    Attributes:
        n_clusters: K.
        log_p: log p(x) of the same held-out data by each run, shape ``(R, N)``.
        clusters: of the same M data by each run, shape ``(R, M)``.

    Raises:
        InputError: for fewer than two runs, or two held-out data, or a log p that is not finite.
    """

    n_clusters: int
    log_p: Float[Tensor, "R N"]
    clusters: Int64[Tensor, "R M"]

    def __post_init__(self) -> None:
        if len(self.log_p) < 2 or self.log_p.shape[1] < 2:
            raise InputError("it takes two runs of each number of clusters, and two held-out rows")
        if not self.log_p.isfinite().all():
            raise InputError(
                f"a run of {self.n_clusters} clusters gives some held-out rows no finite "
                "log-likelihood: leave that number out, or train it at a lower learning rate"
            )

    @property
    def log_likelihood(self) -> float:
        """Mean log p(x) over the data and runs."""
        return self.log_p.mean().item()

    @property
    def standard_error(self) -> float:
        """Of the same, over the data and runs: both were drawn from many."""
        runs, rows = self.log_p.mean(1), self.log_p.mean(0)
        return (runs.var() / len(runs) + rows.var() / len(rows)).sqrt().item()

    @cached_property
    def ari(self) -> float:
        """The adjusted Rand index between runs, the mean over all pairs."""
        n = len(self.clusters)
        table = pairwise_ari(list(self.clusters))
        return ((table.sum() - n) / (n * (n - 1))).item()

    @cached_property
    def recurrence(self) -> list[Float[Tensor, " K"]]:
        """How well the other runs have each run's clusters: mean Jaccard indices."""
        runs, k = self.clusters, self.n_clusters
        return [
            torch.stack([best_jaccard(a, b, k) for j, b in enumerate(runs) if j != i]).mean(0)
            for i, a in enumerate(runs)
        ]

    @property
    def found_again(self) -> float:
        """Clusters that the other runs have, with a mean Jaccard index of 0.75; mean over runs."""
        return self._found.mean().item()

    @property
    def found_again_error(self) -> float:
        """Its standard error over the runs."""
        return (self._found.std() / len(self._found) ** 0.5).item()

    @property
    def _found(self) -> Float[Tensor, " R"]:
        return torch.stack([(index >= STABLE).sum() for index in self.recurrence]).double()

    @property
    def in_use(self) -> float:
        """Clusters that have members, on average over the runs."""
        return sum(len(c.unique()) for c in self.clusters) / len(self.clusters)


@dataclass(frozen=True, eq=False)
class Selection:
    """What `select` says.

    Attributes:
        candidates: by number of clusters.
        n_clusters: the number that is recommended.
        doubts: what speaks against relying on it, in plain words; empty if sure.
        behind: log p of the best predicting number less that of each, and the standard error of
            this difference, shape ``(2, candidates)``, in nats.
    """

    candidates: tuple[Candidate, ...]
    n_clusters: int
    doubts: tuple[str, ...]
    behind: Float[Tensor, "2 C"]

    @property
    def sure(self) -> bool:
        """Whether the data speak for it plainly."""
        return not self.doubts

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON."""
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

    The one with the most clusters that are found again, less those that are not. Numbers that
    predict the held-out data worse than the best, by more than two standard errors of the
    difference, are out; of two with as many, the smaller one is taken.

    Args:
        candidates: two or more different numbers, all with the same data.

    Raises:
        InputError: for fewer than two, the same number twice, or candidates of different data.
    """
    ordered = tuple(sorted(candidates, key=lambda c: c.n_clusters))
    if len({c.n_clusters for c in ordered}) < max(2, len(ordered)):
        raise InputError("give two or more different numbers of clusters to choose from")
    if len({(c.log_p.shape[1], c.clusters.shape[1]) for c in ordered}) > 1:
        raise InputError("these numbers of clusters were tried on different data")
    behind = _behind(ordered)
    predicting = [
        c for c, (by, error) in zip(ordered, behind.T.tolist(), strict=True) if by <= CLEAR * error
    ]
    chosen = max(predicting, key=_worth)
    doubts = _doubts(chosen, ordered, predicting)
    return Selection(ordered, chosen.n_clusters, tuple(doubts), behind)


def _worth(candidate: Candidate) -> float:
    """A cluster that is not found again misleads as much as one that is helps."""
    return 2 * candidate.found_again - candidate.n_clusters


def _behind(candidates: Sequence[Candidate]) -> Float[Tensor, "2 C"]:
    """By how much each predicts worse than the best, datum by datum, and its standard error."""
    best = max(candidates, key=lambda c: c.log_likelihood)
    columns = []
    for c in candidates:
        gap = best.log_p.mean(0) - c.log_p.mean(0)
        variance = gap.var() / len(gap)
        if c is not best:
            variance = variance + sum(p.mean(1).var() / len(p) for p in (c.log_p, best.log_p))
        columns.append(torch.stack([gap.mean(), variance.sqrt()]))
    return torch.stack(columns, -1)


def _doubts(
    chosen: Candidate, candidates: Sequence[Candidate], predicting: Sequence[Candidate]
) -> list[str]:
    """What speaks against relying on the choice, in plain words."""
    k, found, doubts = chosen.n_clusters, chosen.found_again, []
    if found < 2:
        doubts.append("No clusters are found again: there may be no separate groups in these data.")
    elif found < NEARLY_ALL * k:
        doubts.append(f"Of {k} clusters {found:.1f} are found again: rely on these only.")
    if chosen is candidates[-1]:
        doubts.append(f"{k} is the most that was tried: there may be more.")
    rivals = [
        f"{c.n_clusters} clusters ({c.found_again:.1f} found again)"
        for c in predicting
        if c is not chosen
        and _worth(chosen) - _worth(c) <= 2 * (chosen.found_again_error + c.found_again_error)
    ]
    if rivals:
        doubts.append(f"About as good: {', '.join(rivals)}. Take more runs.")
    if chosen.in_use < k - 0.5:
        doubts.append(f"Of {k} clusters only {chosen.in_use:.1f} have members.")
    return doubts
