"""Fit the mixture that our training of a table begins at, on our own scales."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from pyro_gmvae.data import from_frame
from pyro_gmvae.data.columns.wishes import wishes_of
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture, TableRows
from pyro_gmvae.fitting.starts.mixture_fit import fit_mixture, table_features
from pyro_gmvae.fitting.tables import structure_of

__all__ = ["StartingMixture"]


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
        data = from_frame(frame, wishes=wishes_of(kinds))
        train = data.subset(torch.arange(rows))
        encoding = data.kind.fit(train, "mixed", likelihood="table")
        structure = structure_of(encoding, train.x)
        x = encoding(data.x)
        seen = table_features(structure, x[:rows])(x[:rows])
        features = seen[:, : structure.layout.n_central].double()
        fitted_to = TableRows.of(x[:rows], structure)
        self.mixture: ColumnMixture = fit_mixture(fitted_to, features, clusters, seed=seed)
        self.table = TableRows.of(x, structure)
        self.volume = encoding.log_abs_det(data.x).double()

    def predict(self) -> np.ndarray:
        """Return the likeliest cluster of each row of the table, shape ``(N,)``."""
        return np.asarray(self.mixture.log_joint(self.table).argmax(1))

    def log_density(self) -> np.ndarray:
        """Return the log density of each row's raw cells in nats, shape ``(N,)``."""
        return np.asarray(self.mixture.log_likelihood(self.table) + self.volume)
