"""Lay the profiles of the segments out as a table whose cells have a text and a colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyro_gmvae.data.columns.profiles import ColumnProfile
from pyro_gmvae.plots.cells import heading, is_yes_no, number_text
from pyro_gmvae.report.words import percent_text
from pyro_gmvae.visible import visible

__all__ = ["Cell", "Line", "heat_map"]

MOST_LINES = 30
STRONGEST = 1.5  # standard deviations of the strongest colour
LONGEST = 44  # characters of a heading


@dataclass(frozen=True)
class Cell:
    """Hold a cell.

    Attributes:
        text: what the segment has in the column.
        deviation: by how many standard deviations of all rows it differs from them; the share of a
            level by those of its indicator. NaN where there is nothing to compare.
        gaps: the share of missing cells, as text if it is 1 % or more.

    >>> Cell("32", deviation=-1.0).strength, Cell("32", deviation=-9.0).strength
    (0.67, 1.0)
    """

    text: str
    deviation: float
    gaps: str = ""

    @property
    def strength(self) -> float:
        """Return the strength of the colour, from 0 to 1."""
        size = abs(self.deviation) / STRONGEST
        return round(min(size, 1.0), 2) if np.isfinite(size) else 0.0


@dataclass(frozen=True)
class Line:
    """Hold a column of the table, with a cell for each segment.

    >>> line = Line("age", (Cell("32", -0.5), Cell("58", 0.75)))
    >>> [cell.text for cell in line.cells]
    ['32', '58']
    """

    name: str
    cells: tuple[Cell, ...]


def heat_map(
    profiles: Sequence[ColumnProfile], clusters: Sequence[int], mass: np.ndarray
) -> list[Line]:
    """Return a line for each column, at most 30, those that tell segments apart most first.

    Args:
        profiles: the columns.
        clusters: the segments, in their order.
        mass: ``(K,)`` the share of each cluster.

    >>> from pyro_gmvae.data import Column
    >>> age = ColumnProfile(
    ...     Column("age"), "age", np.array([20.0, 60.0]), np.array([-1.0, 1.0]),
    ...     np.empty((2, 0)), np.zeros(2), 0.9,
    ... )
    >>> (line,) = heat_map([age], clusters=[1, 0], mass=np.array([0.5, 0.5]))
    >>> line.name, [cell.text for cell in line.cells]
    ('age', ['60', '20'])
    """
    ordered = sorted(profiles, key=lambda p: -p.tells)[:MOST_LINES]
    made = []
    for profile in ordered:
        name = visible(heading(profile, 0.0, LONGEST))
        made.append(Line(name, tuple(_cell(profile, k, mass) for k in clusters)))
    return made


def _cell(profile: ColumnProfile, k: int, mass: np.ndarray) -> Cell:
    gaps = float(profile.gaps[k])
    missing = percent_text(gaps) if gaps >= 0.01 else ""
    if not profile.shares.size:
        text = visible(number_text(float(profile.typical[k]), profile)) or "no cell"
        return Cell(text, float(profile.deviation[k]), missing)
    shares = profile.shares[k]
    if np.isnan(shares).any():
        return Cell("no cell", float("nan"), missing)
    level = 1 if is_yes_no(profile) else int(shares.argmax())
    text = percent_text(float(shares[level]))
    if not is_yes_no(profile):
        text = f"{visible(profile.column.level_names[level])}: {text}"
    elif profile.column.kind == "spike" and shares[1] > 0:
        text = f"{text}: {number_text(float(profile.typical[k]), profile)}"
    known = mass * (1 - np.nan_to_num(profile.gaps, nan=1.0))
    p = float(np.nansum(profile.shares[:, level] * known) / known.sum())
    spread = np.sqrt(p * (1 - p))
    return Cell(text, float((shares[level] - p) / spread) if spread else 0.0, missing)
