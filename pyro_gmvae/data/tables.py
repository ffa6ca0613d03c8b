"""Turn table files and data frames into data sets, whatever their columns hold."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from pyro_gmvae.data.checks import Purpose, check_rows, near_or_all, table_tensor
from pyro_gmvae.data.columns.infer import describe
from pyro_gmvae.data.columns.match import match_column
from pyro_gmvae.data.columns.raw import RawColumn, read_column
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.labels import factorize
from pyro_gmvae.data.numerals import is_code, is_masked_number, is_number, shown
from pyro_gmvae.data.schema import MOST_LEVELS, Column, Schema
from pyro_gmvae.data.sources.files import TABLE_SUFFIXES, read_frame
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.data.weights import checked_weights
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import cut, why_unwritable

if TYPE_CHECKING:
    import pandas

__all__ = [
    "TABLE_SUFFIXES",
    "as_frame",
    "check_column",
    "from_frame",
    "from_table",
    "is_frame",
    "library_of",
    "read_frame",
    "refuse_same_names",
]

LineOf = Callable[[int], int | None]
RUN_QUERY = ("toPandas", "compute", "collect")  # by Spark, Dask and polars
MOSTLY_NUMBERS, MANY = 0.8, 20  # share of the cells, and different ones, of a column of numbers


def from_table(
    table: Table,
    name: str,
    label_column: str | None = None,
    weight_column: str | None = None,
    *,
    purpose: Purpose = "fit",
    wishes: Wishes | None = None,
) -> Dataset:
    """Turn what was read of a file into a data set.

    Args and errors: as in `from_frame`.

    >>> import pandas
    >>> from_table(Table(pandas.DataFrame({"width": [1.5, 2.5]})), "t").feature_names
    ('width',)
    """
    return _from_frame(
        table.frame,
        name,
        label_column,
        weight_column,
        purpose,
        wishes,
        tuple(table.notes),
        table.line_of,
    )


def from_frame(
    frame: Any,
    *,
    name: str = "table",
    label_column: str | None = None,
    weight_column: str | None = None,
    purpose: Purpose = "fit",
    wishes: Wishes | None = None,
) -> Dataset:
    """Turn a data frame into a data set of kind `TableEncoding`.

    To fit, the meaning of each column is guessed by rules that the ``why`` of its `Column` tells.
    Columns that say nothing about clusters are left out: constant ones, those that only tell rows
    apart, free text, and those that another column tells. The schema of the data set names them.

    Args:
        frame: N rows of D columns, besides the label column, as pandas or polars have them:
            numbers, text, dates, truth values and categories, with gaps or not.
        name: the name of the data set in messages.
        label_column: the column whose values, of any type, become ``class_labels``, numbered in
            sorted order; a missing one is -1.
        weight_column: the column of numbers, positive or zero, that becomes ``weights`` (see
            `pyro_gmvae.data.weights.checked_weights`).
        purpose: ``"apply"`` accepts a single row, keeps all columns and guesses nothing.
        wishes: what the user says about the columns, when fitting.

    Raises:
        InputError: for an unknown label or weight column, a weight that is none, two columns of one
            name, cells that are infinite or no single values, a cell that is no number in a column
            of numbers, wishes that do not fit the table, no column that varies, or too few rows.

    >>> import pandas
    >>> frame = pandas.DataFrame({"width": [1.5, 2.5, None], "country": ["FR", "FR", "FR"]})
    >>> from_frame(frame).feature_names
    ('width',)
    """
    frame, notes = _typed_text(as_frame(frame))
    return _from_frame(
        frame, name, label_column, weight_column, purpose, wishes, tuple(notes), None
    )


def as_frame(frame: Any) -> "pandas.DataFrame":
    """Bring a data frame, as `is_frame` knows it, to one of pandas whose column names are text.

    Raises:
        InputError: for anything else, such as a single column or a query that has not run.

    >>> import pandas
    >>> list(as_frame(pandas.DataFrame({2024: [1.5]})).columns)
    ['2024']
    """
    import pandas

    if library_of(frame) == "polars" and hasattr(frame, "to_arrow"):
        frame = frame.to_arrow().to_pandas()
    elif not hasattr(frame, "iloc") and hasattr(frame, "__arrow_c_stream__"):
        import pyarrow

        frame = pyarrow.table(frame).to_pandas()
    if not isinstance(frame, pandas.DataFrame):
        run = [f"what its {name}() returns" for name in RUN_QUERY if hasattr(frame, name)]
        wanted = run[0] if run else "a data frame of pandas or polars"
        kind = type(frame).__name__
        raise InputError(f"the table is a {library_of(frame)}.{kind}: give {wanted}.")
    # Names of several levels become one text each.
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def is_frame(values: Any) -> bool:
    """Return True for a data frame of pandas or polars, or a table of Arrow or DuckDB.

    >>> import pyarrow
    >>> is_frame(pyarrow.table({"age": [31, 40]})), is_frame([[31], [40]])
    (True, False)
    """
    made = type(values)  # a query would be resolved for its own columns
    typed = hasattr(made, "dtypes") or hasattr(made, "__arrow_c_stream__")
    return typed and hasattr(made, "columns")


def library_of(values: Any) -> str:
    """Return the name of the package that defines the type of some values.

    >>> import pandas
    >>> library_of(pandas.DataFrame()), library_of([])
    ('pandas', 'builtins')
    """
    return type(values).__module__.split(".")[0]


def _from_frame(
    frame: "pandas.DataFrame",
    name: str,
    label_column: str | None,
    weight_column: str | None,
    purpose: Purpose,
    wishes: Wishes | None,
    notes: tuple[str, ...],
    line_of: LineOf | None,
) -> Dataset:
    frame = as_frame(frame)
    refuse_same_names(frame, name)
    check_rows(len(frame), name, purpose)
    y, class_names = None, None
    if label_column is not None:
        check_column(label_column, "label", frame, name)
        y, class_names = factorize(frame[label_column].to_numpy())
        frame = frame.drop(columns=label_column)
    weights = None
    if weight_column is not None:
        if weight_column == label_column:
            raise InputError(f"{name} cannot have labels and weights in one column: name two.")
        check_column(weight_column, "weight", frame, name)
        weights = _weights(frame, weight_column, name, line_of)
        frame = frame.drop(columns=weight_column)
    if frame.shape[1] == 0:
        raise InputError(f"{name} has no columns: give it at least one column of numbers.")
    raw = [read_column(frame[column], name) for column in frame.columns]
    if purpose == "apply":
        schema, values = Schema(tuple(c.column for c in raw)), np.stack([c.values for c in raw], 1)
    else:
        wishes = Wishes() if wishes is None else wishes
        if label_column is not None:
            wishes = wishes.without(label_column)
        wishes.checked(list(frame.columns), name)
        settled = _settled(wishes, frame.columns)
        _refuse_odd_cells([c for c in raw if c.name not in settled], frame, name, line_of)
        found = describe(raw, name, wishes)
        schema, values, notes = found.schema, found.values, (*notes, *found.notes)
        _refuse_unstorable(schema, class_names or (), name)
    x = table_tensor(values, schema.shown_names, name, "apply")
    return Dataset(
        name,
        x,
        y,
        TableEncoding,
        schema.names,
        class_names,
        weights=weights,
        notes=notes,
        schema=schema,
    )


def check_column(column: str, what: str, frame: "pandas.DataFrame", name: str) -> None:
    """Refuse a column that a table does not have, and name one like it if there is one.

    Raises:
        InputError: naming the column and what it was to serve as.

    >>> import pandas
    >>> check_column("tier", "label", pandas.DataFrame({"tier": ["a"], "age": [3]}), "customers")
    """
    if column not in frame.columns:
        known = near_or_all(column, list(frame.columns))
        raise InputError(f"{name} has no {what} column {column}: {known}")


def refuse_same_names(frame: "pandas.DataFrame", name: str) -> None:
    """Refuse a table with two columns of one name.

    Raises:
        InputError: naming the columns.

    >>> import pandas
    >>> refuse_same_names(pandas.DataFrame({"age": [31], "tier": ["gold"]}), "customers")
    """
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise InputError(f"{name} has two columns called {repeated[0]}: rename one of them.")


def _weights(
    frame: "pandas.DataFrame", column: str, name: str, line_of: LineOf | None
) -> Tensor | None:
    """Read the column of weights."""
    from pyro_gmvae.data.sources.columns import first_not_number

    raw = read_column(frame[column], name)
    values = raw.values
    if raw.declared is not None and all(map(is_number, raw.levels)):  # categories of numbers
        values = match_column(raw, Column(column), name).values
    elif raw.cells not in ("number", "boolean"):
        row = first_not_number(frame[column]) if raw.cells == "text" else None
        where = (
            ""
            if row is None
            else f", as {_at(row, line_of)} shows: {shown(frame[column].iloc[row])}"
        )
        raise InputError(
            f"{name} has more than numbers in the weight column {column}{where}; give each row a "
            "number from 0 on"
        )
    return checked_weights(
        values, f"{name}, column {column},", lambda row: _at(row, line_of).rstrip(",")
    )


def _settled(wishes: Wishes, names: Iterable[str]) -> set[str]:
    """Name the columns of which the user says what they are, or that they are left out."""
    others = () if wishes.only is None else set(names) - set(wishes.only)
    return {*wishes.kinds, *wishes.drop, *others}


def _typed_text(frame: "pandas.DataFrame") -> tuple["pandas.DataFrame", list[str]]:
    """Type columns of text as a file's are, for a frame may hold its numbers as text."""
    import pandas
    import pyarrow as pa

    from pyro_gmvae.data.sources.columns import type_columns

    text = [i for i, kind in enumerate(frame.dtypes) if isinstance(kind, pandas.StringDtype)]
    if not text:
        return frame, []
    cells = [
        pa.chunked_array([pa.array(frame.iloc[:, i].fillna("").astype(str), pa.string())])
        for i in text
    ]
    typed, notes = type_columns(cells, [str(frame.columns[i]) for i in text])
    columns = {i: frame.iloc[:, i] for i in range(frame.shape[1])}
    for i, old, new in zip(text, cells, typed, strict=True):
        if new.type != old.type:
            read = new.to_pandas()
            if pa.types.is_boolean(new.type):
                read = read.astype("boolean")
            columns[i] = read.set_axis(frame.index)
    made = pandas.concat(list(columns.values()), axis=1)
    made.columns = frame.columns
    return made, notes


def _refuse_odd_cells(
    raw: Sequence[RawColumn], frame: "pandas.DataFrame", name: str, line_of: LineOf | None
) -> None:
    """Refuse a column of numbers with a few other cells, and show the first of these.

    Such a column would be taken for text, each of its numbers for a level.
    """
    from pyro_gmvae.data.sources.columns import first_not_number

    for column in raw:
        if column.cells != "text" or column.declared is not None:
            continue
        counts = np.bincount(column.known.astype(np.int64), minlength=len(column.levels))
        numbers = np.array([is_number(v) for v in column.levels])
        masked = ~numbers & np.array([is_masked_number(v) for v in column.levels])
        if not masked.any() and (len(column.levels) <= MANY or is_code(column.levels)):
            continue
        if counts[numbers | masked].sum() < MOSTLY_NUMBERS * counts.sum():
            continue
        row = first_not_number(frame[column.name])
        if row is None:
            continue
        cell = shown(column.levels[int(column.values[row])])
        raise InputError(
            f"{name} has a column {column.name} of numbers with a cell that is not like the "
            f"others: {_at(row, line_of)} holds {cell}; correct it or leave it empty, drop the "
            "column, or call it a category."
        )


def _refuse_unstorable(schema: Schema, class_names: Sequence[str], name: str) -> None:
    """Refuse texts that no run can hold, before any time is spent on a training."""
    left_out = [c.name for c in schema.left_out]
    texts = [(n, "a column is called") for n in (*(schema.names or ()), *left_out)]
    texts += [(n, "a label is") for n in class_names]
    for column in schema.columns:
        if len(column.levels) > MOST_LEVELS:
            raise InputError(
                f"{name} has {len(column.levels)} different cells in the column {column.name}, "
                f"more than the {MOST_LEVELS} levels that a column may have: drop it."
            )
        where = f"a cell of {cut(column.name)} is"
        texts += [(level, where) for level in column.levels if isinstance(level, str)]
    for text, where in texts:
        if (why := why_unwritable(text)) is not None:
            raise InputError(f"{name} cannot be used, for {where} {why}: change it.")


def _at(row: int, line_of: LineOf | None) -> str:
    """Name a row, counted from 0, and the line of the file that it is on."""
    line = None if line_of is None else line_of(row)
    return f"row {row}" if line is None else f"row {row}, line {line},"
