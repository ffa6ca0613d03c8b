"""Place the rows of a table that is larger than memory, piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pyarrow import parquet

from pyro_gmvae.data import BUILT_IN
from pyro_gmvae.data.columns.conform import ignored_columns
from pyro_gmvae.data.shards import Conformer, conforming_rows, parts_of
from pyro_gmvae.data.shards.ahead import ahead
from pyro_gmvae.data.shards.parts import PIECE_ROWS
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.groups import DataSettings
from pyro_gmvae.run_data import settings_of
from pyro_gmvae.runs.contents import WEIGHTS
from pyro_gmvae.runs.model import sha256_of
from pyro_gmvae.segments import assign
from pyro_gmvae.serving.posterior import checked_rows, posteriors
from pyro_gmvae.tasks.output import table_output
from pyro_gmvae.tasks.parts import is_parts_folder, open_parts

if TYPE_CHECKING:
    import pandas

__all__ = ["Tally", "notes_of", "place_in_pieces", "placed_pieces", "require_pieces"]

BECAUSE = "rejected_because"


@dataclass(frozen=True)
class Tally:
    """Count where rows were placed.

    Attributes:
        sizes: the rows of each cluster.
        unlike: rows that were rejected since no cluster explains them.
        torn: rows that were rejected since they lie between clusters.

    >>> import pandas
    >>> tally = Tally((0, 0)).plus(pandas.DataFrame({"cluster": [1, 1, 0]}))
    >>> tally.sizes, tally.rows
    ((1, 2), 3)
    """

    sizes: tuple[int, ...]
    unlike: int = 0
    torn: int = 0

    @property
    def rejected(self) -> int:
        """Return the number of rows in no cluster."""
        return self.unlike + self.torn

    @property
    def rows(self) -> int:
        """Return the number of all rows."""
        return sum(self.sizes) + self.rejected

    def plus(self, frame: pandas.DataFrame) -> Tally:
        """Count the rows of a table that `pyro_gmvae.tasks.predict.predict_run` made."""
        counts = frame["cluster"].value_counts()
        sizes = tuple(n + int(counts.get(y, 0)) for y, n in enumerate(self.sizes))
        rejected = int(counts.get(-1, 0))
        unlike = int((frame[BECAUSE] == "unlike").sum()) if rejected else 0
        return Tally(sizes, self.unlike + unlike, self.torn + rejected - unlike)


def require_pieces(fitted: FittedModel, source: str) -> None:
    """Refuse rows that cannot be placed in pieces.

    Raises:
        InputError: for other sources than Parquet and text, and a model whose columns have no
            names, or that has covariates.

    >>> import pandas
    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/new.csv"
    ...     pandas.DataFrame({"spend": [9.5, 7.5], "age": [41, 52]}).to_csv(path, index=False)
    ...     require_pieces(fitted, path)
    >>> require_pieces(fitted, "digits")
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: digits cannot be read in pieces: name a file to write
    """
    if fitted.covariates is not None:
        raise InputError(
            f"rows are not placed in pieces by a model with covariates: name a file to write, and "
            f"not a folder, for {source}"
        )
    if source in BUILT_IN or fitted.encoding.feature_names is None:
        raise InputError(f"{source} cannot be read in pieces: name a file to write")
    parts_of(source)


def place_in_pieces(
    fitted: FittedModel,
    run: str,
    source: str,
    output: str,
    *,
    density: bool = False,
    reject: float | None = None,
) -> Tally:
    """Write the table of `predict_run` for all rows of a source, in memory that does not grow.

    Args:
        fitted: the model; for ``density`` and ``reject`` a `calibrated` one.
        run: its folder.
        source: Parquet, a folder of it, or text.
        output: a file as `table_output` takes it, or a folder of parts as `open_parts` does, in
            which the parts that an earlier command has finished are kept.
        density: as in `predict_run`.
        reject: as in `predict_run`.

    Raises:
        InputError: as `placed_pieces`, `table_output` and `open_parts`.

    >>> import pandas
    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/new.csv"
    ...     pandas.DataFrame({"spend": [9.5, 7.5], "age": [41, 52]}).to_csv(path, index=False)
    ...     tally = place_in_pieces(fitted, "run", path, f"{folder}/placed.csv")
    ...     placed = pandas.read_csv(f"{folder}/placed.csv")
    >>> tally.rows, list(placed.columns[:2])
    (2, ['row', 'cluster'])
    """
    options: dict[str, Any] = {"density": density, "reject": reject}
    tally = Tally((0,) * fitted.gmvae.n_components)
    if not is_parts_folder(output):
        with table_output(output) as write:
            for frame in placed_pieces(fitted, source, **options):
                write(frame)
                tally = tally.plus(frame)
        return tally
    with open_parts(output, _job(run, source) | options) as parts:
        for part in parts.kept:
            tally = tally.plus(_read(part))
        if not parts.finished:
            for frame in placed_pieces(fitted, source, skip=parts.rows_kept, **options):
                parts.write(frame)
                tally = tally.plus(frame)
            parts.finish()
    return tally


def notes_of(fitted: FittedModel, source: str) -> list[str]:
    """Say which columns of a source, besides labels and weights, the model does not read.

    >>> import pandas
    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/new.csv"
    ...     frame = pandas.DataFrame({"spend": [9.5, 7.5], "age": [41, 52], "id": [1, 2]})
    ...     frame.to_csv(path, index=False)
    ...     notes_of(fitted, path)
    ['left out, for training did not have them: id']
    """
    schema = fitted.encoding.schema
    assert schema is not None
    data = DataSettings() if fitted.about.settings is None else settings_of(fitted).data
    names = parts_of(source)[0].names
    features = [n for n in names if n not in (data.label_column, data.weight_column)]
    return ignored_columns(features, schema)


def placed_pieces(
    fitted: FittedModel,
    source: str,
    *,
    density: bool = False,
    reject: float | None = None,
    skip: int = 0,
    rows: int | None = None,
) -> Iterator[pandas.DataFrame]:
    """Give the table of `predict_run` for all rows of a source, a piece at a time.

    The next pieces are read and placed while one is written; a few are in memory at a time.

    Args:
        fitted: the model; for ``density`` and ``reject`` a `calibrated` one.
        source: Parquet, a folder of it, or text.
        density: as in `predict_run`.
        reject: as in `predict_run`.
        skip: how many rows at the start have been placed already.
        rows: rows of a piece, at most; None is 65,536.

    Warns:
        DataWarning: at the end, once for all cells that became gaps.

    Raises:
        InputError: if a file cannot be read, has no rows, or a row does not fit; it names the file,
            the column, the row and the cell.

    >>> import pandas
    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/new.csv"
    ...     pandas.DataFrame({"spend": [9.5, 7.5], "age": [41, 52]}).to_csv(path, index=False)
    ...     [frame["row"].tolist() for frame in placed_pieces(fitted, path, rows=1)]
    [[0], [1]]
    """
    encoding = fitted.encoding
    assert encoding.schema is not None
    conformer = Conformer(encoding.schema, takes_gaps=encoding.takes_gaps)
    read = conforming_rows(
        source, encoding.schema, rows=rows or PIECE_ROWS, skip=skip, conformer=conformer
    )
    name, first = Path(source).stem, skip
    with closing(ahead(read)) as pieces:
        checked = (checked_rows(fitted, torch.from_numpy(piece.x), name) for piece in pieces)
        for x, q in posteriors(fitted, checked):
            found = assign(fitted, x, density=density, reject=reject, responsibilities=q)
            frame = found.to_frame()
            frame.insert(0, "row", range(first, first + len(x)))
            yield frame
            first += len(x)
    if not first:
        raise InputError(f"{Path(source).stem} has no rows: give it 1 or more.")
    conformer.warn(source)


def _job(run: str, source: str) -> dict[str, Any]:
    """Describe the model and the rows, by which a command recognises its earlier parts."""
    files = [(part.path, part.path.stat()) for part in parts_of(source)]
    return {
        "weights_sha256": sha256_of(Path(run) / WEIGHTS),
        "files": [[os.path.abspath(path), s.st_size, s.st_mtime_ns] for path, s in files],
    }


def _read(part: Path) -> pandas.DataFrame:
    import pandas

    known = parquet.read_schema(part).names
    return pandas.read_parquet(part, columns=[n for n in ("cluster", BECAUSE) if n in known])
