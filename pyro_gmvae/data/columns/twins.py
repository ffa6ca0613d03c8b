"""Find columns that say nothing beside another one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyro_gmvae.data.schema import Column, LeftOut

__all__ = ["redundant_columns"]

FEW_ROWS = 20
SOME_ROWS = 2_000  # a pair is looked at in so many rows before all of them
MOST_VALUES = 1_000  # different values of a column that may tell another
REPEATS = 5  # rows for each of these, so that telling is no accident
LEAST_OTHERS = 10  # rows in which the told column has another value than its most frequent one
MOST_COLUMNS = 2_000  # pairs of more columns take too long
SAME = 1e-10  # how far the square of a correlation may be from 1 in a copy in other units


def redundant_columns(
    columns: Sequence[Column], values: np.ndarray, *, fixed: Sequence[str | None] = ()
) -> list[LeftOut]:
    """Choose the columns to leave out since another column tells them.

    A column tells another if each of its values goes with a single value of the other, as cities
    do with regions. The one with more values is kept. Of columns that tell one another, the one of
    text is kept, else the first. A copy of numbers in another unit is left out too.

    Args:
        columns: D columns.
        values: ``(N, D)``, NaN where a cell is missing.
        fixed: the names of columns that are kept in any case.

    >>> city = np.arange(100.0) % 10
    >>> columns = [Column("city", "ordinal", levels=(0.0,)), Column("region", "ordinal")]
    >>> redundant_columns(columns, np.stack([city, city // 5], 1))
    [LeftOut(name='region', why='told by city')]
    """
    if len(values) < FEW_ROWS:
        return []
    gone: dict[int, LeftOut] = {}
    codes = _codes(values)
    if len(codes) <= MOST_COLUMNS:
        for a, b in _likely_pairs(codes):
            if a in gone or b in gone:
                continue
            a_tells, b_tells = _tells(codes[a], codes[b]), _tells(codes[b], codes[a])
            if not (a_tells or b_tells):
                continue
            both = a_tells and b_tells
            text_last = columns[b].cells == "text" != columns[a].cells
            keep, drop = (b, a) if (text_last if both else b_tells) else (a, b)
            if columns[drop].name in fixed:
                keep, drop = drop, keep
            if columns[drop].name not in fixed:
                why = "the same as" if both else "told by"
                gone[drop] = _left_out(columns, drop, f"{why} {_name(columns, keep)}")
    for a, b in _copies(columns, values):
        if a not in gone and b not in gone and columns[b].name not in fixed:
            gone[b] = _left_out(columns, b, f"the same as {_name(columns, a)} in another unit")
    return [gone[i] for i in sorted(gone)]


def _name(columns: Sequence[Column], place: int) -> str:
    return columns[place].name or f"column {place}"


def _left_out(columns: Sequence[Column], place: int, why: str) -> LeftOut:
    return LeftOut(_name(columns, place), why)


def _codes(values: np.ndarray) -> dict[int, np.ndarray]:
    """Give the values of each column that has few of them codes, -1 for a gap."""
    found = {}
    for j, column in enumerate(values.T):
        known = ~np.isnan(column)
        if len(np.unique(column[:SOME_ROWS])) > MOST_VALUES:
            continue
        distinct, places = np.unique(column[known], return_inverse=True)
        if 2 <= len(distinct) <= MOST_VALUES:
            codes = np.full(len(column), -1)
            codes[known] = places
            found[j] = codes
    return found


def _likely_pairs(codes: dict[int, np.ndarray]) -> list[tuple[int, int]]:
    """List the pairs of columns of which one tells the other in the first rows.

    Rows that follow one another in the order of a column, and have the same value there, have to
    have the same value in a column that it tells: one comparison for all of them.
    """
    if not codes:
        return []
    places = list(codes)
    some = np.stack([codes[j][:SOME_ROWS] for j in places], 1)
    tells = np.zeros((len(places), len(places)), dtype=bool)
    for row, teller in enumerate(some.T):
        order = np.flatnonzero(teller >= 0)
        order = order[teller[order].argsort(kind="stable")]
        same = teller[order[1:]] == teller[order[:-1]]
        before, after = some[order[:-1][same]], some[order[1:][same]]
        tells[row] = ((before == after) | (before < 0) | (after < 0)).all(0)
    either = np.triu(tells | tells.T, 1)
    return [(places[a], places[b]) for a, b in np.argwhere(either).tolist()]


def _tells(teller: np.ndarray, told: np.ndarray) -> bool:
    both = (teller >= 0) & (told >= 0)
    a, b = teller[both], told[both]
    if len(a) < FEW_ROWS:
        return False
    values = len(np.unique(a))
    if len(np.unique(a * (told.max() + 1) + b)) != values:
        return False
    others = len(b) - int(np.bincount(b).max())
    return len(a) >= REPEATS * values and others >= LEAST_OTHERS


def _copies(columns: Sequence[Column], values: np.ndarray) -> list[tuple[int, int]]:
    """Find pairs of columns of numbers whose correlation is 1 or -1."""
    numeric = [
        j
        for j, c in enumerate(columns)
        if not c.has_levels and len(np.unique(values[:SOME_ROWS, j])) > 2
    ]
    if len(numeric) < 2:
        return []
    some = values[:SOME_ROWS, numeric]
    low = np.where(np.isnan(some), np.inf, some).min(0)
    filled = np.nan_to_num(some - low, nan=0.0, neginf=0.0)
    size = np.maximum(filled.max(0), np.finfo(float).tiny)
    pairs = np.argwhere(np.triu(_squares(filled / size), 1) > 1 - SAME).tolist()
    found = []
    for i, j in pairs:
        a, b = values[:, numeric[i]], values[:, numeric[j]]
        gaps = np.isnan(a)
        if (gaps == np.isnan(b)).all() and (~gaps).sum() >= FEW_ROWS:
            both = np.stack([a[~gaps], b[~gaps]], 1)
            both = both - both.min(0)
            if _squares(both / both.max(0))[0, 1] > 1 - SAME:
                found.append((numeric[i], numeric[j]))
    return found


def _squares(x: np.ndarray) -> np.ndarray:
    """Return the squared correlations of columns."""
    centred = x - x.mean(0)
    spread = np.sqrt((centred**2).sum(0))
    scaled = centred / np.where(spread > 0, spread, 1.0)
    return (scaled.T @ scaled) ** 2
