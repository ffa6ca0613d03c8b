"""``--must-link``: rows that are known to belong together."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from sklearn.metrics import adjusted_rand_score

from tests.cli.conftest import TINY, Cli
from tests.helpers.known import halves, in_threes

OPTIONS = ["--clusters", 2, "--hidden", 16, "--latent-dim", 2, "--batch-size", 40, "--quiet"]
OPTIONS += ["--learning-rate", 1e-2, "--annealing-epochs", 5, "--test-fraction", 0]
OPTIONS += ["--validation-fraction", 0]


def test_groups_turn_the_clusters_and_are_needed_no_more_afterwards(cli: Cli) -> None:
    x, top = halves()
    groups = in_threes(top).numpy()
    pd.DataFrame(x.numpy(), columns=["a", "b"]).to_csv("x.csv", index=False)
    rows = (groups >= 0).nonzero()[0]
    named = np.array([f"household {g}" for g in groups[rows]])
    pd.DataFrame({"row": rows, "group": named}).to_csv("together.csv", index=False)
    begin = ["train", "x.csv", "--out", "run", *OPTIONS, "--must-link", "together.csv"]
    assert cli(*begin, "--epochs", 2).exit_code == 0
    assert (
        cli("train", "x.csv", "--out", "run", "--resume", "--epochs", 30, "--quiet").exit_code == 0
    )
    os.remove("together.csv")
    assert cli("predict", "run", "x.csv", "-o", "p.csv", "--quiet").exit_code == 0
    cluster = pd.read_csv("p.csv")["cluster"].to_numpy()
    assert adjusted_rand_score(top[groups < 0], cluster[groups < 0]) > 0.8
    assert cli("evaluate", "run", "--split", "train", "--samples", 5, "--quiet").exit_code == 0
    for stored in Path("run").rglob("*.safetensors"):
        assert not any("must_link" in name for name in load_file(stored) if "meter" not in name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("row,group\n0,1\n99999,1\n", "names rows that are not from 0 to 1796"),
        ("row,group\n0,1\n0,2\n", "names row 0 more than once: give each row one group"),
        ("row,label\n0,1\n", "has no column group"),
        ("row,group\n0,1\n1,2\n", "no group has two rows to train with"),
    ],
)
def test_refusals(refused: Cli, content: str, words: str) -> None:
    Path("together.csv").write_text(content)
    assert words in refused("train", "digits", "--out", "run", *TINY, "--must-link", "together.csv")
