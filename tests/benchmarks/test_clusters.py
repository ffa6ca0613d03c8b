"""The comparison of clusters: it runs, goes on where it stopped, and its table is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.clusters_table import summary, table
from tests.cli.conftest import Cli

SMALL = ["benchmark", "clusters", "--small", "--device", "cpu", "--out", "found", "--json"]


def cell(seed: int, accuracy: float) -> dict[str, Any]:
    figures = {"nmi": 0.5, "ari": 0.5, "clusters_in_use": 3, "seconds": 60.0}
    named = {"data": "mnist", "contender": "exact", "seed": seed, "settings": {}}
    return named | figures | {"accuracy": accuracy}


def test_runs_and_goes_on(cli: Cli) -> None:
    options = ["--contenders", "kmeans", "exact-elbo", "vae-gmm"]
    first = cli(*SMALL, *options)
    assert first.exit_code == 0, first.output
    rows = {row["contender"]: row for row in json.loads(first.stdout)["results"]}
    assert rows.keys() == {"kmeans", "exact-elbo", "vae-gmm"}
    assert all(0.1 <= row["accuracy"][0] <= 1 for row in rows.values())
    assert rows["exact-elbo"]["log_likelihood"][0] is not None
    before = {p: p.stat().st_mtime_ns for p in Path("found").glob("*seed*")}
    assert json.loads(cli(*SMALL, *options).stdout)["results"] == list(rows.values())
    assert before == {p: p.stat().st_mtime_ns for p in Path("found").glob("*seed*")}
    assert "| vae-gmm | 1 |" in Path("found/table.md").read_text()


def test_the_table_has_the_least_and_the_agreement(tmp_path: Path) -> None:
    paths = [tmp_path / f"mnist-exact-seed{seed}.json" for seed in (0, 1, 2)]
    labels = np.arange(30) % 3
    for path, names in zip(paths, ([0, 1, 2], [2, 0, 1], [0, 0, 1]), strict=True):
        np.save(path.with_suffix(".npy"), np.array(names)[labels])
    rows = summary([cell(0, 0.9), cell(1, 0.8), cell(2, 0.7)], paths)
    assert rows[0]["pairwise_ari"][0] == 1
    assert rows[0]["pairwise_ari"][1] == pytest.approx(rows[0]["pairwise_ari"][2])
    assert "| exact | 3 | 0.800 ± 0.100 | 0.700 |" in table(rows)


def test_a_missing_peer_says_how_to_get_it(cli: Cli) -> None:
    result = cli(*SMALL, "--contenders", "clustpy-dec")
    assert result.exit_code == 2
    assert "clustpy-dec needs ClustPy" in result.stderr or "DEC needs ClustPy" in result.stderr


def test_tables(cli: Cli) -> None:
    options = ["benchmark", "tables", "--small", "--device", "cpu", "--json"]
    found = json.loads(cli(*options).stdout)
    named = [(row["table"], row["method"], row["moves"]) for row in found["results"]]
    assert named == [
        ("iris", "kmeans", None),
        ("iris", "mixture", None),
        ("iris", "sparse", "none"),
    ]
    assert all(-1 <= row["ari"][0] <= 1 for row in found["results"])
