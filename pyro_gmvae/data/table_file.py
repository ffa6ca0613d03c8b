"""Read a table file into a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyro_gmvae.data.checks import Purpose
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.covariate_columns import from_table_with
from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.sources.files import PACKED, read_table
from pyro_gmvae.data.sources.raw import STANDARD_INPUT
from pyro_gmvae.data.tables import from_table

__all__ = ["load_table"]


def load_table(
    path: Path,
    *,
    label_column: str | None = None,
    weight_column: str | None = None,
    covariates: Sequence[str] = (),
    purpose: Purpose = "fit",
    wishes: Wishes | None = None,
    may_lack: bool = False,
) -> Dataset:
    r"""Read a table file; see `pyro_gmvae.data.sources.files.read_table` and `from_table`.

    The ``notes`` of the data set say what was guessed, and which columns were left out.

    Raises:
        InputError: if the file cannot be read, or if `from_table` refuses its columns.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.csv")
    ...     _ = path.write_text("size,tier\n1.5,a\n2.5,b\n4.0,a\n")
    ...     data = load_table(path)
    >>> data.name, data.feature_names, data.x.tolist()
    ('t', ('size', 'tier'), [[1.5, 0.0], [2.5, 1.0], [4.0, 0.0]])
    """
    table = read_table(path)
    if may_lack:
        there = {str(column) for column in table.frame.columns}
        label_column = label_column if label_column in there else None
        weight_column = weight_column if weight_column in there else None
    name = Path(path.stem).stem if path.suffix.lower() == PACKED else path.stem
    if str(path) == STANDARD_INPUT:
        name = "standard input"
    if covariates:
        return from_table_with(
            table, name, covariates, label_column, weight_column, purpose=purpose, wishes=wishes
        )
    return from_table(table, name, label_column, weight_column, purpose=purpose, wishes=wishes)
