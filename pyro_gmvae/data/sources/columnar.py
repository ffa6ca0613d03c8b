"""Read files of columns: parquet, a folder of parquet parts, and feather."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import feather, parquet

from pyro_gmvae.data.sources.files import parquet_parts
from pyro_gmvae.data.sources.header import unique_names
from pyro_gmvae.data.sources.table import Table
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")


def read_parquet(path: Path) -> Table:
    """Read a ``.parquet`` file, or the parts in a folder in the order of their names.

    Hidden parts, and those whose name begins with ``_``, are left out. A folder such as
    ``country=FR`` adds a column ``country``, as in Hive.

    Raises:
        InputError: if there are no parts, or a file cannot be read.
    """
    if not path.is_dir():
        return _table(lambda: parquet.read_table(path, partitioning=None), path, "parquet")
    parts = parquet_parts(path)
    if not parts:
        raise InputError(f"{path} is a folder without .parquet files: put some in it.")
    tables = [_read_part(part, path) for part in parts]
    return _table(lambda: pa.concat_tables(tables, promote_options="permissive"), path, "parquet")


def read_feather(path: Path) -> Table:
    """Read a ``.feather`` file.

    Raises:
        InputError: if it cannot be read.
    """
    return _table(lambda: feather.read_table(path, memory_map=False), path, "feather")


def with_folder_columns(table: pa.Table, part: Path, folder: Path) -> pa.Table:
    """Add a column for each folder such as ``country=FR`` between a part and the source."""
    for level in part.relative_to(folder).parts[:-1]:
        name, is_key, value = level.partition("=")
        if is_key and name not in table.column_names:
            table = table.append_column(name, pa.array([value] * len(table), pa.string()))
    return table


def _read_part(part: Path, folder: Path) -> pa.Table:
    read = guarded(lambda: parquet.read_table(part, partitioning=None), part, "parquet")
    return with_folder_columns(read, part, folder)


def _table(read: Callable[[], pa.Table], path: Path, kind: str) -> Table:
    return guarded(lambda: typed_table(read()), path, kind)


def guarded(read: Callable[[], T], path: Path, kind: str) -> T:
    """Turn the many errors of Arrow, for which a damaged file is reason, into one."""
    try:
        return read()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path} is not a readable {kind} file ({first[:200]}): write it again."
        ) from error


def typed_table(table: pa.Table) -> Table:
    """Bring the columns to types that pandas holds as numbers, text or times."""
    table.validate(full=True)  # a damaged file may hold offsets that point anywhere
    names, columns, notes = simple_columns(table)
    # By their places, for names may be given twice.
    frame: pandas.DataFrame = pa.table({str(i): c for i, c in enumerate(columns)}).to_pandas()
    frame.columns, more = unique_names(names)
    return Table(frame, tuple(notes + more))


def simple_columns(table: pa.Table) -> tuple[list[str], list[pa.ChunkedArray], list[str]]:
    """Return names and columns without index, structs, decimals and lists; and what was guessed."""
    notes = []
    index = _index_columns(table)
    if index:
        table = table.drop_columns(index)
        named = [name for name in index if not name.startswith("__index_level_")]
        if named:
            notes.append(f"the index {', '.join(named)} is left out")
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    names, columns = [], []
    for name, column in zip(table.column_names, table.columns, strict=True):
        for new, simple in _simple(name, column):
            names.append(new)
            columns.append(simple)
        if len(names) and names[-1] != name:
            notes.append(f"the lists in {name} become the columns {name} 0, {name} 1, ...")
    return names, columns, notes


def _index_columns(table: pa.Table) -> list[str]:
    """List the columns that pandas stored as its index."""
    stored = (table.schema.pandas_metadata or {}).get("index_columns", [])
    return [name for name in stored if isinstance(name, str) and name in table.column_names]


def _simple(name: str, column: pa.ChunkedArray) -> list[tuple[str, pa.ChunkedArray]]:
    """Turn decimals into floats, and lists of one length into a column for each place."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        kind = column.type
    if pa.types.is_dictionary(kind) and not pa.types.is_string(kind.value_type):
        return _simple(name, pc.cast(column, kind.value_type))
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind) or pa.types.is_null(kind):
        return [(name, pc.cast(column, pa.float64()))]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.unique(pc.list_value_length(column)).to_pylist()
        if len(lengths) == 1 and lengths[0]:
            places = range(lengths[0])
            elements = [(f"{name} {i}", pc.list_element(column, i)) for i in places]
            return [pair for new, element in elements for pair in _simple(new, element)]
    return [(name, column)]
