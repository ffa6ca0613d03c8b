"""Type the records of a request by the columns of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from pyro_gmvae.data import Encoding
from pyro_gmvae.data.schema import Column
from pyro_gmvae.serving.predictor import ROWS

__all__ = ["columns_of", "request_model"]

MOST = 1e15  # of a number; beyond the float32 of a model, rows are too far from those of training
MOST_TEXT = 10_000  # characters of a cell
SHOWN_LEVELS = 50


def request_model(encoding: Encoding, most_rows: int) -> Any:
    """Make the pydantic model of a request: ``{"records": [...]}``.

    A record is an object with a member for each column, by its name; of rows without names a list
    of numbers, and of images nested lists of levels 0 to 255. Where the model takes gaps, null is
    one, and so is a member that is not there.

    Args:
        encoding: that of the model.
        most_rows: the most records of a request.

    >>> import torch
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> schema = Schema.of_numbers(2, ["age", "spend"])
    >>> x = torch.arange(8.0, dtype=torch.float64).view(4, 2)
    >>> encoding = TableEncoding.standardize(x, schema)
    >>> request = request_model(encoding, 10)(records=[{"age": 41, "spend": 9.5}])
    >>> len(request.records)
    1
    """
    from pydantic import ConfigDict, Field, create_model

    record = _record(encoding)
    records = Annotated[list[record], Field(min_length=1, max_length=most_rows)]  # type: ignore[valid-type]
    closed = ConfigDict(extra="forbid", title="Rows to place")
    return create_model("Rows", __config__=closed, records=(records, ...))


def columns_of(encoding: Encoding, request: Any) -> dict[str, Any]:
    """Turn a request into the columns that a `Predictor` takes.

    >>> import torch
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> schema = Schema.of_numbers(2, ["age", "spend"])
    >>> x = torch.arange(8.0, dtype=torch.float64).view(4, 2)
    >>> encoding = TableEncoding.standardize(x, schema)
    >>> request = request_model(encoding, 10)(records=[{"age": 41, "spend": 9.5}])
    >>> {name: cells.tolist() for name, cells in columns_of(encoding, request).items()}
    {'age': [41.0], 'spend': [9.5]}
    """
    names, records = encoding.feature_names, request.records
    if names is None:
        kind = np.uint8 if encoding.schema is None else np.float64
        return {ROWS: np.array(records, dtype=kind)}
    return {
        name: _cells(column, [getattr(record, _field(i)) for record in records])
        for i, (name, column) in enumerate(zip(names, _columns(encoding), strict=True))
    }


def _record(encoding: Encoding) -> Any:
    from pydantic import ConfigDict, Field, create_model

    if encoding.schema is None:
        entry: Any = Annotated[int, Field(strict=True, ge=0, le=255)]
        for size in reversed(encoding.event_shape):
            entry = Annotated[list[entry], Field(min_length=size, max_length=size)]
        return entry
    gaps = encoding.takes_gaps
    if encoding.feature_names is None:
        cell = _cell(encoding.schema.columns[0], gaps)
        width = len(encoding.schema)
        return Annotated[list[cell], Field(min_length=width, max_length=width)]  # type: ignore[valid-type]
    fields: dict[str, Any] = {
        _field(i): (
            _cell(column, gaps),
            Field(
                None if gaps else ...,  # a member may be left out where the model takes gaps
                alias=column.name,
                description=_described(column),
            ),
        )
        for i, column in enumerate(encoding.schema.columns)
    }
    closed = ConfigDict(extra="forbid", title="A row")
    return create_model("Record", __config__=closed, **fields)


def _columns(encoding: Encoding) -> Sequence[Column]:
    assert encoding.schema is not None
    return encoding.schema.columns


def _field(place: int) -> str:
    """Name the field of a column; the names of columns may be any text."""
    return f"column_{place}"


def _cell(column: Column, gaps: bool) -> Any:
    from pydantic import Field

    if column.cells in ("text", "date"):
        cell: Any = Annotated[str, Field(strict=True, max_length=MOST_TEXT)]
    elif column.cells == "boolean":
        cell = Annotated[bool, Field(strict=True)]
    elif column.kind == "count":
        # As JSON has it, 3.0 is a whole number too.
        cell = Annotated[float, Field(strict=True, ge=0, le=MOST, multiple_of=1)]
    else:
        cell = Annotated[float, Field(strict=True, ge=-MOST, le=MOST, allow_inf_nan=False)]
    return cell | None if gaps else cell


def _cells(column: Column, cells: list[Any]) -> Any:
    """Return an array where cells are numbers, and the list where they are text or truth values."""
    if column.cells != "number":
        return cells
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)


def _described(column: Column) -> str:
    """Say what a column is, for the document of the server."""
    said: str = column.kind
    if column.cells == "date":
        said += f", written as {column.format} or as 2024-01-31"
    if column.has_levels and column.cells != "boolean":
        shown = ", ".join(column.level_names[:SHOWN_LEVELS])
        more = len(column.levels) - SHOWN_LEVELS
        said += f": {shown}" + (f" and {more} more" if more > 0 else "")
    return said
