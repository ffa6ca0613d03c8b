"""Say in words what tells a cluster of a table from the other rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.tables.encoding import LEVELS, Scale

__all__ = ["described"]


def described(
    frame: pd.DataFrame, kinds: Mapping[str, str], clusters: np.ndarray, words: int = 4
) -> list[str]:
    """Write a line for each cluster in use: its share, and where it differs most.

    A column's difference is that of its mean from all rows', in standard deviations of the column
    on the scale that it is clustered on, times the share of cells that are known. The most
    different level stands for a column of levels.
    """
    table = Scale.of(frame, kinds)(frame)
    matrix = table.matrix
    deviations = np.nanstd(matrix, 0) + 1e-9
    overall = np.nanmean(matrix, 0)
    names = _names(frame, kinds)
    lines = []
    for cluster in np.unique(clusters):
        rows = clusters == cluster
        here = matrix[rows]
        known = (~np.isnan(here)).sum(0)
        means = np.nansum(here, 0) / np.maximum(known, 1)
        # A few known cells of a column of gaps say little of the cluster.
        differences = (means - overall) / deviations * known / rows.sum()
        said: dict[str, str] = {}
        for place in np.argsort(-np.abs(differences)):
            name, level = names[place]
            number = "" if level is None else f" = {level} {means[place]:.0%}"
            said.setdefault(name, f"{name}{number} ({differences[place]:+.1f})")
            if len(said) == words:
                break
        lines.append(f"{rows.mean():.0%}: {', '.join(said.values())}")
    return lines


def _names(frame: pd.DataFrame, kinds: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Name each column of the matrix by its column of the table, and by its level."""
    scale = Scale.of(frame, kinds)
    numbers = [(name, None) for name, kind in kinds.items() if name in scale.standard]
    counts = [(name, None) for name, kind in kinds.items() if kind == "count"]
    levels: list[tuple[str, str | None]] = []
    for name, kind in kinds.items():
        if kind == "spike":
            usual = f"{scale.usual[name]:g}"
            levels += [(name, usual), (name, f"not {usual}")]
        elif kind in LEVELS:
            levels += [(name, level) for level in scale.levels[name]]
    return [*numbers, *counts, *levels]
