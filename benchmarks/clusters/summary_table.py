"""Make the table of the benchmark ``clusters``: mean, spread and minimum over all seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from benchmarks.measuring.summary import markdown_table, spread
from pyro_gmvae.evaluation import pairwise_ari

__all__ = ["summary", "table"]

Row = dict[str, Any]
Key = tuple[str, int, str]
FIGURES = ["accuracy", "purity", "nmi", "ari", "clusters_in_use", "mutual_information"]
FIGURES += ["log_likelihood", "seconds"]
HEADS = ["K", "contender", "seeds", "accuracy", "least", "purity", "NMI", "ARI"]
HEADS += ["ARI between seeds", "clusters used", "I(x;y)", "log p(x)", "minutes"]


def summary(cells: Sequence[Row], paths: Sequence[Path]) -> list[Row]:
    """Make a row for each data set, K and contender: every figure as its values over the seeds.

    ``pairwise_ari`` has one value for each pair of seeds, if all have the same test rows.

    Args:
        cells: the contents of the cells' files.
        paths: these files; the clusters of the test rows are beside them, as ``.npy``.
    """
    rows: dict[Key, Row] = {}
    labels: dict[Key, list[torch.Tensor]] = {}
    test_rows: dict[Key, set[str | None]] = {}
    for cell, path in zip(cells, paths, strict=True):
        key = (cell["data"], cell["clusters"], cell["contender"])
        named = {"data": key[0], "clusters": key[1], "contender": key[2]}
        row = rows.setdefault(key, {**named, "seeds": []})
        row["seeds"].append(cell["seed"])
        row.setdefault("settings", cell["settings"])
        for name in FIGURES:
            row.setdefault(name, []).append(cell.get(name))
        # A cell of an earlier version does not tell its rows.
        test_rows.setdefault(key, set()).add(cell.get("test_rows"))
        beside = path.with_suffix(".npy")
        if beside.is_file():
            labels.setdefault(key, []).append(torch.from_numpy(np.load(beside)).long())
    for key, found in labels.items():
        # Without an official test part each seed holds out rows of its own.
        if len(found) > 1 and len(test_rows[key]) == 1 and None not in test_rows[key]:
            first, second = np.triu_indices(len(found), 1)
            rows[key]["pairwise_ari"] = pairwise_ari(found)[first, second].tolist()
    return [rows[key] for key in sorted(rows, key=lambda key: key[:2])]


def table(rows: Sequence[Row]) -> str:
    """Write in Markdown a table for each data set."""
    lines: list[str] = []
    for data in dict.fromkeys(row["data"] for row in rows):
        found = []
        for row in rows:
            if row["data"] != data:
                continue
            between = row.get("pairwise_ari")
            cells = [str(row["clusters"]), row["contender"], str(len(row["seeds"]))]
            cells += [spread(row["accuracy"], 3), f"{min(row['accuracy']):.3f}"]
            cells += [spread(row[name], 3) for name in ("purity", "nmi", "ari")]
            cells += ["" if between is None else f"{mean(between):.3f}"]
            cells += [spread(row["clusters_in_use"], 1), spread(row["mutual_information"], 2)]
            cells += [spread(row["log_likelihood"], 2)]
            cells += [spread([seconds / 60 for seconds in row["seconds"]], 1)]
            found.append(cells)
        lines += [f"### {data}", "", *markdown_table(HEADS, found)]
    return "\n".join(lines)
