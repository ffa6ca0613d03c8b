"""Fill the gaps of a data frame, and leave its other cells as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pyro_gmvae.data.columns.raw import level_name
from pyro_gmvae.data.schema import Schema

if TYPE_CHECKING:
    import pandas

__all__ = ["fill_gaps", "gaps_of", "whole_counts"]


def whole_counts(schema: Schema, raw: Float[Tensor, "rows columns"]) -> Tensor:
    """Round the counts of rows in raw units, as a mean of counts is no count.

    >>> from pyro_gmvae.data.schema import Column
    >>> schema = Schema((Column("visits", "count"), Column("spend")))
    >>> whole_counts(schema, torch.tensor([[2.3, 2.3]]))
    tensor([[2.0000, 2.3000]])
    """
    counts = torch.tensor([c.kind == "count" for c in schema.columns], device=raw.device)
    return torch.where(counts, raw.round(), raw)


def gaps_of(
    frame: pandas.DataFrame, missing: Bool[np.ndarray, "rows columns"], known: Iterable[str]
) -> dict[str, np.ndarray]:
    """Return which cells are missing, for those columns of a frame that a model knows.

    >>> import pandas
    >>> frame = pandas.DataFrame({"age": [30.0, None], "note": ["a", "b"]})
    >>> gaps_of(frame, frame.isna().to_numpy(), ["age", "spend"])
    {'age': array([False,  True])}
    """
    by_name = dict(zip(frame.columns, missing.T, strict=True))
    return {name: by_name[name] for name in known if name in by_name}


def fill_gaps(
    frame: pandas.DataFrame, gaps: Mapping[str, np.ndarray], filled: pandas.DataFrame
) -> pandas.DataFrame:
    """Return a copy of a data frame whose missing cells are those of another one.

    Columns without gaps are as they were, and so is every cell of text, of a category or of a time
    that is not missing. Numbers become floats, because the mean of whole numbers need not be whole.

    Args:
        frame: N rows; its own columns, some of which are filled.
        gaps: for each column to fill, which of its N cells are missing.
        filled: N rows of all these columns, in the cells that a user has.

    >>> import pandas
    >>> frame = pandas.DataFrame({"tier": ["gold", None], "visits": [3, 4]})
    >>> other = pandas.DataFrame({"tier": ["iron", "tin"]})
    >>> fill_gaps(frame, {"tier": np.array([False, True])}, other)
       tier  visits
    0  gold       3
    1   tin       4
    """
    made = frame.copy()
    for name, missing in gaps.items():
        if missing.any():
            made[name] = _filled(made[name], missing, filled[name])
    return made


def _filled(column: pandas.Series[Any], missing: np.ndarray, filled: pandas.Series[Any]) -> Any:
    import pandas

    cells = filled.set_axis(column.index)
    if isinstance(column.dtype, pandas.CategoricalDtype) and filled.dtype.kind == "M":
        column = column.astype(column.cat.categories.dtype)  # a mean date need not be a category
    if isinstance(column.dtype, pandas.CategoricalDtype):
        # The levels have the names that the reader gives to categories of any type.
        by_name = {level_name(category): category for category in column.cat.categories}
        cells = cells.map(by_name.get, na_action="ignore") if by_name else cells
        cells = cells.astype(object)
    elif pandas.api.types.is_datetime64_any_dtype(filled.dtype):
        cells = _times(column.dtype, cells)
    elif pandas.api.types.is_timedelta64_dtype(column.dtype):
        cells = pandas.to_timedelta(cells, "D").astype(column.dtype)
    elif isinstance(filled.dtype, pandas.StringDtype):
        cells = cells.astype(object)
    else:
        return cells
    if column.dtype == object and missing.all():
        return cells  # there is no cell whose type is to be kept
    # Text that training did not know is no gap, though the model reads it as one.
    mixed = column.astype(object).where(~missing, cells)
    return mixed if column.dtype == object else mixed.astype(column.dtype)


def _times(dtype: Any, times: pandas.Series[Any]) -> pandas.Series[Any]:
    """Write times in UTC as those of a column are: in its time zone, or as periods."""
    import pandas

    if isinstance(dtype, pandas.DatetimeTZDtype):
        return times.dt.tz_localize("UTC").dt.tz_convert(dtype.tz).astype(dtype)
    if isinstance(dtype, pandas.PeriodDtype):
        return times.dt.to_period(dtype.freq)
    return times
