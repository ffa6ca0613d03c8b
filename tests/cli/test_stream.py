"""Tables that are read in stream, from the training to the assignments."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest

from pyro_gmvae.data.shards import sample
from tests.cli.conftest import Cli
from tests.helpers.shards import mixed, write_shards

OPTIONS = ["-k", "3", "--epochs", "2", "--hidden", "8", "--clusters-are", "held", "--quiet"]


@pytest.fixture(autouse=True)
def small_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "SAMPLE_ROWS", 600)
    monkeypatch.setattr(sample, "HELD_OUT_ROWS", 150)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_shards(mixed(2_000), tmp_path / "table")


def test_a_run_in_stream_can_all_that_another_can(cli: Cli, table: Path) -> None:
    assert cli("train", table, "--out", "run", "--stream", "on", *OPTIONS).exit_code == 0
    about = json.loads(Path("run", "config.json").read_text())["about"]
    assert about["streamed_rows"] == 1_700
    assert "trained on 1,700 rows in stream" in Path("run", "README.md").read_text()
    assert Path("run", "report.html").is_file()
    steps = pd.read_csv("run/metrics.csv")["step"].tolist()
    assert steps == [10, 20]  # of 170 of 1,700 rows
    own = json.loads(cli("evaluate", "run", "--json").stdout)
    assert own["n"] == 150
    # Held-out rows are as likely as those of the same law that nothing has seen.
    write_shards(mixed(1_000, seed=9), Path("new"))
    new = json.loads(cli("evaluate", "run", "new", "--json").stdout)
    error = (own["log_likelihood_se"] ** 2 + new["log_likelihood_se"] ** 2) ** 0.5
    assert abs(own["log_likelihood"] - new["log_likelihood"]) < 4 * error
    assert cli("predict", "run", "new", "-o", "new.csv").exit_code == 0
    assert len(pd.read_csv("new.csv")) == 1_000
    refused = cli("evaluate", "run", "--split", "all")
    assert refused.exit_code == 2
    assert "of which a sample is kept: name the data" in refused.stderr


def test_the_choice_is_told_and_kept(
    cli: Cli, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = [option for option in OPTIONS if option != "--quiet"]
    with monkeypatch.context() as patch:
        patch.setattr(
            psutil, "virtual_memory", lambda: SimpleNamespace(total=10**6, available=10**9)
        )
        done = cli("train", table, "--out", "run", *noisy)
    assert done.exit_code == 0, done.stderr
    assert "2,000 rows are read in stream; a sample of 900 is in memory" in done.stderr
    # On a machine with more memory it is the same run.
    assert json.loads(cli("evaluate", "run", "--json").stdout)["n"] == 150
    longer = cli("train", table, "--out", "run", "--resume", "--epochs", "3", "--quiet")
    assert longer.exit_code == 0, longer.stderr
    assert len(pd.read_csv("run/metrics.csv")) == 3


def test_shards_that_changed_are_noticed(cli: Cli, table: Path) -> None:
    assert cli("train", table, "--out", "run", "--stream", "on", *OPTIONS).exit_code == 0
    write_shards(mixed(50), table / "more", n=1)
    refused = cli("evaluate", "run")
    assert refused.exit_code == 2 and "has changed since the run was trained" in refused.stderr
