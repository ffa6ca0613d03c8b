"""Write the numbers of a table as the cells that its users have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyro_gmvae.data.columns.dates import timestamps
from pyro_gmvae.data.schema import Column, Schema

if TYPE_CHECKING:
    import pandas

__all__ = ["frame_of"]


def frame_of(schema: Schema, values: np.ndarray) -> pandas.DataFrame:
    """Return a data frame with text, dates and truth values in place of their numbers.

    Args:
        schema: D columns.
        values: ``(N, D)`` in raw units, NaN where a cell is missing.

    >>> tier = Column("tier", "category", "text", levels=("gold", "silver"))
    >>> frame_of(Schema((tier, Column("age"))), np.array([[1.0, 30.5], [0.0, 41.0]]))
         tier   age
    0  silver  30.5
    1    gold  41.0
    """
    import pandas

    cells = [_cells(c, v) for c, v in zip(schema.columns, values.T, strict=True)]
    frame = pandas.DataFrame(dict(enumerate(cells)))
    frame.columns = pandas.Index(schema.shown_names)
    return frame


def _cells(column: Column, values: np.ndarray) -> Any:
    import pandas

    known = np.isfinite(values)
    if column.cells == "date":
        assert column.format is not None
        return timestamps(values, column.format)
    if column.cells == "number":
        return values
    codes = np.where(known, values, -1).round().astype(np.int64)
    if column.cells == "boolean":
        return pandas.arrays.BooleanArray(codes > 0, ~known)
    names = np.array([*column.level_names, None], dtype=object)
    return pandas.array(names[codes], dtype="str")
