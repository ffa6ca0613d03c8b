"""Sum up how the columns of a table differ between clusters, in the units of the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from pyro_gmvae.data.columns.quantiles import draw_near
from pyro_gmvae.data.schema import Column, Schema

__all__ = ["ColumnProfile", "codes_of", "comparable", "profiles_of"]

LOGGED = ("amount", "count")  # kinds whose logarithms are compared
FAR = 6.0  # robust standard deviations from the median, where far cells are drawn to


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """Hold what each of K clusters looks like in one column.

    Attributes:
        column: the column.
        name: its name.
        typical: ``(K,)`` the mean of a cluster's cells, or the median of amounts, in the units of
            the table; for a spike the mean of its unusual cells; NaN where there are none, and for
            levels.
        deviation: ``(K,)`` the cluster's mean in standard deviations of the column, from the mean
            of all rows; amounts and counts by their logarithms, far cells drawn near. NaN for
            levels and spikes.
        shares: ``(K, L)`` the shares of the levels among a cluster's known cells; for a spike the
            shares of usual and unusual cells; empty for numbers.
        gaps: ``(K,)`` the share of a cluster's cells that are missing.
        tells: how much of the column's variance lies between clusters, from 0 to 1.

    >>> import torch
    >>> x, clusters = torch.tensor([[20.0], [30.0], [50.0], [60.0]]), torch.tensor([0, 0, 1, 1])
    >>> (age,) = profiles_of(Schema((Column("age"),)), x, clusters, 2)
    >>> age.name, age.typical.round(6).tolist(), age.gaps.tolist()
    ('age', [25.0, 55.0], [0.0, 0.0])
    """

    column: Column
    name: str
    typical: np.ndarray
    deviation: np.ndarray
    shares: np.ndarray
    gaps: np.ndarray
    tells: float


def profiles_of(
    schema: Schema,
    x: Float[Tensor, "N D"],
    clusters: Int[Tensor, " N"],
    n_clusters: int,
    weights: Float[Tensor, " N"] | None = None,
) -> list[ColumnProfile]:
    """Sum up each column of a table by clusters.

    Args:
        schema: the D columns.
        x: rows in raw units, NaN where a cell is missing.
        clusters: the cluster of each row.
        n_clusters: K.
        weights: how much each row counts; None if all count alike.

    >>> import torch
    >>> schema = Schema((Column("age"), Column("tier", "category", "text", levels=("a", "b"))))
    >>> x = torch.tensor([[20.0, 0.0], [30.0, 0.0], [50.0, 1.0], [torch.nan, 0.0]])
    >>> age, tier = profiles_of(schema, x, torch.tensor([0, 0, 1, 1]), 2)
    >>> age.typical, age.gaps, tier.shares
    (array([25., 50.]), array([0. , 0.5]), array([[1. , 0. ],
           [0.5, 0.5]]))
    """
    values, members = x.double().cpu().numpy(), clusters.cpu().numpy()
    mass = np.ones(len(values)) if weights is None else weights.double().cpu().numpy()
    found = []
    for column, name, cells in zip(schema.columns, schema.shown_names, values.T, strict=True):
        known = np.isfinite(cells)
        total = np.bincount(members, mass, n_clusters)
        held = np.bincount(members[known], mass[known], n_clusters)
        gaps = 1 - _shares(held, total)
        made = _profile(column, name, cells[known], members[known], mass[known], n_clusters, gaps)
        found.append(made)
    return found


def _profile(
    column: Column,
    name: str,
    cells: np.ndarray,
    members: np.ndarray,
    mass: np.ndarray,
    k: int,
    gaps: np.ndarray,
) -> ColumnProfile:
    """Sum up the known cells of one column."""
    none = np.full(k, np.nan)
    if column.has_levels or column.kind == "spike":
        codes = codes_of(column, cells)
        n_levels = max(len(column.levels), 2)
        counts = np.zeros((k, n_levels))
        np.add.at(counts, (members, codes), mass)
        typical = none
        if column.kind == "spike":
            unusual = codes == 1
            typical = _means(cells[unusual], members[unusual], mass[unusual], k)
        shares = _shares(counts, counts.sum(1, keepdims=True))
        return ColumnProfile(column, name, typical, none, shares, gaps, _told_levels(counts))
    near = comparable(column, cells)
    means = _means(near, members, mass, k)
    centre, spread = _moments(near, mass)
    if column.kind == "amount":
        typical = np.array([_median(cells[i], mass[i]) for i in _each(members, k)])
    else:
        typical = _means(cells, members, mass, k)
    deviation = (means - centre) / (spread or 1.0)
    held = np.bincount(members, mass, k)
    tells = float(np.nansum(held * deviation**2) / held.sum()) if held.sum() else 0.0
    return ColumnProfile(column, name, typical, deviation, np.empty((k, 0)), gaps, tells)


def codes_of(column: Column, cells: np.ndarray) -> np.ndarray:
    """Return the level of each known cell, or for a spike whether it is unusual.

    >>> codes_of(Column("gain", "spike", usual=0.0), np.array([0.0, 7.5]))
    array([0, 1])
    """
    if column.kind == "spike":
        return (cells != column.usual).astype(np.int64)
    if column.cells != "number":
        return cells.round().astype(np.int64)
    levels = np.array(column.levels, dtype=np.float64)
    return np.searchsorted(levels[1:] / 2 + levels[:-1] / 2, cells)


def comparable(column: Column, cells: np.ndarray) -> np.ndarray:
    """Take logarithms of skewed kinds, and draw far cells near; the cells are known ones.

    >>> comparable(Column("visits", "count"), np.array([0.0, np.e - 1])).round(6)
    array([0., 1.])
    """
    flat = np.sign(cells) * np.log1p(np.abs(cells)) if column.kind in LOGGED else cells
    return draw_near(flat, FAR) if len(flat) else flat


def _told_levels(counts: np.ndarray) -> float:
    """Return the share of the levels' variance that lies between clusters."""
    total, by_level = counts.sum(), counts.sum(0)
    if not total:
        return 0.0
    spread = 1 - ((by_level / total) ** 2).sum()
    rows = counts.sum(1)
    within = (rows / total * (1 - (_shares(counts, rows[:, None], 0.0) ** 2).sum(1))).sum()
    return float(1 - within / spread) if spread > 0 else 0.0


def _shares(part: np.ndarray, whole: np.ndarray, empty: float = np.nan) -> np.ndarray:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), empty)


def _each(members: np.ndarray, k: int) -> Iterator[np.ndarray]:
    """Give the places of each cluster's cells."""
    order = np.argsort(members, kind="stable")
    yield from np.split(order, np.searchsorted(members[order], np.arange(1, k)))


def _means(cells: np.ndarray, members: np.ndarray, mass: np.ndarray, k: int) -> np.ndarray:
    # Divided by the largest first, for a sum of large numbers may overflow.
    unit = float(np.abs(cells).max(initial=0.0)) or 1.0
    sums = np.bincount(members, cells / unit * mass, k)
    return _shares(sums, np.bincount(members, mass, k)) * unit


def _moments(cells: np.ndarray, mass: np.ndarray) -> tuple[float, float]:
    """Return the mean and the standard deviation of all cells."""
    if not mass.sum():
        return 0.0, 0.0
    unit = float(np.abs(cells).max()) or 1.0
    shares, flat = mass / mass.sum(), cells / unit
    centre = float((shares * flat).sum())
    return centre * unit, float(np.sqrt((shares * (flat - centre) ** 2).sum())) * unit


def _median(cells: np.ndarray, mass: np.ndarray) -> float:
    """Return the middle of the cells; a cell of weight 2 counts as two."""
    order = np.argsort(cells, kind="stable")
    cells, heights = cells[order], np.cumsum(mass[order])
    if not len(cells) or not heights[-1]:
        return float("nan")
    half = heights[-1] / 2
    low = np.searchsorted(heights, half * (1 - 1e-12))
    high = np.searchsorted(heights, half * (1 + 1e-12))
    high = min(int(high), len(cells) - 1)
    return float(cells[low] / 2 + cells[high] / 2)
