"""``pyro-gmvae stability``."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from pyro_gmvae.data import Dataset
from pyro_gmvae.data.table_file import load_table
from tests.cli.conftest import TINY, Cli, run_cli, write_table


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs beside their table, not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    write_table(folder / "blobs.csv")
    for seed in (0, 1):
        command = ["train", folder / "blobs.csv", "--label-column", "kind"]
        command += ["--out", folder / f"run{seed}", *TINY, "--clusters", 2, "--seed", seed]
        command += ["--initialization", "kmeans"]
        assert run_cli(*command).exit_code == 0
    return [folder / "run0", folder / "run1"]


def test_compares_runs_on_the_rows_of_the_first(cli: Cli, runs: list[Path]) -> None:
    result = cli("stability", *runs, "--json", "-o", "agreed.csv")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["clusterings"], report["n"]) == (2, 60)
    assert -1 <= report["min_ari"] <= report["mean_ari"] <= 1
    table = pd.read_csv("agreed.csv")
    assert list(table) == ["row", "cluster", "probability", "agreement"]
    assert (table["agreement"] == 1).mean() == pytest.approx(report["certain"])


def test_a_run_agrees_with_itself(cli: Cli, runs: list[Path]) -> None:
    shown = cli("stability", runs[0], runs[0]).stdout
    assert "1.000" in shown and "100.0%" in shown and "stable" in shown


def test_resamples_of_one_run(cli: Cli, runs: list[Path]) -> None:
    command = ["stability", runs[0], "--resamples", 2, "--seed", 1]
    result = cli(*command, "--json", "--quiet")
    assert result.exit_code == 0 and result.stderr == "", result.output
    report = json.loads(result.stdout)
    assert (report["run"], report["n"], report["resamples"]) == (str(runs[0]), 60, 2)
    assert sum(c["size"] for c in report["clusters"]) == 60
    shown = cli(*command)
    assert "resample 2 of 2" in shown.stderr
    assert f"{report['mean_ari']:.3f}" in shown.stdout
    assert all(c["verdict"] in shown.stdout for c in report["clusters"])


def test_what_resamples_are_not_for(refused: Cli) -> None:
    assert "name two or more, or use --resamples" in refused("stability", "run")
    assert "--resamples is for a single run" in refused("stability", "a", "b", "--resamples", 2)
    for option in (["--data", "digits"], ["-o", "agreed.csv"], ["--image-size", 8]):
        assert "leave it out" in refused("stability", "run", "--resamples", 2, *option)


def test_data_are_read_once(cli: Cli, runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def listen(path: Path, **options: object) -> Dataset:
        read.append(path)
        return load_table(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("pyro_gmvae.data.sources.load_table", listen)
    own = cli("stability", *runs, "-o", "own.csv")
    named = cli("stability", *runs, "--data", runs[0].parent / "blobs.csv", "-o", "named.csv")
    assert own.exit_code == named.exit_code == 0 and len(read) == 2
    # The rows are in the order of the file, whatever parts they were in at training.
    assert Path("own.csv").read_text() == Path("named.csv").read_text()
