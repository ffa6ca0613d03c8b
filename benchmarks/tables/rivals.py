"""Run the packages that cluster mixed tables, and say how to get them where they are missing."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables.encoding import Encoded
from pyro_gmvae.errors import InputError

__all__ = ["FittedStepMix", "check_installed", "fitted_stepmix", "k_prototypes"]

PACKAGES = {"stepmix": "stepmix", "kprototypes": "kmodes"}  # of the contenders that need one


def check_installed(contenders: Iterable[str]) -> None:
    """Refuse contenders whose package is missing, before anything is run.

    Raises:
        InputError: with the command that installs all of them.
    """
    needed = {PACKAGES[name] for name in contenders if name in PACKAGES}
    if missing := sorted(package for package in needed if find_spec(package) is None):
        raise InputError(
            f"not installed: {', '.join(missing)}; run `pip install {' '.join(missing)}`, best in "
            "an environment of its own, or leave these contenders out by --contenders"
        )


class FittedStepMix:
    """Hold StepMix fitted to a table."""

    def __init__(self, model: Any, table: Encoded) -> None:
        self.model = model
        self.table = table

    def predict(self) -> np.ndarray:
        """Return the clusters of the table that it was fitted to, shape ``(N,)``."""
        return np.asarray(self.model.predict(_frame(self.table)))

    def log_density(self, table: Encoded) -> float:
        """Return the mean log density of raw rows, in nats; counts are not in it."""
        return float(self.model.score(_frame(table)) + table.log_volume.mean())


def fitted_stepmix(
    table: Encoded, clusters: int, *, seed: int, starts: int, tolerance: float = 1e-5
) -> FittedStepMix:
    """Fit StepMix: normal numbers and log counts, categorical levels, gaps left out."""
    check_installed(["stepmix"])
    from stepmix.stepmix import StepMix
    from stepmix.utils import get_mixed_descriptor

    frame = _frame(table)
    laws = {
        "continuous_nan": [name for name in frame.columns.astype(str) if name.startswith("n")],
        "categorical_nan": [name for name in frame.columns.astype(str) if name.startswith("c")],
    }
    chosen = {law: names for law, names in laws.items() if names}
    ordered, measurement = get_mixed_descriptor(dataframe=frame, **chosen)
    model = StepMix(
        n_components=clusters,
        measurement=measurement,
        n_init=starts,
        max_iter=300,
        abs_tol=tolerance,
        random_state=seed,
        progress_bar=0,
        verbose=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too few iterations: the figures show it
        return FittedStepMix(model.fit(ordered), table)


def k_prototypes(table: Encoded, clusters: int, *, seed: int) -> np.ndarray:
    """Cluster by k-prototypes, or by k-modes where there are no numbers; shape ``(N,)``."""
    check_installed(["kprototypes"])
    from kmodes.kmodes import KModes
    from kmodes.kprototypes import KPrototypes

    numbers = table.completed[:, : table.numbers.shape[1] + table.counts.shape[1]]
    levels = table.codes.copy()
    for column in levels.T:
        column[column < 0] = np.bincount(column[column >= 0]).argmax()
    if numbers.shape[1] == 0:
        return np.asarray(KModes(clusters, random_state=seed).fit_predict(levels))
    fitted = KPrototypes(clusters, n_init=1, max_iter=15, random_state=seed)
    places = list(range(numbers.shape[1], numbers.shape[1] + levels.shape[1]))
    mixed = np.concatenate([numbers.astype(object), levels.astype(str).astype(object)], 1)
    return np.asarray(fitted.fit_predict(mixed, categorical=places))


def _frame(table: Encoded) -> pd.DataFrame:
    """Write the columns as StepMix takes them, numbers first."""
    numbers = np.concatenate([table.numbers, table.standard_counts], 1)
    columns = {f"n{j}": cells for j, cells in enumerate(numbers.T)}
    for j, codes in enumerate(table.codes.T):
        columns[f"c{j}"] = np.where(codes < 0, np.nan, codes)
    return pd.DataFrame(columns)
