"""Turn arrays by the names of their columns into a data set, without a data frame."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyro_gmvae.data.checks import table_tensor
from pyro_gmvae.data.columns.arrow import read_array
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.errors import InputError

__all__ = ["from_columns"]


def from_columns(columns: Mapping[str, Any], *, name: str = "the rows") -> Dataset:
    """Turn columns into a data set of new rows, of which nothing is guessed.

    Args:
        columns: N cells of each column, by its name, as `read_array` takes them.
        name: the name of the data set in messages.

    Raises:
        InputError: for no columns or rows, columns of different lengths, and cells that are
            infinite or no single values.

    >>> data = from_columns({"age": np.array([30.5, 41.0]), "tier": ["gold", None]})
    >>> data.feature_names, data.x[:, 1]
    (('age', 'tier'), tensor([0., nan], dtype=torch.float64))
    """
    if not columns:
        raise InputError(f"{name} has no columns: give it at least one.")
    raw = [read_array(cells, column, name) for column, cells in columns.items()]
    lengths = {column.name: len(column.values) for column in raw}
    if len(set(lengths.values())) > 1:
        (first, n), (other, m) = sorted(lengths.items(), key=lambda pair: pair[1])[:: len(raw) - 1]
        raise InputError(
            f"{name} has {n} cells in {first} and {m} in {other}: give every column a cell for "
            "each row."
        )
    schema = Schema(tuple(column.column for column in raw))
    values = np.stack([column.values for column in raw], 1)
    x = table_tensor(values, schema.shown_names, name, "apply")
    return Dataset(name, x, None, TableEncoding, schema.names, schema=schema)
