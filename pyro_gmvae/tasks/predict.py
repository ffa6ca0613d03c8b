"""The cluster of each row, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyro_gmvae.data import Dataset
from pyro_gmvae.runs import Run
from pyro_gmvae.tasks.data import row_responsibilities

if TYPE_CHECKING:
    import pandas

__all__ = ["predict_run"]


def predict_run(run: Run, data: Dataset, *, seed: int = 0) -> pandas.DataFrame:
    """Columns ``row`` (from 0, in the data's order), ``cluster`` and its ``probability``.

    The rows of a folder of images have their ``file`` as well, a path in that folder.
    """
    import pandas

    q_y = row_responsibilities(run.gmvae, run.preprocessor, data.x, seed=seed)
    probability, cluster = q_y.max(-1)
    rows: dict[str, Any] = {"row": range(len(data))}
    if data.row_names is not None:
        rows["file"] = data.row_names
    return pandas.DataFrame(rows | {"cluster": cluster.numpy(), "probability": probability.numpy()})
