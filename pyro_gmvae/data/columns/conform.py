"""Bring the rows of another table to the columns of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from pyro_gmvae.data.checks import listed, warn_of_gaps
from pyro_gmvae.data.columns.match import Matched, match_column
from pyro_gmvae.data.columns.raw import RawColumn
from pyro_gmvae.data.schema import Column, Schema
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import shortened

if TYPE_CHECKING:
    from pyro_gmvae.data.dataset import Dataset

__all__ = ["conform_columns", "ignored_columns"]


def conform_columns(data: Dataset, schema: Schema, *, takes_gaps: bool) -> Dataset:
    """Find the columns of a schema in other rows, by name where there are names.

    Columns that training left out are left out here, with a note, and so are columns that it did
    not have. Levels that it did not have become gaps.

    Args:
        data: rows of a table, as many columns as the schema has if they have no names.
        schema: the columns in training.
        takes_gaps: whether the model takes gaps, so that a whole column may be missing.

    Warns:
        DataWarning: once, for all that becomes a gap.

    Raises:
        InputError: if columns are missing where the model takes no gaps, if all are, or for cells
            that are not of the kind in training.

    >>> import pandas
    >>> from pyro_gmvae.data import from_frame
    >>> new = from_frame(pandas.DataFrame({"weight": [60.5, 70.5], "size": [1.7, 1.8]}))
    >>> schema = Schema((Column("size"), Column("weight")))  # in training
    >>> conform_columns(new, schema, takes_gaps=False).x.tolist()
    [[1.7, 60.5], [1.8, 70.5]]
    """
    if data.schema == schema:
        return data
    own = data.schema
    places, notes, lost = _places(data, schema, takes_gaps=takes_gaps)
    known = [place for place in places if place is not None]
    had = schema if own is None else Schema(tuple(own.columns[place] for place in known))
    if len(known) == len(schema) and schema.is_plain and had.is_plain:
        x = data.x if known == list(range(data.event_shape[0])) else data.x[:, known]
        return replace(
            data,
            x=x,
            feature_names=schema.names,
            schema=schema,
            notes=(*data.notes, *notes),
        )
    rows = data.x.double().numpy()
    values = []
    for column, place in zip(schema.columns, places, strict=True):
        if place is None:
            values.append(np.full(len(rows), np.nan))
            continue
        cells = rows[:, place]
        if own is None:
            found = _in_raw_units(cells, column, data.name)
        else:
            was = own.columns[place]
            found = match_column(
                RawColumn(column.name, was.cells, cells, was.level_names), column, data.name
            )
        if found.unseen:
            shown = listed(map(repr, found.unseen), 3)
            lost.append(f"{shown} in {column.name or f'column {place}'}")
        values.append(found.values)
    if lost:
        warn_of_gaps(data.name, listed(lost), stacklevel=4)
    return replace(
        data,
        x=torch.from_numpy(np.stack(values, 1)),
        feature_names=schema.names,
        schema=schema,
        notes=(*data.notes, *notes),
    )


def _places(
    data: Dataset, schema: Schema, *, takes_gaps: bool
) -> tuple[list[int | None], list[str], list[str]]:
    """Find where each column is, None where it is missing; say what is ignored and what lacks."""
    names, width = data.feature_names, data.event_shape[0]
    wanted, left_out = schema.names, [c.name for c in schema.left_out]
    if names is None and schema.is_numbered and width == len(schema) + len(left_out):
        names = tuple(map(str, range(width)))
    if wanted is None or names is None:
        if width != len(schema):
            raise InputError(
                f"{data.name} has {_columns(width)}, the model was trained on "
                f"{_columns(len(schema))}: give it data like those it was trained on"
            )
        return list(range(width)), [], []
    found = {name: place for place, name in enumerate(names)}
    missing = [n for n in wanted if n not in found]
    added = [n for n in names if n not in wanted and n not in left_out]
    if missing and (not takes_gaps or len(missing) == len(wanted)):
        raise InputError(_lacks(data.name, missing, added))
    notes = ignored_columns(names, schema)
    lost = [f"no column {listed(missing)}"] if missing else []
    return [found.get(n) for n in wanted], notes, lost


def ignored_columns(names: Sequence[str], schema: Schema) -> list[str]:
    """Say which columns of a table are left out.

    >>> ignored_columns(["age", "id"], Schema((Column("age"),)))
    ['left out, for training did not have them: id']
    """
    left_out = [c.name for c in schema.left_out if c.name in names]
    added = [n for n in names if n not in (*(schema.names or ()), *left_out)]
    notes = [f"left out as in training: {listed(left_out)}"] if left_out else []
    if added:
        notes.append(f"left out, for training did not have them: {listed(added)}")
    return notes


def _columns(width: int) -> str:
    return f"{width} column{'s' * (width != 1)}"


def _lacks(name: str, missing: Sequence[str], added: Sequence[str]) -> str:
    has = [f"has a column {shortened(n)} that the model does not know" for n in added[:1]]
    lacks = [f"lacks the column {shortened(n)}" for n in missing[:1]]
    return f"{name} {' and '.join(has + lacks)}: name the columns as in training"


def _in_raw_units(cells: np.ndarray, column: Column, source: str) -> Matched:
    """Check the numbers of an array, which are codes where training had text."""
    if column.cells in ("text", "boolean"):
        known = np.isin(cells, np.arange(len(column.levels), dtype=np.float64))
        lost = np.unique(cells[~known & ~np.isnan(cells)])
        return Matched(np.where(known, cells, np.nan), tuple(f"{v:g}" for v in lost.tolist()))
    if column.cells == "date":
        return Matched(cells)
    return match_column(RawColumn(column.name, "number", cells), column, source)
