"""Look at a column of a table in every way in which clusters may differ in it.

A number is compared by means, an amount by means of logarithms, a count by rates, a level by
shares; a spike by the share of unusual cells and by their mean; and any column by its gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from pyro_gmvae.data.columns.profiles import LOGGED, codes_of, comparable
from pyro_gmvae.data.schema import Column
from pyro_gmvae.segments.explanation.effects import (
    Contrast,
    Levels,
    Numbers,
    log_odds,
    log_rate_ratio,
    standardised,
)

__all__ = ["MOST_LOOKED_AT", "Look", "Measure", "Part", "Sums", "looks_at"]

Measure = Literal["standardised difference", "log odds ratio", "log rate ratio"]
Part = Literal["value", "level", "unusual", "gap"]
MOST_LOOKED_AT = 100  # levels of one column, the commonest ones
FEW = 5.0  # effective rows of a group, below which nothing is said of it

Pairs = Sequence[tuple[int, int | None]]


@runtime_checkable
class Sums(Protocol):
    """Sum features over the rows of clusters: drawn ones, or those that rows are shared out to.

    >>> from pyro_gmvae.segments.explanation.imputation import Memberships
    >>> draws = Memberships(np.array([[0, 1, 1]]), 2)
    >>> isinstance(draws, Sums), draws.sums(np.array([[1.0], [2.0], [3.0]]))[0].tolist()
    (True, [[1.0], [5.0]])
    """

    def sums(self, features: Any) -> np.ndarray:
        """Sum features ``(N, F)`` over the rows of each cluster, shape ``(M, K, F)``."""


@dataclass(frozen=True, eq=False)
class Look:
    """Hold one way to compare clusters in a column.

    Attributes:
        part: what is compared.
        measure: the kind of effect.
        levels: the levels ``(L,)``, or one empty name.
        contrast: the comparisons, arrays ``(M, pairs, L)``.
        to_unit: brings means to the units of the table.

    >>> from pyro_gmvae.segments.explanation.imputation import Memberships
    >>> age, two = np.repeat([1.0, 2.0, 3.0, 4.0], 5), np.repeat([0, 1], 10)
    >>> draws = Memberships(np.stack([two, two]), 2)
    >>> (look,) = looks_at(Column("age"), age, np.ones(20), draws, [(1, None)])
    >>> look.part, look.measure
    ('value', 'standardised difference')
    >>> look.to_unit(look.contrast.here).ravel().round(2)  # the mean of cluster 1 in each draw
    array([3.5, 3.5])
    """

    part: Part
    measure: Measure
    levels: tuple[str, ...]
    contrast: Contrast
    to_unit: Callable[[np.ndarray], np.ndarray]


def looks_at(
    column: Column, cells: np.ndarray, mass: np.ndarray, draws: Sums, pairs: Pairs
) -> Iterator[Look]:
    """Compare clusters in a column.

    Args:
        column: the column.
        cells: ``(N,)`` in raw units, NaN where one is missing.
        mass: ``(N,)`` the weights of the rows.
        draws: draws of the rows' clusters.
        pairs: a cluster and the one that it is compared with; None is all rows but its own.

    >>> from pyro_gmvae.segments.explanation.imputation import Memberships
    >>> age, two = np.arange(20.0), np.repeat([0, 1], 10)
    >>> draws = Memberships(np.stack([two, two]), 2)
    >>> look, = looks_at(Column("age"), age, np.ones(20), draws, [(1, None)])
    >>> look.contrast.estimate.round(2).ravel(), look.to_unit(look.contrast.here).ravel()
    (array([1.73, 1.73]), array([14.5, 14.5]))
    """
    known = np.isfinite(cells)
    if known.any() and not known.all():
        yield _levels("gap", ("gap",), (~known)[:, None], mass, draws, pairs)
    if column.has_levels:
        codes = np.full(len(cells), -1)
        codes[known] = codes_of(column, cells[known])
        yield from _level_looks(column, codes, mass, draws, pairs)
        return
    if column.kind == "spike":
        unusual = known & (cells != column.usual)
        weights = np.where(known, mass, 0.0)
        yield _levels("unusual", ("",), unusual[:, None], weights, draws, pairs)
        known = unusual
    yield from _number_looks(column, cells, np.where(known, mass, 0.0), draws, pairs)


def _level_looks(
    column: Column, codes: np.ndarray, mass: np.ndarray, draws: Sums, pairs: Pairs
) -> Iterator[Look]:
    known = codes >= 0
    common = np.argsort(-np.bincount(codes[known], minlength=len(column.levels)), kind="stable")
    places = np.sort(common[:MOST_LOOKED_AT])
    names = tuple(column.level_names[i] for i in places)
    weights = np.where(known, mass, 0.0)
    yield _levels("level", names, codes[:, None] == places, weights, draws, pairs)


def _levels(
    part: Part,
    names: tuple[str, ...],
    is_level: np.ndarray,
    weights: np.ndarray,
    draws: Sums,
    pairs: Pairs,
) -> Look:
    from scipy.sparse import csr_matrix

    base = np.stack([weights, weights**2], 1)
    totals = draws.sums(base)
    counts = draws.sums(csr_matrix(is_level * weights[:, None]))
    each = Levels(totals[..., 0], totals[..., 1], counts)
    whole = Levels(*(a.sum(1, keepdims=True) for a in (each.mass, each.squares, each.counts)))
    ours, others = (Levels(*a) for a in _sides((each.mass, each.squares, each.counts), pairs))
    made = log_odds(ours, others, whole)
    few = (np.fmin(ours.n, others.n).min(0) < FEW)[None, :, None]
    return Look(part, "log odds ratio", names, _without(made, few), lambda share: share)


def _number_looks(
    column: Column, cells: np.ndarray, weights: np.ndarray, draws: Sums, pairs: Pairs
) -> Iterator[Look]:
    counted = weights > 0
    if not counted.any():
        return
    flat = np.zeros(len(cells))
    flat[counted] = comparable(column, cells[counted])
    shares = weights / weights.sum()
    centre = float(shares @ flat)
    spread = float(np.sqrt(shares @ (flat - centre) ** 2))
    if not spread > 1e-9 * max(1.0, abs(centre)):  # one value says nothing
        return
    x = np.where(counted, (flat - centre) / spread, 0.0)
    made, few = _means(x, weights, draws, pairs)
    if column.kind == "count":
        rates = _sums(np.where(counted, cells, 0.0), weights, draws, powers=2)
        ours, others = (Numbers(*a) for a in _sides(rates, pairs))
        made = log_rate_ratio(ours, others, made.difference)
        yield Look("value", "log rate ratio", ("",), _with_level(_without(made, few)), _same)
        return

    def to_unit(mean: np.ndarray) -> np.ndarray:
        raw = mean * spread + centre
        return np.sign(raw) * np.expm1(np.abs(raw)) if column.kind in LOGGED else raw

    made = _with_level(_without(made, few))
    yield Look("value", "standardised difference", ("",), made, to_unit)


def _means(
    x: np.ndarray, weights: np.ndarray, draws: Sums, pairs: Pairs
) -> tuple[Contrast, np.ndarray]:
    """Compare means of standardised cells; and tell which groups are too small."""
    sums = _sums(x, weights, draws, powers=4)
    ours, others = (Numbers(*a) for a in _sides(sums, pairs))
    whole = Numbers(*(a.sum(1, keepdims=True) for a in sums))
    few = (np.fmin(ours.n, others.n).min(0) < FEW)[None]
    return standardised(ours, others, whole), few


def _sums(
    x: np.ndarray, weights: np.ndarray, draws: Sums, *, powers: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sums of w, w² and of w times the powers of x, by draws and clusters."""
    columns = [weights, weights**2, *(weights * x**p for p in range(1, powers + 1))]
    sums = draws.sums(np.stack(columns, 1))
    return sums[..., 0], sums[..., 1], sums[..., 2:]


def _sides(
    sums: tuple[np.ndarray, np.ndarray, np.ndarray], pairs: Pairs
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the sums of both sides of each pair: the cluster's own, and those of the other."""
    ours = [k for k, _ in pairs]
    rest = np.array([other is None for _, other in pairs])
    others = [0 if other is None else other for _, other in pairs]
    first, second = [], []
    for each in sums:
        own = each[:, ours]
        left = (each.sum(1, keepdims=True) - own).clip(min=0 if each.ndim == 2 else None)
        shape = (1, -1, *[1] * (each.ndim - 2))
        first.append(own)
        second.append(np.where(rest.reshape(shape), left, each[:, others]))
    return first, second


def _without(made: Contrast, few: np.ndarray) -> Contrast:
    """Say nothing of groups that are too small."""
    return Contrast(*(np.where(few, np.nan, part) for part in made))


def _with_level(made: Contrast) -> Contrast:
    return Contrast(*(part[..., None] for part in made))


def _same(mean: np.ndarray) -> np.ndarray:
    return mean
