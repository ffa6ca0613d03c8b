"""Hold what a rule asks of one column, as a value, as words and as a test of cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from pyro_gmvae.data.columns.dates import DAY, TIME, timestamps
from pyro_gmvae.data.schema import Cells, Schema, shown_number
from pyro_gmvae.visible import visible

__all__ = ["Condition"]


@dataclass(frozen=True)
class Condition:
    """Say which cells of a column a rule takes.

    Attributes:
        column: the name of the column.
        place: its place in the model's rows.
        cells: how its cells are written.
        low: known cells must be above it; None for no bound. Dates are days since 1970-01-01.
        high: known cells must be at most it; None for no bound.
        only: the level that known cells must be, in raw units; None for no such level.
        but: levels that known cells must not be, in raw units.
        levels: all levels of text and truth values, or numbers that stand for levels.
        known: whether a known cell may meet it.
        missing: whether a missing cell meets it.

    >>> age = Condition("age", 0, "number")
    >>> str(age.side(30.0, below=False, missing=False).side(60.0, below=True, missing=True))
    'age > 30 and age <= 60'
    """

    column: str
    place: int
    cells: Cells
    low: float | None = None
    high: float | None = None
    only: float | None = None
    but: tuple[float, ...] = ()
    levels: tuple[str | float, ...] = ()
    known: bool = True
    missing: bool = True

    @classmethod
    def any(cls, schema: Schema, place: int) -> Condition:
        """Return the condition that every cell of a column meets."""
        column = schema.columns[place]
        return cls(schema.shown_names[place], place, column.cells, levels=column.levels)

    def side(self, bound: float, *, below: bool, missing: bool) -> Condition:
        """Narrow it to one side of a bound, with or without missing cells."""
        own = replace(self, missing=self.missing and missing)
        if below:
            return replace(own, high=bound if self.high is None else min(bound, self.high))
        return replace(own, low=bound if self.low is None else max(bound, self.low))

    def level(self, level: float, *, holds: bool, missing: bool) -> Condition:
        """Narrow it to one level, or to all others, with or without missing cells."""
        own = replace(self, missing=self.missing and missing)
        if holds:
            return replace(own, only=level, but=())
        return own if self.only is not None else replace(own, but=(*self.but, level))

    def without_missing(self) -> Condition:
        """Narrow it to known cells."""
        return replace(self, missing=False)

    def without_known(self) -> Condition:
        """Narrow it to missing cells."""
        return replace(self, known=False)

    @property
    def asks_nothing(self) -> bool:
        """Return True if every cell meets it."""
        return self.known and self.missing and not self.asks_of_known

    @property
    def asks_of_known(self) -> bool:
        """Return True if it asks more of a cell than that it is known."""
        return not (self.low is None and self.high is None and self.only is None and not self.but)

    def holds(self, cells: Float[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Test cells in raw units, NaN where one is missing.

        >>> Condition("age", 0, "number", low=3.0).holds(np.array([3.0, 4.0, np.nan]))
        array([False,  True,  True])
        """
        gap = np.isnan(cells)
        met = np.full(len(cells), self.known)
        if self.low is not None:
            met &= cells > self.low
        if self.high is not None:
            met &= cells <= self.high
        if self.only is not None:
            met &= cells == self.only
        for level in self.but:
            met &= cells != level
        return np.where(gap, self.missing, met)

    @property
    def taken(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the levels that meet it, and those that do not, in raw units.

        >>> tier = Condition("tier", 0, "text", but=(1.0,), levels=("a", "b", "c"))
        >>> tier.taken
        ((0.0, 2.0), (1.0,))
        """
        codes = [v if isinstance(v, float) else float(i) for i, v in enumerate(self.levels)]
        met = [
            self.known and (v == self.only if self.only is not None else v not in self.but)
            for v in codes
        ]
        return (
            tuple(v for v, m in zip(codes, met, strict=True) if m),
            tuple(v for v, m in zip(codes, met, strict=True) if not m),
        )

    def name_of(self, level: float) -> str:
        """Return the name of a level."""
        named = self.cells in ("text", "boolean")
        return str(self.levels[int(level)]) if named else shown_number(level)

    def time_of(self, bound: float) -> str:
        """Return a bound of a date as ISO 8601, with the time of day unless it is midnight."""
        whole = bound == int(bound)
        text = str(timestamps(np.array([bound]), DAY if whole else TIME)[0])
        return text[:10] if whole else text.replace("T", " ")

    def words(self, *, gaps: bool = False) -> str:
        """Write it for people.

        Args:
            gaps: whether to say what becomes of missing cells.
        """
        name = visible(self.column)
        if not self.known:
            return f"{name} is missing"
        parts = []
        for sign, bound in ((">", self.low), ("<=", self.high)):
            if bound is not None:
                shown = self.time_of(bound) if self.cells == "date" else shown_number(bound)
                parts.append(f"{name} {sign} {shown}")
        if self.only is not None:
            parts.append(f"{name} is {visible(self.name_of(self.only))}")
        if self.but:
            parts.append(f"{name} is not {' or '.join(visible(self.name_of(v)) for v in self.but)}")
        if not parts:
            return f"{name} is not missing"
        text = " and ".join(parts)
        return f"({text} or {name} is missing)" if gaps and self.missing else text

    def __str__(self) -> str:
        return self.words()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with levels by their names and dates as text.

        >>> Condition("age", 0, "number", low=30.0).to_dict()
        {'column': 'age', 'above': 30.0, 'known': True, 'missing': True}
        """
        made: dict[str, Any] = {"column": self.column}
        for key, bound in (("above", self.low), ("at_most", self.high)):
            if bound is not None:
                made[key] = self.time_of(bound) if self.cells == "date" else bound
        if self.only is not None:
            made["is"] = self.name_of(self.only)
        if self.but:
            made["is_not"] = [self.name_of(level) for level in self.but]
        return made | {"known": self.known, "missing": self.missing}
