"""Read covariates: columns that users hand over beside the rows, or name in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyro_gmvae.data.beside import frame_beside
from pyro_gmvae.data.checks import Purpose
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.data.tables import as_frame, check_column, from_frame, from_table
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import cut

__all__ = ["checked_covariates", "from_table_with", "read_covariates"]


def read_covariates(given: Any, n_rows: int, *, purpose: Purpose = "fit") -> Dataset:
    """Read what users hand over as covariates, by the rules for a training table.

    Args:
        given: a data frame, a named column, a dict from names to columns, or an array ``(N,)``.
        n_rows: N.
        purpose: as in `pyro_gmvae.data.tables.from_frame`.

    Raises:
        InputError: for other rows than those of X, or a column that says nothing.

    >>> data = read_covariates({"age": [31, 42, 53], "tier": ["a", "b", "a"]}, 3)
    >>> data.feature_names, len(data)
    (('age', 'tier'), 3)
    """
    frame = frame_beside(given, n_rows, "covariate")
    return checked_covariates(from_frame(frame, name="the table of covariates", purpose=purpose))


def from_table_with(
    table: Table,
    name: str,
    covariates: Sequence[str],
    label_column: str | None = None,
    weight_column: str | None = None,
    *,
    purpose: Purpose = "fit",
    wishes: Wishes | None = None,
) -> Dataset:
    """Turn what was read of a file into a data set of which some columns are the covariates.

    Args:
        table, name, label_column, weight_column, purpose, wishes: as in
            `pyro_gmvae.data.tables.from_table`.
        covariates: the names of columns.

    Raises:
        InputError: as `from_table`, for a column that is not there or serves something else too, or
            that says nothing.

    >>> import pandas
    >>> table = Table(pandas.DataFrame({"width": [1.5, 2.5, 3.5], "tier": ["a", "b", "a"]}))
    >>> data = from_table_with(table, "t", ["tier"])
    >>> data.feature_names, data.covariates.feature_names
    (('width',), ('tier',))
    """
    frame, names = as_frame(table.frame), list(dict.fromkeys(covariates))
    for column in names:
        check_column(column, "covariate", frame, name)
        if column in (label_column, weight_column):
            raise InputError(
                f"the column {column} cannot be a covariate and serve as labels or weights: name "
                "it once"
            )
    wishes = wishes or Wishes()
    beside = from_table(
        replace(table, frame=frame[names]),
        f"the covariates of {name}",
        purpose=purpose,
        wishes=wishes.of(names),
    )
    for column in names:
        wishes = wishes.without(column)
    rest = replace(table, frame=frame.drop(columns=names))
    data = from_table(rest, name, label_column, weight_column, purpose=purpose, wishes=wishes)
    note = f"not clustered on, for clusters depend on it: {', '.join(map(cut, names))}"
    notes = (*data.notes, note) if purpose == "fit" else data.notes
    return replace(data, covariates=checked_covariates(beside), notes=notes)


def checked_covariates(data: Dataset) -> Dataset:
    """Refuse covariates that were left out, for a user has named them.

    Raises:
        InputError: naming the column and the reason.

    >>> import pandas
    >>> data = from_frame(pandas.DataFrame({"age": [31, 42, 53], "unit": ["year"] * 3}))
    >>> checked_covariates(data)
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: the covariate unit cannot be used, because ...
    """
    assert data.schema is not None
    for column in data.schema.left_out:
        raise InputError(
            f"the covariate {cut(column.name)} cannot be used, because {column.why}: leave it out"
        )
    return data
