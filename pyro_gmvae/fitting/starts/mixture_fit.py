"""Fit a mixture of per-column laws by expectation maximisation, with gaps summed out.

What is known of the clusters of some rows, by labels and groups, holds in every round.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.evaluation import best_matching
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture, TableRows, mixture_of
from pyro_gmvae.fitting.starts.comparison import is_clearly_better
from pyro_gmvae.fitting.starts.sklearn_fits import kmeans
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.networks import TableFeatures

__all__ = ["KnownRows", "continue_mixture", "fit_mixture", "refine_mixture", "table_features"]

TRIES = 10  # starts of the fit; 5 miss the best mixture of some tables of eight clusters
SHORT, LONG = 100, 400  # rounds of each start, and then of the best one
LOOSE, CLOSE = 1e-4, 1e-6  # nats a row by which a round must gain to go on
FITTED_ROWS = 10_000  # rows that the starts are fitted to
ALL_ROUNDS = 30  # rounds on all rows, where there are more
LEAST_SHARE = 1e-30  # of a cluster in the responsibilities that a fit begins with
UNLIKE = 1e9  # nats against other clusters than a label's, for the rest of its group


@dataclass(frozen=True, eq=False)
class KnownRows:
    """Hold what is known of the clusters of some rows.

    Attributes:
        labels: ``(N,)``, a cluster, -1 where it is unknown; or None.
        groups: ``(N,)``, the same number for rows of one cluster, -1 for rows without a group; or
            None.

    >>> known = KnownRows(labels=torch.tensor([1, -1]))
    >>> known.applied(torch.zeros(2, 2), torch.zeros(2)).softmax(-1).tolist()
    [[0.0, 1.0], [0.5, 0.5]]
    """

    labels: Int64[Tensor, " N"] | None = None
    groups: Int64[Tensor, " N"] | None = None

    def take(self, rows: Int64[Tensor, " n"]) -> KnownRows:
        """Take some rows."""
        return KnownRows(*(None if t is None else t[rows] for t in (self.labels, self.groups)))

    def places(self) -> Int64[Tensor, " known"]:
        """Return the rows of which something is known."""
        known = [t >= 0 for t in (self.labels, self.groups) if t is not None]
        return torch.stack(known).any(0).nonzero().flatten() if known else torch.zeros(0).long()

    def group_sizes(self, n: int) -> Float[Tensor, " n"]:
        """Count the rows that share the cluster of each row, itself included."""
        sizes = torch.ones(n, dtype=torch.float64)
        if self.groups is not None:
            grouped = self.groups >= 0
            _, number, counts = self.groups[grouped].unique(return_inverse=True, return_counts=True)
            sizes[grouped] = counts[number].double()
        return sizes

    def agreed(self, responsibilities: Float[Tensor, "N K"]) -> Float[Tensor, "N K"]:
        """Let the responsibilities that a fit begins with agree with what is known.

        The clusters are numbered by the labels first. With other numbers the few rows that have a
        label would be held in clusters of other rows, and the fit would end there.
        """
        r = responsibilities
        if self.labels is not None:
            known = self.labels >= 0
            wanted = one_hot(self.labels[known], r.shape[1]).to(r)
            r = r[:, best_matching(wanted, r[known])]
        return self.applied(r.clamp(min=LEAST_SHARE).log(), torch.zeros(r.shape[1]).to(r)).softmax(
            -1
        )

    def applied(self, log_joint: Float[Tensor, "N K"], log_p_y: Float[Tensor, " K"]) -> Tensor:
        """Let rows of a group share a cluster, that of a label in it, and labels hold in any case.

        Args:
            log_joint: log p(y) + log p(x|y) of each row.
            log_p_y: log p(y), which counts once for a group.
        """
        if self.labels is not None:
            known = self.labels >= 0
            others = one_hot(self.labels[known], log_joint.shape[1]) == 0
            log_joint = log_joint.clone()
            log_joint[known] = log_joint[known] - UNLIKE * others
        if self.groups is not None:
            grouped = self.groups >= 0
            _, number = self.groups[grouped].unique(return_inverse=True)
            sums = log_joint.new_zeros(len(number), len(log_p_y))
            sums.index_add_(0, number, log_joint[grouped] - log_p_y)
            log_joint = log_joint.clone()
            log_joint[grouped] = log_p_y + sums[number]
        if self.labels is not None:
            log_joint[known] = log_joint[known].masked_fill(others, -inf)
        return log_joint


def fit_mixture(
    rows: TableRows,
    features: Float[Tensor, "N G"],
    n_clusters: int,
    *,
    seed: int,
    uniform: bool = False,
    known: KnownRows | None = None,
    tries: int = TRIES,
) -> ColumnMixture:
    """Fit a mixture, the best of several starts by the likelihood of the rows.

    Half of the starts are k-means of the features, half random responsibilities. They are fitted
    to 10,000 rows; the best one goes on with all rows.

    Args:
        rows: the rows.
        features: those of `pyro_gmvae.networks.TableFeatures`, for k-means.
        n_clusters: K.
        seed: the seed of all that is drawn.
        uniform: whether all clusters are equally likely.
        known: what is known of the clusters of some rows.
        tries: number of starts.

    >>> structure = TableStructure(("real",))
    >>> x = torch.tensor([[0.0], [1.0], [2.0], [20.0], [21.0], [22.0]])
    >>> mixture = fit_mixture(TableRows.of(x, structure), x, 2, seed=0)
    >>> mixture.loc.flatten().sort().values.round(decimals=2).tolist()
    [1.0, 21.0]
    """
    known = known or KnownRows()
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(rows), generator=generator)
    some = (
        order
        if len(rows) <= FITTED_ROWS
        else torch.cat([known.places(), order[:FITTED_ROWS]]).unique()
    )
    few, few_known = rows.take(some), known.take(some)
    best, score = None, -inf
    for attempt in range(tries):
        begun = few_known.agreed(_begun(attempt, few, features[some], n_clusters, generator))
        found, value = _rounds(few, begun, few_known, SHORT, LOOSE, uniform)
        if value > score:
            best, score = found, value
    assert best is not None
    best, _ = _rounds(few, _posterior(best, few, few_known)[0], few_known, LONG, CLOSE, uniform)
    if len(few) < len(rows):
        r = _posterior(best, rows, known)[0]
        best, _ = _rounds(rows, r, known, ALL_ROUNDS, CLOSE, uniform)
    return best


def refine_mixture(
    rows: TableRows,
    responsibilities: Float[Tensor, "N K"],
    *,
    uniform: bool = False,
    known: KnownRows | None = None,
    rounds: int = LONG,
) -> ColumnMixture:
    """Fit a mixture from responsibilities on.

    Args:
        rows, uniform, known: as in `fit_mixture`.
        responsibilities: those of the rows at first.
        rounds: of the fit, at most.

    >>> x = torch.tensor([[0.0], [1.0], [2.0], [20.0], [21.0], [22.0]])
    >>> begun = torch.eye(2)[[0, 0, 0, 0, 1, 1]]  # the fourth row is in the wrong cluster
    >>> mixture = refine_mixture(TableRows.of(x, TableStructure(("real",))), begun)
    >>> mixture.loc.flatten().round(decimals=2).tolist()
    [1.0, 21.0]
    """
    return _rounds(rows, responsibilities, known or KnownRows(), rounds, CLOSE, uniform)[0]


def continue_mixture(
    rows: TableRows,
    features: Float[Tensor, "N G"],
    responsibilities: Float[Tensor, "N K"],
    *,
    seed: int,
    uniform: bool = False,
    known: KnownRows | None = None,
) -> ColumnMixture:
    """Go on with a mixture from responsibilities, unless one that begins anew is clearly better.

    Both are judged by the likelihood of all rows; clearly better is as in `is_clearly_better`.

    Args:
        rows, features, seed, uniform, known: as in `fit_mixture`.
        responsibilities: those of the rows so far.

    >>> x = torch.tensor([[0.0], [1.0], [2.0], [20.0], [21.0], [22.0]])
    >>> begun = torch.eye(2)[[0, 0, 0, 0, 1, 1]]  # the fourth row is in the wrong cluster
    >>> rows = TableRows.of(x, TableStructure(("real",)))
    >>> continue_mixture(rows, x, begun, seed=0).loc.flatten().round(decimals=2).tolist()
    [1.0, 21.0]
    """
    so_far = refine_mixture(rows, responsibilities, uniform=uniform, known=known)
    k = responsibilities.shape[-1]
    anew = fit_mixture(rows, features, k, seed=seed, uniform=uniform, known=known)
    gain = anew.log_likelihood(rows, weighted=True) - so_far.log_likelihood(rows, weighted=True)
    return anew if is_clearly_better(gain, rows.weights) else so_far


def _begun(
    attempt: int, rows: TableRows, features: Tensor, n_clusters: int, generator: torch.Generator
) -> Tensor:
    """Draw the responsibilities that a start begins with."""
    if attempt % 2:
        drawn = torch._standard_gamma(
            torch.full((len(rows), n_clusters), 0.3, dtype=torch.float64), generator
        ).clamp(min=LEAST_SHARE)
        return drawn / drawn.sum(-1, keepdim=True)
    seed = int(torch.randint(2**31, (), generator=generator))
    points = features.numpy()
    fitted = kmeans(points, n_clusters, seed=seed, n_init=1, weights=rows.weights)
    labels = torch.from_numpy(fitted.predict(points)).long()
    # Each row is wholly in its cluster. A share of far rows would make a narrow cluster wide, and
    # clusters near one another would become one.
    return one_hot(labels, n_clusters).double()


def _posterior(mixture: ColumnMixture, rows: TableRows, known: KnownRows) -> tuple[Tensor, Tensor]:
    """Compute the responsibilities, and the log-likelihood in training of each row: the E step."""
    joint = known.applied(mixture.log_joint(rows), mixture.log_p_y)
    total = joint.logsumexp(-1, keepdim=True)
    each = total.squeeze(-1) / known.group_sizes(len(rows))
    return (joint - total).exp(), each + mixture.log_base(rows)


def _rounds(
    rows: TableRows,
    responsibilities: Tensor,
    known: KnownRows,
    rounds: int,
    least_gain: float,
    uniform: bool,
) -> tuple[ColumnMixture, float]:
    """Alternate M and E steps, and return the best laws with their likelihood.

    Pseudo-rows, and dispersions by moments, may let a round lose a little.
    """
    best, value = None, -inf
    for _ in range(rounds):
        mixture = mixture_of(rows, responsibilities, uniform=uniform)
        responsibilities, log_p = _posterior(mixture, rows, known)
        reached = float((rows.weights * log_p).sum() / rows.weights.sum())
        gain = reached - value
        if gain > 0:
            best, value = mixture, reached
        if gain < least_gain:
            break
    assert best is not None
    return best, value


def table_features(structure: TableStructure, x: Float[Tensor, "N D"]) -> TableFeatures:
    """Make the features of rows on model scale, standardised by these rows.

    >>> features = table_features(TableStructure(("count",)), torch.tensor([[0.0], [3.0], [8.0]]))
    >>> features(torch.tensor([[3.0], [torch.nan]]))[:, 1].tolist()  # whether the cell is missing
    [0.0, 1.0]
    """
    features = TableFeatures(structure.layout)
    logs = x[:, list(structure.layout.count)].log1p()
    if logs.shape[1]:
        shift = logs.nanmean(0)
        features.count_shift.copy_(shift.nan_to_num(nan=0.0))
        scale = (logs - shift).square().nanmean(0).sqrt().nan_to_num(nan=1.0)
        features.count_scale.copy_(torch.where(scale > 0, scale, torch.ones_like(scale)))
    return features
