"""``pyro-gmvae stability``."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import TINY, Cli, write_table


@pytest.fixture
def runs(cli: Cli) -> list[str]:
    write_table(Path("blobs.csv"))
    for seed in (0, 1):
        command = ["train", "blobs.csv", "--label-column", "kind", "--out", f"run{seed}"]
        assert cli(*command, *TINY, "--clusters", 2, "--seed", seed).exit_code == 0
    return ["run0", "run1"]


def test_compares_runs_on_the_rows_of_the_first(cli: Cli, runs: list[str]) -> None:
    result = cli("stability", *runs, "--json", "-o", "agreed.csv")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["clusterings"], report["n"]) == (2, 60)
    assert -1 <= report["min_ari"] <= report["mean_ari"] <= 1
    table = pd.read_csv("agreed.csv")
    assert list(table) == ["row", "cluster", "probability", "agreement"]
    assert (table["agreement"] == 1).mean() == pytest.approx(report["certain"])


def test_a_run_agrees_with_itself(cli: Cli, runs: list[str]) -> None:
    shown = cli("stability", runs[0], runs[0]).stdout
    assert "1.000" in shown and "100.0%" in shown and "stable" in shown


def test_one_run_is_not_enough(refused: Cli) -> None:
    assert "name two or more" in refused("stability", "run")
