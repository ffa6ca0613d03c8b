"""Fit the mixture that our training of a table begins at, on our own scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pyro_gmvae.data import from_frame
from pyro_gmvae.data.columns.wishes import wishes_of
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture, TableRows
from pyro_gmvae.fitting.starts.mixture_fit import fit_mixture, table_features
from pyro_gmvae.fitting.tables import structure_of

__all__ = ["ModelScale", "StartingMixture", "on_model_scale"]


class ModelScale(NamedTuple):
    """Hold a table on the scale of our model.

    Attributes:
        fitted_to: the first rows, which a mixture is fitted to.
        features: theirs, for k-means.
        table: all rows.
        volume: the log of the volume that model scale gives to a raw unit, of each row.
    """

    fitted_to: TableRows
    features: Tensor
    table: TableRows
    volume: Tensor


def on_model_scale(
    frame: pd.DataFrame, rows: int, kinds: Mapping[str, str] | None = None
) -> ModelScale:
    """Describe and encode a table as a training does; see `StartingMixture`."""
    data = from_frame(frame, wishes=wishes_of(kinds))
    train = data.subset(torch.arange(rows))
    encoding = data.kind.fit(train, "mixed", likelihood="table")
    structure = structure_of(encoding, train.x)
    x = encoding(data.x)
    seen = table_features(structure, x[:rows])(x[:rows])
    return ModelScale(
        TableRows.of(x[:rows], structure),
        seen[:, : structure.layout.n_central].double(),
        TableRows.of(x, structure),
        encoding.log_abs_det(data.x).double(),
    )


class StartingMixture:
    """Fit the mixture to the first rows of a table.

    Args:
        frame: the table; its last rows may be those whose density is asked for.
        rows: how many rows are fitted to.
        clusters: K.
        seed: of the starts.
        kinds: of the columns; None infers them.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        rows: int,
        clusters: int,
        *,
        seed: int,
        kinds: Mapping[str, str] | None = None,
    ) -> None:
        scaled = on_model_scale(frame, rows, kinds)
        self.mixture: ColumnMixture = fit_mixture(
            scaled.fitted_to, scaled.features, clusters, seed=seed
        )
        self.table, self.volume = scaled.table, scaled.volume

    def predict(self) -> np.ndarray:
        """Return the likeliest cluster of each row of the table, shape ``(N,)``."""
        return np.asarray(self.mixture.log_joint(self.table).argmax(1))

    def log_density(self) -> np.ndarray:
        """Return the log density of each row's raw cells in nats, shape ``(N,)``."""
        return np.asarray(self.mixture.log_likelihood(self.table) + self.volume)
