"""Refuse what a likelihood of numbers alone does not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyro_gmvae.data.checks import counted, listed
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    from pyro_gmvae.data.dataset import Dataset

__all__ = ["refuse_mixed"]


def refuse_mixed(data: Dataset, schema: Schema, likelihood: str) -> None:
    """Refuse columns that are not numbers, and gaps, under a likelihood of numbers.

    Raises:
        InputError: naming the columns.

    >>> import pandas
    >>> from pyro_gmvae.data import from_frame
    >>> data = from_frame(pandas.DataFrame({"size": [1.5, 2.5, 4.0], "tier": ["a", "b", "a"]}))
    >>> refuse_mixed(data, data.schema, "gaussian")
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: table has columns that are not numbers: tier; ...
    """
    columns = zip(schema.shown_names, schema.columns, strict=True)
    other = [name for name, column in columns if column.cells != "number"]
    gaps = data.x.isnan()
    if not (other or gaps.any()):
        return
    if other:
        has = f"columns that are not numbers: {listed(other)}"
    else:
        has = f"missing cells, in {counted(gaps.numpy(), schema.shown_names)}"
    raise InputError(
        f"{data.name} has {has}; the {likelihood} likelihood takes none: leave likelihood out, or "
        "use likelihood table."
    )
