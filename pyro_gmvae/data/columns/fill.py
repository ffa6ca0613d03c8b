"""Fill the gaps of a data frame, and leave its other cells as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.data.schema import Schema

if TYPE_CHECKING:
    import pandas

__all__ = ["fill_gaps", "whole_counts"]


def whole_counts(schema: Schema, raw: Float[Tensor, "rows columns"]) -> Tensor:
    """Round the counts of rows in raw units, as a mean of counts is no count.

    >>> from pyro_gmvae.data.schema import Column
    >>> schema = Schema((Column("visits", "count"), Column("spend")))
    >>> whole_counts(schema, torch.tensor([[2.3, 2.3]]))
    tensor([[2.0000, 2.3000]])
    """
    counts = torch.tensor([c.kind == "count" for c in schema.columns], device=raw.device)
    return torch.where(counts, raw.round(), raw)


def fill_gaps(
    frame: pandas.DataFrame, gaps: Mapping[str, np.ndarray], filled: pandas.DataFrame
) -> pandas.DataFrame:
    """Return a copy of a data frame whose missing cells are those of another one.

    Columns without gaps are as they were, and so is every cell of text that is not missing.
    Numbers become floats, because the mean of whole numbers need not be whole.

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
    if not isinstance(filled.dtype, pandas.StringDtype):
        return cells
    # Text that training did not know is no gap, though the model reads it as one.
    mixed = column.astype(object).where(~missing, cells.astype(object))
    if isinstance(column.dtype, pandas.CategoricalDtype):
        return mixed.astype(column.dtype)
    if isinstance(column.dtype, pandas.StringDtype):
        return mixed.astype(column.dtype)
    return mixed
