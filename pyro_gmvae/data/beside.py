"""Bring columns that users hand over beside the rows to a data frame: outcomes and covariates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pyro_gmvae.data.tables import as_frame, is_frame
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import cut

if TYPE_CHECKING:
    import pandas

__all__ = ["frame_beside"]


def frame_beside(given: Any, n_rows: int, what: str) -> pandas.DataFrame:
    """Bring columns to a data frame of the same rows as X.

    Args:
        given: a data frame, a named column, a dict from names to columns, or an array ``(N,)``.
            Rows are matched by their order; an index is ignored.
        n_rows: N.
        what: one of the columns in messages, such as ``"outcome"``; the name of one without a name.

    Raises:
        InputError: for another number of rows, no column, or two of one name.

    >>> frame_beside({"churn": [0, 1]}, 2, "outcome")
       churn
    0      0
    1      1
    """
    import pandas

    if isinstance(given, Mapping):
        columns = {str(name): _cells(column, what) for name, column in given.items()}
        lengths = {len(column) for column in columns.values()}
        if len(lengths) > 1:
            raise InputError(f"the {what}s have {sorted(lengths)} rows: give columns of one length")
        frame = pandas.DataFrame(columns)
    elif is_frame(given):
        frame = as_frame(given).reset_index(drop=True)
    else:
        name = getattr(given, "name", None)
        cells = _cells(given, what)
        frame = pandas.DataFrame({what if name is None else str(name): cells})
    if len(frame) != n_rows:
        raise InputError(
            f"the {what}s have {len(frame)} rows and X has {n_rows}: give the same rows in the "
            "same order"
        )
    if not frame.shape[1]:
        raise InputError(f"the {what}s have no column: name at least one")
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise InputError(f"two {what}s are called {cut(repeated[0])}: rename one of them")
    return frame


def _cells(column: Any, what: str) -> Any:
    """Return a column without its index; a list or an array must have one axis."""
    import pandas

    if isinstance(column, pandas.Series):
        return column.reset_index(drop=True)
    if hasattr(column, "to_pandas"):
        return column.to_pandas()
    array = column.detach().cpu().numpy() if hasattr(column, "detach") else column
    shape = np.shape(array)
    if len(shape) != 1:
        raise InputError(
            f"one {what} has the shape {shape}: give one value for each row, or a data frame of "
            f"several {what}s, for they need names"
        )
    if any(isinstance(cell, Mapping) for cell in array[:1]):
        raise InputError(
            f"the {what}s are a list of dicts: give the data frame that pandas.DataFrame makes of "
            "them"
        )
    return pandas.Series(array)
