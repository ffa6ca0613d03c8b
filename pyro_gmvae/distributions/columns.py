"""Say which columns a table has on model scale, and where the numbers that belong to each are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import shortened

__all__ = ["COUNT", "REAL", "ColumnLayout"]

REAL, COUNT = "real", "count"
_LEVELS = re.compile(r"levels:([1-9][0-9]{0,6})")


@dataclass(frozen=True)
class ColumnLayout:
    """Sort the columns of a table on model scale by the family of their law.

    Args:
        columns: a word for each column: ``"real"``, ``"count"`` (0, 1, 2, ...) or ``"levels:L"``
            (codes 0 to L - 1).

    Attributes:
        real, count, levels: places of the columns of each family.
        sizes: L of each column of levels.
        offsets: the place of the first level of each column of levels among all levels.

    Raises:
        InputError: for another word, or no column.

    >>> layout = ColumnLayout(("real", "levels:3", "count", "levels:2"))
    >>> layout.levels, layout.sizes, layout.offsets, layout.n_levels
    ((1, 3), (3, 2), (0, 3), 5)
    """

    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.columns:
            raise InputError("A table needs at least one column.")
        for word in self.columns:
            if word not in (REAL, COUNT) and not _LEVELS.fullmatch(word):
                raise InputError(
                    f"{shortened(word)} is no kind of column on model scale: use real, count or "
                    "levels:L with the number of levels"
                )

    @classmethod
    def of(cls, columns: Sequence[str]) -> ColumnLayout:
        """Make the layout of any sequence of words."""
        return cls(tuple(columns))

    def __len__(self) -> int:
        return len(self.columns)

    @cached_property
    def real(self) -> tuple[int, ...]:
        """Return the places of the real columns."""
        return tuple(i for i, word in enumerate(self.columns) if word == REAL)

    @cached_property
    def count(self) -> tuple[int, ...]:
        """Return the places of the columns of counts."""
        return tuple(i for i, word in enumerate(self.columns) if word == COUNT)

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Return the places of the columns of levels."""
        return tuple(i for i, word in enumerate(self.columns) if word not in (REAL, COUNT))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Return the number of levels of each column of levels."""
        return tuple(int(self.columns[i].partition(":")[2]) for i in self.levels)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Return where the levels of each column of levels begin."""
        return tuple(accumulate(self.sizes, initial=0))[:-1]

    @property
    def n_levels(self) -> int:
        """Count the levels of all columns."""
        return sum(self.sizes)

    @property
    def n_central(self) -> int:
        """Count the decoder's outputs that say where a row is: means, log rates and logits."""
        return len(self.real) + len(self.count) + self.n_levels

    @property
    def n_outputs(self) -> int:
        """Count the decoder's outputs: the central ones, scales and dispersions."""
        return self.n_central + len(self.real) + len(self.count)
