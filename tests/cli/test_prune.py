"""``pyro-gmvae prune``."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from pyro_gmvae.run_data import load_run_rows
from pyro_gmvae.runs import load
from pyro_gmvae.tasks.predict import predict_run
from tests.cli.conftest import TINY, Cli, write_table


@pytest.fixture
def run(cli: Cli) -> str:
    write_table(Path("blobs.csv"))
    command = ["train", "blobs.csv", "--label-column", "kind", "--out", "run", *TINY]
    assert cli(*command, "--clusters", 5, "--initialization", "random").exit_code == 0
    return "run"


def clusters(folder: str) -> pd.Series:
    run = load(folder)
    return predict_run(run, load_run_rows(run, "train"))["cluster"]


def test_drops_what_is_smaller_than_asked(cli: Cli, run: str) -> None:
    share = clusters(run).value_counts(normalize=True)
    least = share.max()
    result = cli("prune", run, "--least", least, "--out", "smaller", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["kept"] == sorted(share.index[share >= least])
    assert sorted(told["kept"] + told["dropped"]) == list(range(5))
    assert load("smaller").gmvae.n_components == len(told["kept"])
    assert set(clusters("smaller")) <= set(range(len(told["kept"])))
    evaluated = json.loads(cli("evaluate", "smaller", "--json", "--samples", 5).stdout)
    assert evaluated["clusters"] == len(told["kept"])


def test_without_empty_clusters_every_row_keeps_its_own(cli: Cli, run: str) -> None:
    before = clusters(run)
    assert cli("prune", run, "--out", "smaller").exit_code == 0
    kept = sorted(set(before))
    assert [kept[k] for k in clusters("smaller")] == before.tolist()


def test_errors(cli: Cli, run: str) -> None:
    for least, words in ((0.99, "no cluster has 99.0%"), (1.5, "0<=x<1"), (-1, "0<=x<1")):
        result = cli("prune", run, "--least", least, "--out", "smaller")
        assert result.exit_code == 2 and words in result.stderr
        assert not Path("smaller").exists()
    assert "exists" in cli("prune", run, "--out", run).stderr
