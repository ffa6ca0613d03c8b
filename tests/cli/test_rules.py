"""``pyro-gmvae rules`` writes rules that a database can run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from pyro_gmvae.data.sources.files import read_frame
from tests.cli.conftest import TINY, Cli
from tests.cli.test_impute import write_customers
from tests.helpers.sql import segments_by_sql

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> str:
    write_customers(tmp_path / "c.csv")
    result = cli("train", "c.csv", "--out", "run", "--test-fraction", 0, *TINY)
    assert result.exit_code == 0, result.output
    return "run"


def test_rules_as_text(cli: Cli, run: str) -> None:
    result = cli("rules", run)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("The rules and the model agree on ")
    assert "Segment 0, " in result.stdout and result.stderr == ""


def test_sql_on_standard_output_and_in_a_file(cli: Cli, run: str, tmp_path: Path) -> None:
    result = cli("rules", run, "c.csv", "--sql", "--depth", 2)
    assert result.stdout.startswith("CASE\n  WHEN ") and result.stdout.endswith("\nEND\n")
    assert "held-out rows are on standard output." in result.stderr
    written = cli("rules", run, "--sql", "--depth", 2, "-o", "segment.sql")
    assert "held-out rows are in segment.sql." in written.stdout
    assert (tmp_path / "segment.sql").read_text() == result.stdout
    frame = read_frame(tmp_path / "c.csv")
    frame["joined"] = pandas.to_datetime(frame["joined"])
    found = segments_by_sql(frame, result.stdout)
    assert np.isin(found, [0, 1, 2]).all()


def test_json_has_rules_and_sql(cli: Cli, run: str, tmp_path: Path) -> None:
    values = json.loads(cli("rules", run, "--json").stdout)
    assert values["run"] == run and values["sql"].startswith("CASE")
    assert 0 <= values["fidelity"] <= 1 and len(values["segments"]) == 3
    again = cli("rules", run, "--json", "--sql", "-o", "segment.sql")
    assert json.loads(again.stdout)["output"] == "segment.sql"
    assert (tmp_path / "segment.sql").read_text() == values["sql"] + "\n"


def test_what_is_refused(cli: Cli, run: str, trained_digits: Path, tmp_path: Path) -> None:
    for arguments, words in (
        (["rules", trained_digits], "this model is of images"),
        (["rules", run, "-o", tmp_path], "is a folder"),
        (["rules", run, "--json", "-o", "-"], "both write to standard output"),
        (["rules", run, "--depth", 0], "--depth"),
    ):
        result = cli(*arguments)
        assert result.exit_code == 2 and words in result.stderr, result.output
