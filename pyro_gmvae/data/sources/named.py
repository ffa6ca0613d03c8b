"""Read columns of a table file by their names, whether a model was trained on them or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyro_gmvae.data.checks import near_or_all
from pyro_gmvae.data.sources.files import check_file, is_table, read_table
from pyro_gmvae.data.sources.raw import STANDARD_INPUT
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    import pandas

__all__ = ["read_named_columns"]


def read_named_columns(source: str, names: Sequence[str]) -> pandas.DataFrame:
    """Read some columns of a table file, with a row for each row that a model gets of it.

    Columns that the schema leaves out, that the user dropped, and those of labels and weights are
    there too, for nothing is inferred.

    Args:
        source: a table file, or a folder of ``.parquet`` files; standard input cannot be read a
            second time.
        names: the columns, in the order that they are wanted in.

    Raises:
        InputError: for a source that is no such table, or a column that it does not have.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "t.csv"
    ...     _ = path.write_text("id;spend;churn\\n1;10,85;yes\\n2;-;\\n")
    ...     read_named_columns(str(path), ["churn"])["churn"].tolist()
    ['yes', nan]
    """
    if source == STANDARD_INPUT or not is_table(source):
        raise InputError(f"{source} is no table file, so it has no columns to name: name a file")
    if not Path(source).is_dir():
        check_file(Path(source), source)
    frame = read_table(Path(source)).frame.rename(columns=str)
    for name in names:
        if name not in frame.columns:
            known = near_or_all(name, list(frame.columns))
            raise InputError(f"{source} has no column {name}: {known}")
    return frame[list(dict.fromkeys(names))]
