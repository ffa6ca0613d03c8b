"""Assign each row to a cluster, in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyro_gmvae.data import Dataset
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.visible import unicode_text

if TYPE_CHECKING:
    import pandas

__all__ = ["predict_run"]


def predict_run(fitted: FittedModel, data: Dataset) -> pandas.DataFrame:
    """Return the columns ``row`` (from 0, in the data's order), ``cluster`` and ``probability``.

    The rows of a folder of images also have the column ``file``, a path in that folder;
    a name that is no text, as of another encoding, has escapes.
    """
    import pandas

    probability, cluster = fitted.responsibilities(data.x).max(-1)
    rows: dict[str, Any] = {"row": range(len(data))}
    if data.row_names is not None:
        rows["file"] = [unicode_text(name) for name in data.row_names]
    return pandas.DataFrame(rows | {"cluster": cluster.numpy(), "probability": probability.numpy()})
