"""``pyro-gmvae predict --density`` and ``--reject``."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pyro_gmvae import GMVAE
from pyro_gmvae.runs import load, save_run
from tests.cli.conftest import TINY, Cli, run_cli, write_table

PLAIN = ["row", "cluster", "probability", "second_cluster", "second_probability"]
DENSITY = ["log_p", "typicality"]


def table(cli: Cli, *arguments: object) -> pd.DataFrame:
    result = cli("predict", *arguments, "-o", "a.csv", "--quiet")
    assert result.exit_code == 0, result.output
    return pd.read_csv("a.csv", keep_default_na=False, na_values={"typicality": [""]})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 400 rows, of which 80 were held out, not to be changed; its data are beside it."""
    folder = tmp_path_factory.mktemp("rejecting")
    write_table(folder / "blobs.csv", 400)
    options = ["--label-column", "kind", "--test-fraction", "0.2", "--validation-fraction", "0"]
    done = run_cli("train", folder / "blobs.csv", "--out", folder / "run", *TINY, *options)
    assert done.exit_code == 0, done.output
    return folder / "run"


def test_columns(cli: Cli, run: Path) -> None:
    write_table(Path("new.csv"), 30, seed=1)
    assert list(table(cli, run, "new.csv")) == PLAIN
    dense = table(cli, run, "new.csv", "--density")
    assert list(dense) == PLAIN + DENSITY
    assert dense["typicality"].between(0, 1, inclusive="right").all()
    both = table(cli, run, "new.csv", "--reject", 0.1, "--density")
    assert set(both) == {*PLAIN, *DENSITY, "rejected_because", "likeliest_cluster"}
    assert both["log_p"].tolist() == dense["log_p"].tolist()
    assert (both["likeliest_cluster"] == dense["cluster"]).all()


def test_a_far_row_is_rejected_and_counted(cli: Cli, run: Path) -> None:
    write_table(Path("new.csv"), 30, seed=1)
    with open("new.csv", "a") as file:
        file.write("900,-9000,a\n")
    found = table(cli, run, "new.csv", "--reject", 0.05)
    assert found.iloc[-1]["cluster"] == -1 and found.iloc[-1]["rejected_because"] == "unlike"
    assert found.iloc[-1]["typicality"] == pytest.approx(1 / 81)
    rejected = int((found["cluster"] == -1).sum())
    assert rejected < 10
    assert (found["rejected_because"] != "").sum() == rejected
    told = json.loads(cli("predict", run, "new.csv", "-o", "a.csv", "--json").stdout)
    assert told["rejected"] == 0 and sum(told["cluster_sizes"]) == told["rows"] == 31
    again = cli("predict", run, "new.csv", "-o", "a.csv", "--reject", 0.05, "--json")
    told = json.loads(again.stdout)
    assert told["rejected"] == rejected and sum(told["cluster_sizes"]) == 31 - rejected
    said = cli("predict", run, "new.csv", "-o", "a.csv", "--reject", 0.05).stdout
    assert f"Rejected {rejected} rows" in said and f"Assigned {31 - rejected} rows" in said


def test_the_estimator_and_the_command_say_the_same(cli: Cli, run: Path) -> None:
    write_table(Path("new.csv"), 30, seed=1)
    found = table(cli, run, "new.csv", "--reject", 0.2)
    frame = pd.read_csv("new.csv")[["width", "height"]].astype("float32")
    loaded = GMVAE.load(run)
    own = loaded.assign(frame, reject=0.2)
    assert own["cluster"].tolist() == found["cluster"].tolist()
    assert own["typicality"].tolist() == pytest.approx(found["typicality"].tolist())
    loaded.save("saved")
    assert GMVAE.load("saved").assign(frame, reject=0.2).equals(own)


def test_a_share_too_small(refused: Cli, run: Path) -> None:
    write_table(Path("new.csv"), 3)
    words = refused("predict", run, "new.csv", "-o", "a.csv", "--reject", 0.01)
    assert "reject 0.01 of the rows takes 99 rows" in words and "has 80" in words
    for share in (0, 1, "nan", -1):
        refused("predict", run, "new.csv", "-o", "a.csv", "--reject", share)


def test_an_old_run_is_calibrated_by_its_data(cli: Cli, run: Path) -> None:
    write_table(Path("new.csv"), 30, seed=1)
    expected = table(cli, run, "new.csv", "--reject", 0.1)
    save_run("old", replace(load(run), calibration=None))
    config = json.loads(Path("old/config.json").read_text())
    del config["calibration"]  # as an earlier version wrote it
    Path("old/config.json").write_text(json.dumps(config))
    assert load("old").calibration is None
    assert table(cli, "old", "new.csv", "--reject", 0.1).equals(expected)
    assert table(cli, "old", "new.csv").shape == (30, 5)


def test_an_old_run_whose_data_are_gone(refused: Cli, run: Path) -> None:
    shutil.copy(run.parent / "blobs.csv", "blobs.csv")
    about = load(run).about
    assert about.settings is not None
    moved = replace(about, settings=about.settings | {"data": "gone.csv"})
    save_run("old", replace(load(run), calibration=None, about=moved))
    for option in (["--density"], ["--reject", "0.1"]):
        words = refused("predict", "old", "blobs.csv", "-o", "a.csv", *option)
        assert "gone.csv" in words and "train it again" in words


def test_a_run_that_held_out_no_rows(cli: Cli, refused: Cli) -> None:
    write_table(Path("blobs.csv"))
    assert cli("train", "blobs.csv", "--out", "r", *TINY, "--test-fraction", 0).exit_code == 0
    assert load("r").calibration is None
    words = refused("predict", "r", "blobs.csv", "-o", "a.csv", "--density")
    assert "held out no rows" in words and "--test-fraction" in words


def test_a_pruned_run_is_calibrated(cli: Cli, run: Path) -> None:
    write_table(Path("new.csv"), 30, seed=1)
    assert cli("prune", run, "--out", "smaller", "--least", 0.01).exit_code == 0
    assert load("smaller").calibration is not None
    assert len(table(cli, "smaller", "new.csv", "--reject", 0.1)) == 30


def test_images(cli: Cli, trained_digits: Path) -> None:
    calibration = load(trained_digits).calibration
    assert calibration is not None and len(calibration) == 162 + 180
    found = table(cli, trained_digits, "digits", "--reject", 0.05)
    assert 0.03 < (found["cluster"] == -1).mean() < 0.08
