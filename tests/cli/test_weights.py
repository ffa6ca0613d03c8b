"""``--weight`` names a column by which rows count, in training and in every figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

import pyro_gmvae
from pyro_gmvae import GMVAE
from tests.cli.conftest import TINY, Cli, write_table
from tests.helpers.tiny import same_weights

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
SHORT = [*TINY, "--device", "cpu"]


@pytest.fixture
def table(cli: Cli, tmp_path: Path) -> pandas.DataFrame:
    write_table(tmp_path / "plain.csv", rows=120)
    frame = pandas.read_csv(tmp_path / "plain.csv")
    frame["times"] = np.arange(120) % 3
    frame.to_csv(tmp_path / "t.csv", index=False)
    return frame


def test_a_run_counts_rows_by_their_weights(
    cli: Cli, table: pandas.DataFrame, tmp_path: Path
) -> None:
    options = ["--weight", "times", "--label-column", "kind", "--test-fraction", 0.3]
    trained = cli("train", "t.csv", "--out", "run", *options, *SHORT, "--json")
    assert trained.exit_code == 0, trained.output
    figures = json.loads(trained.stdout)
    evaluated = json.loads(cli("evaluate", "run", "--json").stdout)
    assert evaluated["log_likelihood"] == figures["log_likelihood"]
    every = json.loads(cli("evaluate", "run", "t.csv", "--json").stdout)
    assert every["n"] == 120 and every["sum_of_weights"] == table["times"].sum()
    # The figures of the weighted rows are those of repeated ones.
    table.loc[table.index.repeat(table["times"])].drop(columns="times").to_csv(
        tmp_path / "repeated.csv", index=False
    )
    repeated = json.loads(cli("evaluate", "run", "repeated.csv", "--json").stdout)
    assert repeated["n"] == table["times"].sum() and "sum_of_weights" not in repeated
    for name in ("log_likelihood", "elbo", "entropy_y", "entropy_y_given_x"):
        assert repeated[name] == pytest.approx(every[name], abs=1e-6), name


def test_the_estimator_trains_the_same_model(cli: Cli, table: pandas.DataFrame) -> None:
    options = ["--weight", "times", "--label-column", "kind", "--test-fraction", 0]
    assert cli("train", "t.csv", "--out", "run", *options, *SHORT).exit_code == 0
    ours = GMVAE(3, hidden=(8,), latent_dim=2, max_iter=1, random_state=0, device="cpu")
    ours.set_params(init_params="random", regularize="none")
    ours.fit(table[["width", "height"]], sample_weight=table["times"])
    theirs = pyro_gmvae.load("run")
    assert same_weights(ours.model_.state_dict(), theirs.gmvae.state_dict())
    assert ours.fitted_.about.fingerprint == theirs.about.fingerprint


def test_other_weights_are_other_data(cli: Cli, table: pandas.DataFrame, tmp_path: Path) -> None:
    cli("train", "t.csv", "--out", "run", "--weight", "times", *SHORT)
    table.assign(times=1 + table["times"]).to_csv(tmp_path / "t.csv", index=False)
    result = cli("evaluate", "run")
    assert result.exit_code == 2 and "has changed since the run was trained" in result.stderr


def test_select_and_stability_take_weights(
    cli: Cli, table: pandas.DataFrame, tmp_path: Path
) -> None:
    options = [o for o in SHORT if o not in ("--clusters", "3", "--no-report")]
    options += ["--weight", "times", "--label-column", "kind"]
    result = cli("select", "t.csv", "-k", "1,2", "--runs", 2, "--out", "sel", *options)
    assert result.exit_code == 0, result.output
    cli("train", "t.csv", "--out", "run", "--weight", "times", "--label-column", "kind", *SHORT)
    report = json.loads(cli("stability", "run", "run", "--json").stdout)
    assert report["n"] == 120
    assert sum(c["size"] for c in report["clusters"]) == table["times"].sum()
    halves = json.loads(cli("stability", "run", "--resamples", 1, "--quiet", "--json").stdout)
    assert sum(c["size"] for c in halves["clusters"]) == table["times"].sum()


@pytest.mark.parametrize("cell", ["-1", "much", ""])
def test_a_wrong_weight_is_shown(
    refused: Cli, table: pandas.DataFrame, tmp_path: Path, cell: str
) -> None:
    lines = (tmp_path / "t.csv").read_text().splitlines()
    lines[5] = lines[5].rsplit(",", 1)[0] + f",{cell}"
    (tmp_path / "bad.csv").write_text("\n".join(lines))
    error = refused("train", "bad.csv", "--out", "run", "--weight", "times", *SHORT)
    assert "row 4, line 6" in error and "times" in error


def test_only_a_table_has_a_column_of_weights(refused: Cli) -> None:
    error = refused("train", "digits", "--out", "run", "--weight", "times", *SHORT)
    assert "digits is not a table, so it has no weight column times" in error
