"""``pyro-gmvae prune``."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from pyro_gmvae.run_data import load_run_rows, load_run_splits
from pyro_gmvae.runs import load
from pyro_gmvae.segments import calibrate
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


def test_a_pruned_run_is_calibrated_by_the_rows_that_were_held_out(cli: Cli) -> None:
    write_table(Path("blobs.csv"), 400)
    options = ["--label-column", "kind", "--test-fraction", 0.2, "--initialization", "random"]
    assert (
        cli("train", "blobs.csv", "--out", "run", *TINY, *options, "--clusters", 5).exit_code == 0
    )
    share = clusters("run").value_counts(normalize=True)
    assert cli("prune", "run", "--least", share.max(), "--out", "smaller").exit_code == 0
    whole, smaller = load("run"), load("smaller")
    assert smaller.gmvae.n_components < 5
    own = smaller.calibration
    assert own is not None and whole.calibration is not None
    assert len(own) == len(whole.calibration)
    # The figures are those of the smaller model.
    again = calibrate(smaller, load_run_splits(smaller))
    assert again is not None and torch.equal(again.log_p, own.log_p)
    assert not torch.equal(own.log_p, whole.calibration.log_p)
    Path("blobs.csv").unlink()  # nothing but the run is needed from here on
    write_table(Path("new.csv"), 2_000, seed=1)
    result = cli("predict", "smaller", "new.csv", "--reject", 0.1, "-o", "a.csv", "--json")
    assert result.exit_code == 0, result.output
    # Of 2,000 rows, by n held-out ones: the spread of the share is that of both.
    spread = (0.1 * 0.9 * (1 / 2_000 + 1 / len(own))) ** 0.5
    assert abs(json.loads(result.stdout)["rejected"] / 2_000 - 0.1) < 4 * spread
