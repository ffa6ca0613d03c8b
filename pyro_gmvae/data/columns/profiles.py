"""Turn columns of several kinds into numbers whose means show how clusters differ."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.data.schema import Column

__all__ = ["profile_of"]

MOST_LEVELS = 4  # of a category that are shown, the most frequent ones


def profile_of(
    columns: Sequence[Column],
    names: Sequence[str],
    words: Sequence[str],
    x: Float[Tensor, "rows columns"],
) -> tuple[Float[Tensor, "rows shown"], tuple[str, ...]]:
    """Standardise every column; a category becomes a column for each of its frequent levels.

    Args:
        columns: the column of the table behind each column on model scale.
        names: the names of the columns on model scale.
        words: what they are (see `TableEncoding.columns`).
        x: rows on model scale, NaN where a cell is missing.

    >>> tier = Column("tier", "category", "text", levels=("a", "b", "c"))
    >>> codes = torch.tensor([[0.0], [0.0], [1.0], [2.0]])
    >>> profile_of([tier], ["tier"], ["levels:3"], codes)[1]
    ('tier = a', 'tier = b', 'tier = c')
    """
    shown: list[Tensor] = []
    labels: list[str] = []
    for i, (column, name, word) in enumerate(zip(columns, names, words, strict=True)):
        cells = x[:, i]
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
