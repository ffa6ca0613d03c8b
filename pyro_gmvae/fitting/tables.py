"""Decide what a training of a table of mixed columns needs to know of its columns."""

from __future__ import annotations

from math import sqrt

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.data import Encoding, TableEncoding
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.likelihoods.table import LEAST_SCALE

__all__ = ["structure_of"]

LINEAR_ROWS = 10_000  # with more rows the style acts through hidden layers
# Clusters of numbers alone begin with all that a linear style can tell.
LINEAR_ROWS_OF_NUMBERS = 500
SEEN_ROWS = 10_000  # rows that the resolution of a column is measured on
REPEATED = 0.5  # share of different values below which a column is taken to lie on a grid


def structure_of(
    encoding: Encoding, raw: Shaped[Tensor, "N *event"], *, correlated: bool = False
) -> TableStructure:
    """Describe the columns of a table on model scale.

    The least standard deviation of a real column is that of rounding to its grid, if it lies on
    one, such as whole years. With less, a cluster could gain without bound by one repeated value.

    Args:
        encoding: the encoding of a table.
        raw: its training rows.
        correlated: whether all columns are numbers, correlated within clusters from the start.

    >>> import pandas
    >>> from pyro_gmvae.data import from_frame
    >>> frame = pandas.DataFrame({"size": [1.5, 2.5, 4.0, 3.25], "tier": ["a", "b", "a", "b"]})
    >>> data = from_frame(frame)
    >>> structure_of(TableEncoding.fit(data, "mixed"), data.x).columns
    ('real', 'levels:2')
    """
    assert isinstance(encoding, TableEncoding)  # no other rows have columns of several kinds
    words, weights = encoding.columns, encoding.column_weights
    step = -(-len(raw) // SEEN_ROWS)
    x = encoding.encode_mean(raw[::step].to(encoding.scale.device)).cpu()
    real = [i for i, word in enumerate(words) if word == "real"]
    return TableStructure(
        columns=words,
        weights=weights if any(w != 1 for w in weights) else (),
        floors=tuple(_least_scale(x[:, i]) for i in real),
        linear=len(raw) < (LINEAR_ROWS_OF_NUMBERS if correlated else LINEAR_ROWS),
        correlated=correlated,
    )


def _least_scale(column: Float[Tensor, " N"]) -> float:
    """Return the standard deviation of rounding to the grid of a column."""
    known = column[~column.isnan()]
    values = known.unique()
    if len(values) < 2 or len(values) > REPEATED * len(known):
        return LEAST_SCALE
    return max(LEAST_SCALE, float(torch.diff(values).min()) / sqrt(12))
