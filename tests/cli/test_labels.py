"""``--labels``: a few known clusters."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyro_gmvae import runs
from pyro_gmvae.data import load
from pyro_gmvae.run_data import load_run_rows
from tests.cli.conftest import TINY, Cli, write_table

OPTIONS = ["--epochs", 15, "--hidden", "64", "--latent-dim", 4, "--regularize", "none", "--json"]
OPTIONS += ["--quiet", "--annealing-epochs", 2, "--clusters", 10, "--uniform-mixture"]


def accuracy(cli: Cli, *options: object) -> float:
    result = cli("train", "digits", "--out", "run", "--overwrite", *OPTIONS, *options)
    assert result.exit_code == 0, result.output
    found: float = json.loads(result.stdout)["accuracy"]
    return found


def test_a_few_labels_raise_accuracy_and_name_the_clusters(cli: Cli) -> None:
    y = load("digits").class_labels
    assert y is not None
    rows = np.random.default_rng(0).choice(len(y), 200, replace=False)
    pd.DataFrame({"row": rows, "label": y.numpy()[rows]}).to_csv("known.csv", index=False)
    without, with_labels = accuracy(cli), accuracy(cli, "--labels", "known.csv")
    assert with_labels > max(0.8, without + 0.05)
    os.remove("known.csv")  # training needed it, nothing else does
    assert cli("evaluate", "run", "--samples", 5, "--quiet").exit_code == 0
    assert cli("predict", "run", "digits", "-o", "p.csv", "--quiet").exit_code == 0
    cluster = pd.read_csv("p.csv")["cluster"].to_numpy()
    assert (cluster == y.numpy()).mean() > 0.8


def places(run: str, part: str) -> set[int]:
    rows = load_run_rows(runs.load(run), part).places  # type: ignore[arg-type]
    assert rows is not None
    return set(rows.tolist())


@pytest.mark.parametrize("option", ["--labels", "--must-link"])
def test_rows_that_are_known_are_held_out_last(cli: Cli, option: str) -> None:
    column = {"--labels": "label", "--must-link": "group"}[option]
    write_table(Path("t.csv"), 600)
    known = np.random.default_rng(0).choice(600, 300, replace=False)
    pd.DataFrame({"row": known, column: known % 2}).to_csv("known.csv", index=False)
    command = ["train", "t.csv", "--label-column", "kind", "--out", "run", *TINY]
    command += ["--test-fraction", 0.2, "--validation-fraction", 0.2, "--json"]
    trained = cli(*command, option, "known.csv")
    assert trained.exit_code == 0, trained.output
    os.remove("known.csv")  # the run knows which rows they were
    assert runs.load("run").about.known_rows == tuple(sorted(known.tolist()))
    test, validation = places("run", "test"), places("run", "validation")
    assert (len(test), len(validation)) == (120, 96)
    assert not (test | validation) & set(known.tolist())
    assert places("run", "train") == set(range(600)) - test - validation
    again = cli("evaluate", "run", "--json")
    assert again.exit_code == 0, again.output
    figures = json.loads(trained.stdout)
    figures.pop("run")
    assert json.loads(again.stdout) == figures
    # Only a new training wants the file.
    resampled = cli("stability", "run", "--resamples", 1, "--quiet")
    assert resampled.exit_code == 2 and "known.csv" in resampled.stderr


def test_known_rows_are_held_out_if_there_are_no_others(cli: Cli) -> None:
    write_table(Path("t.csv"), 100)
    pd.DataFrame({"row": range(95), "label": np.arange(95) % 2}).to_csv("known.csv", index=False)
    command = ["train", "t.csv", "--label-column", "kind", "--out", "run", *TINY]
    assert cli(*command, "--labels", "known.csv").exit_code == 0
    test = places("run", "test")
    assert len(test) == 10 and test > {95, 96, 97, 98, 99}
    assert places("run", "train") == set(range(100)) - test


def test_a_single_label_is_trained_with(cli: Cli) -> None:
    """However many rows are held out."""
    Path("known.csv").write_text("row,label\n0,1\n")
    held_out = ["--test-fraction", 0.9, "--seed", 1, "--labels", "known.csv"]
    assert cli("train", "digits", "--out", "run", *TINY, *held_out).exit_code == 0
    assert runs.load("run").about.known_rows == (0,)
    assert 0 in places("run", "train")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("row,label\n0,1\n99999,1\n", "names rows that are not from 0 to 1796"),
        ("label\n1\n2\n", "has 2 labels for 1797 rows"),
        ("row,label\n0,-1\n", "holds no label"),
        ("row,group\n0,1\n", "has no column label"),
        ("row,label\n0,7\n", "label 7 has no cluster: labels go from 0 to 2"),
    ],
)
def test_refusals(refused: Cli, content: str, words: str) -> None:
    with open("known.csv", "w") as file:
        file.write(content)
    assert words in refused("train", "digits", "--out", "run", *TINY, "--labels", "known.csv")


def test_a_missing_file(refused: Cli) -> None:
    words = refused("train", "digits", "--out", "run", *TINY, "--labels", "nowhere.csv")
    assert "nowhere.csv of labels: check its path" in words
