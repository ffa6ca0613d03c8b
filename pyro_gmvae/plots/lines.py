"""Lay columns of several kinds out in lines that fit on a page; all lengths are in inches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pyro_gmvae.data.columns.profiles import ColumnProfile
from pyro_gmvae.plots.cells import heading, is_yes_no

__all__ = ["MAX_HEADING", "SLANT", "Line", "letters_of", "lines_of", "reach"]

MAX_HEADING = 34  # characters of a heading
LETTER = 0.065  # width of a letter of a heading
SLANT = 40  # degrees by which headings are turned
GAP = 0.12  # between groups of columns
NUMBER, ANSWER, UNUSUAL, LEVELS = 0.62, 0.8, 1.0, 1.3  # widths of columns
WIDE = 13.0  # width from which a line of columns is broken
FULL = 0.4  # share of a line from which a group that does not fit begins another one
BROAD_ROWS = 12  # with more clusters lines may be twice as wide

# A group of columns: its title, and the kinds that belong to it.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("numbers: mean", ("real", "count")),
    ("amounts: median", ("amount",)),
    ("dates: mean", ("date",)),
    ("unusual: share, mean", ("spike",)),
    ("yes or no: share", ("yes_no",)),
    ("levels: the commonest", ("category", "ordinal")),
)


@dataclass
class Line:
    """Hold columns that stand side by side.

    Attributes:
        columns: the left edge, the width and the profile of each column.
        groups: the left edge and the title of each group of columns.
        width: the width of all.

    >>> from pyro_gmvae.data import Column
    >>> age = ColumnProfile(
    ...     Column("age"), "age", np.array([20.0, 60.0]), np.array([-1.0, 1.0]),
    ...     np.empty((2, 0)), np.zeros(2), 0.9,
    ... )
    >>> line = Line()
    >>> line.begin("Numbers")
    >>> line.columns.append((line.width, 0.5, age))
    >>> line.groups, line.room() > 0
    ([(0.0, 'Numbers')], True)
    """

    columns: list[tuple[float, float, ColumnProfile]] = field(default_factory=list)
    groups: list[tuple[float, str]] = field(default_factory=list)
    width: float = 0.0

    def begin(self, title: str) -> None:
        """Begin a group beyond the title of the last one."""
        if self.groups:
            at, before = self.groups[-1]
            self.width = max(self.width + GAP, at + len(before) * LETTER + 0.1)
        self.groups.append((self.width, title))

    def room(self) -> float:
        """Return the width with the headings, which lean to the right."""
        ends = [left + width / 2 + reach(letters_of(p))[0] for left, width, p in self.columns]
        return max([self.width, *ends, *(at + len(t) * LETTER for at, t in self.groups)])


def letters_of(profile: ColumnProfile) -> int:
    """Count the characters of a column's heading.

    >>> from pyro_gmvae.data import Column
    >>> age = ColumnProfile(
    ...     Column("age"), "age", np.array([20.0, 60.0]), np.array([-1.0, 1.0]),
    ...     np.empty((2, 0)), np.zeros(2), 0.9,
    ... )
    >>> letters_of(age)
    3
    """
    return len(heading(profile, 0.5 if profile.gaps.any() else 0.0, MAX_HEADING))


def reach(letters: int) -> tuple[float, float]:
    """Return how far a heading goes to the right and up.

    >>> right, up = reach(10)
    >>> 0 < up, reach(20)[0] == 2 * right
    (True, True)
    """
    turn = np.deg2rad(SLANT)
    return letters * LETTER * float(np.cos(turn)), letters * LETTER * float(np.sin(turn))


def lines_of(profiles: Sequence[ColumnProfile], n_rows: int) -> Iterator[Line]:
    """Put the groups of columns side by side, and break them into lines.

    Args:
        profiles: the columns.
        n_rows: the clusters that have a row.

    >>> from pyro_gmvae.data import Column
    >>> age = ColumnProfile(
    ...     Column("age"), "age", np.array([20.0, 60.0]), np.array([-1.0, 1.0]),
    ...     np.empty((2, 0)), np.zeros(2), 0.9,
    ... )
    >>> [len(line.columns) for line in lines_of([age] * 3, n_rows=2)]
    [3]
    """
    most = WIDE if n_rows <= BROAD_ROWS else 2 * WIDE
    line = Line()
    for title, kinds in GROUPS:
        members = [p for p in profiles if _kind(p) in kinds]
        whole = sum(map(_width, members))
        if line.width > FULL * most and line.width + GAP + whole > most:
            yield line
            line = Line()
        begins = True
        for profile in members:
            width = _width(profile)
            if line.columns and line.width + GAP + width > most:
                yield line
                line, begins = Line(), True
            if begins:
                line.begin(title)
            begins = False
            line.columns.append((line.width, width, profile))
            line.width += width
    if line.columns:
        yield line


def _kind(profile: ColumnProfile) -> str:
    if profile.column.kind != "spike" and is_yes_no(profile):
        return "yes_no"
    return "category" if profile.column.kind == "binary" else profile.column.kind


def _width(profile: ColumnProfile) -> float:
    if not profile.shares.shape[1]:
        return NUMBER
    if profile.column.kind == "spike":
        return UNUSUAL
    return ANSWER if is_yes_no(profile) else LEVELS
