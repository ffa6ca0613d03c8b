"""Fill the missing cells of a table file by what a model says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyro_gmvae.data import TableEncoding, from_frame
from pyro_gmvae.data.columns.fill import fill_gaps, gaps_of, whole_counts
from pyro_gmvae.data.sources.files import check_file, is_table, read_table
from pyro_gmvae.data.sources.raw import STANDARD_INPUT
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import NUM_SAMPLES, FittedModel
from pyro_gmvae.ranges import MOST_DRAWS, whole

if TYPE_CHECKING:
    import pandas

__all__ = ["Filled", "impute_source"]


@dataclass(frozen=True, eq=False)
class Filled:
    """Hold a table whose gaps were filled.

    Attributes:
        frame: the columns of the file, in their order, those that the model does not know too.
        cells: how many cells of each column were filled.
        notes: a plain sentence for each guess that was made when the file was read.

    >>> import pandas
    >>> filled = Filled(pandas.DataFrame({"age": [41.0, 39.5]}), {"age": 1}, notes=())
    >>> filled.cells["age"]  # one cell was missing
    1
    """

    frame: pandas.DataFrame
    cells: dict[str, int]
    notes: tuple[str, ...]


def impute_source(
    fitted: FittedModel,
    source: str,
    *,
    draw: bool = False,
    num_samples: int = NUM_SAMPLES,
    seed: int = 0,
) -> Filled:
    """Fill the missing cells of a table file in the columns that a model knows.

    Args:
        fitted: a model that takes gaps.
        source: a table file, a folder of ``.parquet`` files, or ``-``.
        draw: fill with a draw from p(x_A | x_B), in place of the mean or the likeliest level.
        num_samples: importance samples of each row.
        seed: fixes every draw.

    Raises:
        InputError: for a source that is no table or cannot be read, rows that do not fit the model,
            or a model that takes no gaps.

    >>> from tempfile import TemporaryDirectory
    >>> import pandas
    >>> import torch
    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> frame = pandas.DataFrame({"size": [1.5, 2.5, None, 4.0], "tier": ["a", "b", "a", "b"]})
    >>> encoding = TableEncoding.fit(from_frame(frame), "mixed")
    >>> gmvae = ExactGMVAE(
    ...     2, n_components=2, latent_dim=1, hidden=(4,), likelihood="table",
    ...     table=TableStructure(encoding.columns),
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     frame.to_csv(f"{folder}/t.csv", index=False)
    ...     filled = impute_source(FittedModel(gmvae.eval(), encoding), f"{folder}/t.csv")
    >>> filled.cells, int(filled.frame.isna().sum().sum())
    ({'size': 1}, 0)
    """
    num_samples = whole("samples", num_samples, least=1, most=MOST_DRAWS)
    encoding = fitted.encoding
    if not isinstance(encoding, TableEncoding) or not is_table(source):
        raise InputError(
            f"only the gaps of a table are filled, by a model of one: {source} or the run is not"
        )
    if source != STANDARD_INPUT:
        check_file(Path(source), source)
    table = read_table(Path(source))
    frame = table.frame.rename(columns=str)
    data = from_frame(frame, name=Path(source).stem, purpose="apply")
    conformed = fitted.conform(data)
    filled = fitted.impute(conformed.x, draw=draw, num_samples=num_samples, seed=seed)
    cells = encoding.to_frame(whole_counts(encoding.schema, filled))
    if encoding.feature_names is None:
        cells.columns = frame.columns
    gaps = gaps_of(frame, data.x.isnan().numpy(), cells.columns)
    made = fill_gaps(frame, gaps, cells)
    counts = {name: int(gap.sum()) for name, gap in gaps.items() if gap.any()}
    return Filled(made, counts, (*table.notes, *conformed.notes))
