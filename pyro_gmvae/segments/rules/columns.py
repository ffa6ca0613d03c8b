"""Turn the columns of a table into questions that a tree can ask, and its answers into bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
from jaxtyping import Float, Float32

from pyro_gmvae.data.schema import Column, Schema

__all__ = ["Feature", "bound_between", "features_of", "questions"]

MOST_FEATURES = 1_000  # of one kind of question; levels of few rows go first
SECONDS = 86_400  # of a day


@dataclass(frozen=True, eq=False)
class Feature:
    """Ask one thing about a column: how large its cell is, or whether it is one level.

    Attributes:
        column: the place of the column.
        level: the number of the level that is asked for, in raw units; None for a size.
        values: the different known cells in their order, of a size.

    >>> Feature(0, None, np.array([10.0, 20.0, 70.0])).codes(np.array([70.0, np.nan, 10.0]))
    array([ 2., nan,  0.], dtype=float32)
    """

    column: int
    level: float | None
    values: Float[np.ndarray, " V"]

    def codes(self, cells: Float[np.ndarray, " N"]) -> Float32[np.ndarray, " N"]:
        """Return the rank of a size, or 1 where the cell is the level; NaN where it is missing.

        A tree rounds to float32, which holds every rank but not every number.
        """
        asked = np.searchsorted(self.values, cells) if self.level is None else cells == self.level
        return np.where(np.isnan(cells), np.nan, asked).astype(np.float32)


def features_of(
    schema: Schema, x: Float[np.ndarray, "N D"], least_rows: int
) -> tuple[Feature, ...]:
    """List the questions about all columns that at least so many rows answer by yes.

    Numbers and dates are asked for their size, text and truth values for each level. Numbers that
    stand for levels without an order are asked for these.

    >>> columns = (Column("age"), Column("tier", "category", "text", levels=("a", "b", "c")))
    >>> x = np.array([[20.0, 0.0], [30.0, 1.0], [40.0, 1.0], [50.0, 2.0]])
    >>> [f.level for f in features_of(Schema(columns), x, 1)]
    [None, 0.0, 1.0, 2.0]
    """
    found: list[tuple[int, Feature]] = []
    for place, column in enumerate(schema.columns):
        cells = x[:, place]
        values, counts = np.unique(cells[~np.isnan(cells)], return_counts=True)
        if len(values) < 2:
            continue
        if _has_order(column):
            found.append((len(x), Feature(place, None, values)))
            continue
        asked = list(zip(values, counts, strict=True))
        # With two levels, one of them is the other's no.
        for value, count in asked[1:] if len(asked) == 2 else asked:
            if count >= least_rows:
                found.append((int(count), Feature(place, float(value), values)))
    kept = sorted(range(len(found)), key=lambda i: -found[i][0])[:MOST_FEATURES]
    return tuple(found[i][1] for i in sorted(kept))


def _has_order(column: Column) -> bool:
    if column.cells == "number":
        return column.kind not in ("binary", "category")
    return column.cells == "date"


def questions(
    features: Sequence[Feature], x: Float[np.ndarray, "N D"]
) -> Float32[np.ndarray, "N F"]:
    """Ask all rows all questions.

    >>> x = np.array([[20.0], [40.0], [30.0]])
    >>> questions(features_of(Schema((Column("age"),)), x, 1), x).ravel().tolist()
    [0.0, 2.0, 1.0]
    """
    return np.stack([f.codes(x[:, f.column]) for f in features], 1)


def bound_between(low: float, high: float, *, date: bool = False) -> float:
    """Choose a number from ``low`` up to below ``high`` that is short to write.

    A date becomes a whole day if there is one, else a second.

    >>> bound_between(48_912.0, 51_200.0), bound_between(37.0, 38.0), bound_between(0.12, 0.13)
    (50000.0, 37.0, 0.12)
    """
    middle = low + (high - low) / 2
    if date:
        for parts in (1, SECONDS):
            bound = floor(middle * parts) / parts
            if low <= bound < high:
                return bound
        return low
    for digits in range(-15, 17):
        for bound in (round(middle, digits), round(middle - 0.5 * 10.0**-digits, digits)):
            if low <= bound < high:
                return bound
    return low
