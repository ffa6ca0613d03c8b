"""Every command on a table of amounts, dates, text and gaps whose three groups are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.metrics import adjusted_rand_score

from pyro_gmvae.runs import load
from tests.cli.conftest import Cli, run_cli

ROWS = 150
SMALL = ["--epochs", 2, "--hidden", 8, "--quiet", "--label-column", "group"]
HELD = ["--clusters-are", "held", *SMALL]


def write_customers(path: Path, *, seed: int = 0) -> pandas.DataFrame:
    """Three groups of customers; a tenth of the cells is missing."""
    rng = np.random.default_rng(seed)
    group = np.arange(ROWS) % 3
    days = 300 * group + rng.integers(0, 200, ROWS)
    frame = pandas.DataFrame(
        {
            "spend": np.exp(rng.normal(3 + 2 * group, 0.4)).round(2),
            "visits": rng.poisson([1, 6, 20], (ROWS, 3))[np.arange(ROWS), group],
            "since": pandas.Timestamp("2020-01-01") + pandas.to_timedelta(days, "D"),
            "tier": np.array(["tin", "silver", "gold", "none"])[
                np.where(rng.random(ROWS) < 0.8, group, 3)
            ],
            "refund": np.where(rng.random(ROWS) < 0.3, rng.lognormal(3, 1, ROWS).round(2), 0),
        }
    )
    frame = frame.mask(rng.random(frame.shape) < 0.1).assign(group=np.array(list("abc"))[group])
    frame.to_csv(path, index=False)
    return frame


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table t.csv, a run of three clusters, and one of six."""
    folder = tmp_path_factory.mktemp("mixed")
    write_customers(folder / "t.csv")
    for name, clusters in (("three", 3), ("six", 6)):
        train = ["train", folder / "t.csv", "--clusters", clusters, "--out", folder / name]
        assert run_cli(*train, *HELD).exit_code == 0
    return folder


def clusters_of(run: object, table: object, out: Path) -> pandas.DataFrame:
    assert run_cli("predict", run, table, "-o", out, "--quiet").exit_code == 0
    return pandas.read_csv(out)


def test_stability_and_evaluation(cli: Cli, trained: Path, tmp_path: Path) -> None:
    frame = pandas.read_csv(trained / "t.csv")
    found = clusters_of(trained / "three", trained / "t.csv", tmp_path / "p.csv")
    assert adjusted_rand_score(frame.group, found.cluster) > 0.9
    other = ["train", trained / "t.csv", "--clusters", 3, "--seed", 1, "--out", "other", *HELD]
    assert cli(*other).exit_code == 0
    agreed = json.loads(cli("stability", trained / "three", "other", "--json").stdout)
    assert agreed["mean_ari"] > 0.9
    # Cells of new rows may be missing, and a whole column.
    frame.drop(columns="since").to_csv("new.csv", index=False)
    told = cli("evaluate", trained / "three", "new.csv", "--json", "--samples", 5)
    assert "no column since" in " ".join(told.stderr.split())
    assert np.isfinite(json.loads(told.stdout)["log_likelihood"])


def test_pruned_clusters_keep_their_rows(trained: Path, tmp_path: Path) -> None:
    before = clusters_of(trained / "six", trained / "t.csv", tmp_path / "before.csv").cluster
    share = before.value_counts(normalize=True)
    least = float(share.sort_values().iloc[1])
    done = run_cli("prune", trained / "six", "--least", least, "--out", tmp_path / "less", "--json")
    kept = json.loads(done.stdout)["kept"]
    assert len(kept) < 6
    after = clusters_of(tmp_path / "less", trained / "t.csv", tmp_path / "after.csv").cluster
    stay = before.isin(kept)
    # Those of a dropped cluster go elsewhere; q(y|x) of the others is only scaled anew.
    assert np.array_equal(np.array(kept)[after[stay]], before[stay])


def test_samples_are_cells_of_the_table(cli: Cli, trained: Path) -> None:
    done = cli("sample", trained / "three", "--per-cluster", 20, "-o", "s.csv")
    assert done.exit_code == 0, done.output
    drawn = pandas.read_csv("s.csv", parse_dates=["since"])
    assert list(drawn) == ["spend", "visits", "since", "tier", "refund", "cluster"]
    assert not drawn.isna().any(axis=None)
    assert set(drawn.tier) <= {"tin", "silver", "gold", "none"}
    assert (drawn.visits == drawn.visits.round()).all() and (drawn.visits >= 0).all()
    assert 0.4 < (drawn.refund == 0).mean() < 0.95
    assert drawn.since.dt.year.between(2018, 2024).all()


def test_labels_name_the_clusters(cli: Cli, tmp_path: Path) -> None:
    frame = write_customers(tmp_path / "t.csv")
    named = {"a": 2, "b": 0, "c": 1}
    some = frame.group[:30].map(named)
    pandas.DataFrame({"row": some.index, "label": some}).to_csv("labels.csv", index=False)
    train = ["train", "t.csv", "--clusters", 3, "--labels", "labels.csv", "--out", "run", *SMALL]
    assert cli(*train).exit_code == 0
    found = clusters_of("run", "t.csv", tmp_path / "p.csv").cluster
    assert (found == frame.group.map(named)).mean() > 0.9
    assert load("run").about.held is False  # labels may want other clusters than a mixture


def test_rows_that_are_linked_share_a_cluster(cli: Cli, tmp_path: Path) -> None:
    frame = write_customers(tmp_path / "t.csv")
    links = [(row, name) for name in "abc" for row in frame.index[frame.group == name][:8]]
    pandas.DataFrame(links, columns=["row", "group"]).to_csv("links.csv", index=False)
    train = ["train", "t.csv", "--clusters", 3, "--must-link", "links.csv", "--out", "run", *SMALL]
    assert cli(*train).exit_code == 0
    found = clusters_of("run", "t.csv", tmp_path / "p.csv").cluster
    rows, groups = zip(*links, strict=True)
    assert adjusted_rand_score(groups, found[list(rows)]) == 1


def test_numbers_of_clusters_are_compared(cli: Cli, tmp_path: Path) -> None:
    write_customers(tmp_path / "t.csv")
    select = ["select", "t.csv", "--clusters", "2:3", "--runs", 2, "--samples", 5, "--out", "s"]
    done = cli(*select, "--json", *HELD)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["n_clusters"] == 3


@pytest.mark.parametrize("moves", ["resample", "dropout"])
def test_regularised(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: str) -> None:
    monkeypatch.setattr("pyro_gmvae.fitting.starts.information.MIN_STEPS", 20)
    write_customers(tmp_path / "t.csv")
    train = ["train", "t.csv", "--clusters", 3, "--out", "run", "--starts", 1, *SMALL]
    done = cli(*train, "--regularize", moves)
    assert done.exit_code == 0, done.output
    last = load("run").history[-1]
    assert np.isfinite([last["elbo"], last["consistency"]]).all() and last["consistency"] != 0


def test_small_steps_are_refused(refused: Cli, tmp_path: Path) -> None:
    write_customers(tmp_path / "t.csv")
    train = ["train", "t.csv", "--clusters", 3, "--out", "run", *SMALL]
    error = refused(*train, "--regularize", "adversarial")
    assert "regularise by resample or dropout" in error
