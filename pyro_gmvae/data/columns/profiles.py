"""Turn columns of several kinds into numbers whose means show how clusters differ."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.data.columns.mixed import MixedColumns
from pyro_gmvae.data.schema import Schema

__all__ = ["profile_of"]

MOST_LEVELS = 4  # of a category that are shown, the most frequent ones


def profile_of(
    mixed: MixedColumns, schema: Schema, x: Float[Tensor, "rows columns"]
) -> tuple[Float[Tensor, "rows shown"], tuple[str, ...]]:
    """Return numbers whose means tell clusters apart, in standard deviations, and their names.

    A category becomes a column for each of its most frequent levels.

    Args:
        mixed: the map to model scale.
        schema: the columns of the table.
        x: rows on model scale, NaN where a cell is missing.

    >>> from pyro_gmvae.data.schema import Column
    >>> schema = Schema((Column("tier", "category", "text", levels=("a", "b", "c")),))
    >>> codes = torch.tensor([[0.0], [0.0], [1.0], [2.0]])
    >>> profile_of(MixedColumns(schema), schema, codes)[1]
    ('tier = a', 'tier = b', 'tier = c')
    """
    shown: list[Tensor] = []
    labels: list[str] = []
    names = mixed.names_on_model_scale(schema)
    for i, (place, name, word) in enumerate(zip(mixed.places, names, mixed.words, strict=True)):
        column, cells = schema.columns[place], x[:, i]
        if column.kind != "category" or word == "levels:2":
            shown.append(cells.log1p() if word == "count" else cells)
            labels.append(name)
            continue
        known = ~cells.isnan()
        counts = cells[known].long().bincount(minlength=len(column.levels))
        often = counts.argsort(descending=True, stable=True)[:MOST_LEVELS]
        for level in often.sort().values.tolist():
            is_level = (cells == level).to(x.dtype)
            shown.append(is_level.masked_fill(~known, torch.nan))
            labels.append(f"{name} = {column.level_names[level]}")
    made = torch.stack(shown, 1)
    centred = made - made.nanmean(0)
    spread = centred.square().nanmean(0).sqrt()
    return centred / torch.where(spread > 0, spread, 1.0), tuple(labels)
