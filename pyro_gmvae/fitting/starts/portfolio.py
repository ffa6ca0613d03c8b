"""Choose among several starts of a table of numbers, before anything is trained.

A GMVAE begins exactly at a Gaussian mixture, so the likelihood of rows that a mixture has not
seen is that of the GMVAE at its first step. Starts can therefore be compared without training. To
the likelihood comes how well neighbouring rows agree about their cluster, for a mixture may fit
rows well and yet cut through the midst of a bent group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from pyro_gmvae.fitting.starts.comparison import is_clearly_better
from pyro_gmvae.fitting.starts.gaussians import (
    SHAPES,
    GaussianRows,
    Gaussians,
    Shape,
    expectation_maximization,
)
from pyro_gmvae.fitting.starts.neighbours import (
    LANDMARKS,
    MOST_NEIGHBOURS,
    followed,
    nearest,
    pieces,
    separation_cost,
    spectral_clusters,
)
from pyro_gmvae.fitting.starts.sklearn_fits import FITTED_ROWS, kmeans
from pyro_gmvae.fitting.starts.split_merge import moved_clusters

__all__ = [
    "Found",
    "best_mixture",
    "best_of_portfolio",
    "continued",
    "mixture_of_clusters",
]

TRIES, FEW_TRIES, MANY_CLUSTERS = 10, 1, 50  # k-means clusterings that a mixture is fitted from
MOVED_CLUSTERS = 20  # from so many clusters on, some are moved to where they are needed
ROUNDS = 100
# Nats a row by which a round must raise a fit. Full covariances that go on fit noise.
GAIN_OF_FULL, GAIN_OF_MOVES, GAIN = 1e-3, 1e-4, 1e-5
COMPARED, FEW_COMPARED = 3, 1  # likeliest fits of a shape that are compared on rows left out
FOLDS, FOLD_ROUNDS, FOLD_GAIN = 5, 5, 1e-4
SMALL_PIECE = 0.2  # of N / K rows, of which a piece of the graph has more
FOLLOWED = 5  # neighbours that a row follows, if the starts were fitted to others
ALL_ROUNDS = 30  # rounds on all rows, where there are more than the starts are fitted to


@dataclass(frozen=True, eq=False)
class Found:
    """Hold the clusters of a start, and the mixture of Gaussians that stands for them.

    Attributes:
        mixture: the mixture.
        clusters: the clusters ``(N,)`` that q(y|x) is to learn; None takes the mixture's posterior.

    >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
    >>> found = best_mixture(GaussianRows.of(x, floors=(0.001,)), 2, seed=0)
    >>> found.mixture.loc.flatten().sort().values.round(decimals=2).tolist(), found.clusters
    ([0.1, 5.1], None)
    """

    mixture: Gaussians
    clusters: Int64[Tensor, " N"] | None = None


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Hold a start, with the log-likelihood and the cost of separation of each row, in nats."""

    found: Found
    log_p: Float[Tensor, " N"]
    cost: Float[Tensor, " N"]

    @property
    def score(self) -> Float[Tensor, " N"]:
        return self.log_p - self.cost


def best_of_portfolio(
    rows: GaussianRows, n_clusters: int, *, seed: int, uniform: bool = False
) -> Found:
    """Find the best start: a mixture, or clusters of the graph of neighbours.

    The score of a start is the mean log-likelihood of rows that were left out of its mixture, by
    cross-validation in five parts, less `separation_cost`. Both are in nats a row. Clusters of the
    graph are taken where it falls into K pieces, or where they beat the mixture by 2.5 standard
    errors. They are not tried where a cluster has no more rows than a row has neighbours.

    Args:
        rows: the rows.
        n_clusters: K.
        seed: the seed of all that is drawn.
        uniform: whether all clusters are equally likely.

    >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
    >>> found = best_of_portfolio(GaussianRows.of(x, floors=(0.001,)), 2, seed=0)
    >>> found.mixture.loc.flatten().sort().values.round(decimals=2).tolist()
    [0.1, 5.1]
    """
    few = _Few.of(rows, seed)
    best = _best(few, n_clusters, seed=seed, uniform=uniform, spectral=True)
    return _on_all(rows, few, best.found, n_clusters, uniform)


def best_mixture(rows: GaussianRows, n_clusters: int, *, seed: int, uniform: bool = False) -> Found:
    """Find the best Gaussian mixture, likewise.

    >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
    >>> found = best_mixture(GaussianRows.of(x, floors=(0.001,)), 2, seed=0)
    >>> found.mixture.log_p_y.exp().round(decimals=2).tolist()
    [0.5, 0.5]
    """
    few = _Few.of(rows, seed)
    best = _best(few, n_clusters, seed=seed, uniform=uniform, spectral=False)
    return _on_all(rows, few, best.found, n_clusters, uniform)


def mixture_of_clusters(
    rows: GaussianRows,
    responsibilities: Float[Tensor, "N K"],
    *,
    uniform: bool = False,
) -> Found:
    """Find the shape of covariances that suits given clusters or responsibilities.

    >>> x = torch.tensor([[0.0], [0.2], [5.0], [5.2]])
    >>> r = torch.eye(2)[[0, 0, 1, 1]]
    >>> found = mixture_of_clusters(GaussianRows.of(x, floors=(0.001,)), r)
    >>> found.mixture.loc.flatten().round(decimals=2).tolist()
    [0.1, 5.1]
    """
    return _best_raw(rows, responsibilities, nearest(rows.x), uniform).found


def continued(
    rows: GaussianRows,
    responsibilities: Float[Tensor, "N K"],
    *,
    taught: bool,
    seed: int,
    uniform: bool = False,
) -> Found:
    """Go on from clusters so far, unless the best start of all these rows is clearly better.

    They are judged as in `best_of_portfolio`; clearly better is as in `is_clearly_better`.

    Args:
        rows: the rows.
        responsibilities: those of the rows so far.
        taught: whether q(y|x) was taught clusters, which it is to learn again; otherwise a mixture
            goes on from the responsibilities, in the shape of covariances that suits it.
        seed: the seed of all that is drawn for the start that begins anew.
        uniform: whether all clusters are equally likely.

    >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
    >>> begun = torch.eye(2)[[0, 0, 0, 0, 1, 1]]  # the fourth row is in the wrong cluster
    >>> found = continued(GaussianRows.of(x, floors=(0.001,)), begun, taught=False, seed=0)
    >>> found.mixture.loc.flatten().round(decimals=2).tolist()
    [0.1, 5.1]
    """
    few = _Few.of(rows, seed)
    r, k = responsibilities.double()[few.places], responsibilities.shape[-1]
    if taught:
        so_far = _best_raw(few.rows, r, few.near, uniform)
    else:
        begun = r.unsqueeze(0)
        fits = [_fitted(few.rows, begun, shape, few.near, uniform) for shape in SHAPES]
        so_far = _of_clear_shape(fits, few.rows)
    anew = _best(few, k, seed=seed, uniform=uniform, spectral=True)
    better = is_clearly_better(anew.score - so_far.score, few.rows.weights)
    return _on_all(rows, few, anew.found if better else so_far.found, k, uniform)


@dataclass(frozen=True, eq=False)
class _Few:
    """Hold the rows that starts are fitted to, at most 10,000.

    Attributes:
        rows: these rows.
        places: their places among all, ``(n,)``.
        near: the nearest of these rows to each.
        generator: the one that drew them.
    """

    rows: GaussianRows
    places: Int64[Tensor, " n"]
    near: Int64[Tensor, "n count"]
    generator: torch.Generator

    @classmethod
    def of(cls, rows: GaussianRows, seed: int) -> _Few:
        generator = torch.Generator().manual_seed(seed)
        places = torch.randperm(len(rows), generator=generator)[:FITTED_ROWS]
        if len(rows) <= FITTED_ROWS:
            places = torch.arange(len(rows))
        few = rows.take(places)
        return cls(few, places, nearest(few.x), generator)


def _best(few: _Few, n_clusters: int, *, seed: int, uniform: bool, spectral: bool) -> _Candidate:
    """Take the best mixture of many clusterings, or a cut of the graph that is clearly better."""
    rows, near = few.rows, few.near
    begun = _clusterings(rows, n_clusters, few.generator)
    if n_clusters >= MOVED_CLUSTERS:
        begun = torch.cat([begun, _with_moves(rows, begun, n_clusters, uniform).unsqueeze(0)])
    # A graph of ten neighbours tells no groups of ten rows, and to cut it into many takes minutes.
    cuttable = min(len(rows), LANDMARKS) > MOST_NEIGHBOURS * n_clusters
    cut = spectral_clusters(rows.x, n_clusters, seed=seed) if spectral and cuttable else None
    if cut is not None:
        begun = torch.cat([begun, cut.unsqueeze(0)])
    first = one_hot(begun, n_clusters).double()
    mixtures = [_fitted(rows, first, shape, near, uniform) for shape in SHAPES]
    best = _of_clear_shape(mixtures, rows)
    if cut is None:
        return best
    rival = max(mixtures, key=lambda c: rows.mean(c.score))
    other = _best_raw(rows, first[-1], near, uniform)
    gain = other.score - rival.score
    better = _in_pieces(near, n_clusters) or is_clearly_better(gain, rows.weights)
    return other if better else best


def _of_clear_shape(mixtures: Sequence[_Candidate], rows: GaussianRows) -> _Candidate:
    """Take full covariances, the first, unless another shape is clearly better."""
    full, *others = mixtures
    clear = [c for c in others if is_clearly_better(c.score - full.score, rows.weights)]
    return max([full, *clear], key=lambda c: rows.mean(c.score))


def _clusterings(
    rows: GaussianRows, n_clusters: int, generator: torch.Generator
) -> Int64[Tensor, "T N"]:
    """Cluster by k-means several times."""
    tries = TRIES if n_clusters <= MANY_CLUSTERS else FEW_TRIES
    points = rows.x.numpy()
    found = []
    for seed in torch.randint(2**31, (tries,), generator=generator).tolist():
        fit = kmeans(points, n_clusters, seed=seed, n_init=1, weights=rows.weights)
        found.append(torch.from_numpy(fit.predict(points)).long())
    return torch.stack(found)


def _with_moves(
    rows: GaussianRows, begun: Int64[Tensor, "T N"], n_clusters: int, uniform: bool
) -> Int64[Tensor, " N"]:
    """Fit a diagonal mixture to the best of the clusterings, and move its clusters."""
    mixtures, values = expectation_maximization(
        rows,
        one_hot(begun, n_clusters).double(),
        "diagonal",
        rounds=ROUNDS,
        least_gain=GAIN_OF_MOVES,
        uniform=uniform,
    )
    moved = moved_clusters(rows, mixtures[int(values.argmax())], uniform=uniform)
    return moved.log_joint(rows).argmax(-1)


def _fitted(
    rows: GaussianRows,
    begun: Float[Tensor, "T N K"],
    shape: Shape,
    near: Int64[Tensor, "N count"],
    uniform: bool,
) -> _Candidate:
    """Fit mixtures of one shape from every first clustering, and take the best."""
    mixtures, values = expectation_maximization(
        rows,
        begun,
        shape,
        rounds=ROUNDS,
        least_gain=GAIN_OF_FULL if shape == "full" else GAIN,
        uniform=uniform,
    )
    best: _Candidate | None = None
    compared = COMPARED if begun.shape[-1] <= MANY_CLUSTERS else FEW_COMPARED
    for place in values.argsort(descending=True)[:compared].tolist():
        joint = mixtures[place].log_joint(rows)
        log_p = _left_out(rows, joint.softmax(-1), shape, FOLD_ROUNDS, uniform)
        if best is None or rows.mean(log_p) > rows.mean(best.log_p):
            cost = separation_cost(joint.argmax(-1), near)
            best = _Candidate(Found(mixtures[place]), log_p, cost)
    assert best is not None
    return best


def _raw(
    rows: GaussianRows,
    responsibilities: Float[Tensor, "N K"],
    shape: Shape,
    near: Int64[Tensor, "N count"],
    uniform: bool,
) -> _Candidate:
    """Take clusters as they are."""
    mixture = Gaussians.of(rows, responsibilities, shape, uniform=uniform)
    clusters = responsibilities.argmax(-1)
    log_p = _left_out(rows, responsibilities, shape, 1, uniform)
    return _Candidate(Found(mixture, clusters), log_p, separation_cost(clusters, near))


def _best_raw(
    rows: GaussianRows,
    responsibilities: Float[Tensor, "N K"],
    near: Int64[Tensor, "N count"],
    uniform: bool,
) -> _Candidate:
    """Take clusters as they are, in the shape of covariances that suits them."""
    found = [_raw(rows, responsibilities, shape, near, uniform) for shape in SHAPES]
    return max(found, key=lambda c: rows.mean(c.score))


def _left_out(
    rows: GaussianRows,
    responsibilities: Float[Tensor, "N K"],
    shape: Shape,
    rounds: int,
    uniform: bool,
) -> Float[Tensor, " N"]:
    """Compute log p(x) of each row under a mixture that was fitted without its part of the rows."""
    part = torch.arange(len(rows)) * FOLDS // max(len(rows), 1)
    part = part[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]
    left_out = part == torch.arange(FOLDS).unsqueeze(-1)
    mixtures, _ = expectation_maximization(
        rows,
        responsibilities.expand(FOLDS, -1, -1),
        shape,
        rounds=rounds,
        least_gain=FOLD_GAIN,
        weights=rows.weights * ~left_out,
        uniform=uniform,
    )
    log_p = mixtures.log_joint(rows).logsumexp(-1)
    return log_p[part, torch.arange(len(rows))]


def _in_pieces(near: Int64[Tensor, "N count"], n_clusters: int) -> bool:
    """Say whether the graph of neighbours falls into K pieces, none of them small."""
    sizes = pieces(near).bincount()
    return len(sizes) == n_clusters and int(sizes.min()) > SMALL_PIECE * len(near) / n_clusters


def _on_all(rows: GaussianRows, few: _Few, found: Found, n_clusters: int, uniform: bool) -> Found:
    """Go on with all rows from a start that was found for some, if there are more."""
    if len(few.rows) == len(rows):
        return found
    if found.clusters is None:
        r = found.mixture.log_joint(rows).softmax(-1).unsqueeze(0)
        mixtures, _ = expectation_maximization(
            rows, r, found.mixture.shape, rounds=ALL_ROUNDS, least_gain=GAIN, uniform=uniform
        )
        return Found(mixtures[0])
    clusters = followed(few.rows.x, found.clusters, rows.x, FOLLOWED)
    r = one_hot(clusters, n_clusters).double()
    return Found(Gaussians.of(rows, r, found.mixture.shape, uniform=uniform), clusters)
