"""Hold what was read of a table file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Table:
    """Hold the typed columns of a file, and how they were read.

    Attributes:
        frame: the columns. Numbers are int64, or float64 with NaN where a cell is missing.
        notes: a plain sentence for each guess.
        line_of: gives the line of the file, counted from 1, that a row is on; None if the file has
            no lines, or if that cannot be told.

    >>> import pandas
    >>> Table(pandas.DataFrame({"a": [1, 2]}), ("the text is Windows-1252",)).notes
    ('the text is Windows-1252',)
    """

    frame: "pandas.DataFrame"
    notes: tuple[str, ...] = ()
    line_of: Callable[[int], int | None] | None = None
