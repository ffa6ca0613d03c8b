"""``--labels``: a few known clusters."""

from __future__ import annotations

import json
import os

import numpy as np
import pandas as pd
import pytest

from pyro_gmvae.data import load
from tests.cli.conftest import TINY, Cli

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
