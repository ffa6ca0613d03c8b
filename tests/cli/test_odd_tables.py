"""Odd tables of customers, from training to filled gaps: nothing is lost and nothing breaks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from tests.cli.conftest import Cli

BRIEF = ["--epochs", 1, "--hidden", 4, "--quiet"]
RNG = np.random.default_rng(0)
ROWS = 60
GROUP = np.arange(ROWS) % 2


def some(*values: object) -> np.ndarray:
    return np.array(values, dtype=object)[RNG.integers(len(values), size=ROWS)]


def gappy(values: object) -> np.ndarray:
    cells = np.array(values, dtype=object)
    cells[RNG.random(len(cells)) < 0.2] = None
    return cells


SPEND = np.exp(RNG.normal(3 + GROUP, 0.5)).round(2)
TABLES = {
    "one column of text": {"tier": some("gold", "tin", "iron", None)},
    "spikes alone": {name: np.where(RNG.random(ROWS) < 0.55, 0, SPEND) for name in ("a", "b")},
    "rows without a cell": {
        "spend": np.where(np.arange(ROWS) % 5, SPEND, np.nan),
        "tier": np.where(np.arange(ROWS) % 5, np.array(["gold", "tin"])[GROUP], None),
    },
    "odd names and levels": {
        "💰 in €": gappy(SPEND),
        "a\nb": gappy(np.array(["😀", "x, y", 'a "quote"', "line\nbreak"])[np.arange(ROWS) % 4]),
        "n" * 300: gappy(np.array(["01067", "10115", "80331"])[np.arange(ROWS) % 3]),
    },
    "huge and tiny": {
        "huge": SPEND * 1e300,
        "tiny": gappy(RNG.normal(size=ROWS) * 1e-299),
        "count": (SPEND * 10**4).round(),
    },
    "dates of all times": {
        "since": gappy([f"{y}-03-01" for y in RNG.integers(1000, 9999, ROWS)]),
        "paid": gappy(np.where(GROUP, "yes", "no")),
    },
    "two rows": {"spend": [1.5, 2.5], "tier": ["gold", "tin"]},
}


@pytest.mark.parametrize("name", TABLES)
def test_from_training_to_filled_gaps(name: str, cli: Cli) -> None:
    frame = pandas.DataFrame(TABLES[name])
    frame.to_csv("t.csv", index=False)
    clusters = min(2, len(frame))
    small = ["--validation-fraction", 0, "--test-fraction", 0] if len(frame) < 10 else []
    train = ["train", "t.csv", "--clusters", clusters, "--out", "run", *BRIEF, *small]
    trained = cli(*train)
    assert trained.exit_code == 0, trained.output
    assert "Glyph" not in trained.stderr
    assert cli("predict", "run", "t.csv", "-o", "p.csv", "--quiet").exit_code == 0
    assert len(pandas.read_csv("p.csv")) == len(frame)
    evaluated = cli("evaluate", "run", "t.csv", "--json")
    assert evaluated.exit_code == 0, evaluated.output
    assert json.loads(evaluated.stdout)["n"] == len(frame)
    sampled = cli("sample", "run", "--per-cluster", 2, "-o", "s.csv", "--quiet")
    assert sampled.exit_code == 0, sampled.output
    assert len(pandas.read_csv("s.csv")) == 2 * clusters
    imputed = cli("impute", "run", "t.csv", "-o", "i.csv", "--quiet")
    assert imputed.exit_code == 0, imputed.output
    given, filled = (pandas.read_csv(f, dtype=str) for f in ("t.csv", "i.csv"))
    assert list(filled) == list(given) and len(filled) == len(given)
    for column in given:
        known = given[column].notna()
        assert filled[column].notna().all()
        if pandas.to_numeric(given[column], errors="coerce").isna().all():  # not 1 and 1.0
            assert (filled[column][known] == given[column][known]).all(), column


REFUSED = {
    "infinite": ("a,b\n" + "1,inf\n2,3\n" * 9, "9 cells that are infinite, in b (9)"),
    "no column that varies": ("a,b\n" + "1,x\n1,x\n" * 9, "no column to cluster by"),
    "no names": (",,a\n" + "1,2,3\n4,5,7\n" * 9, "no name in its header for column 0, 1"),
    "a minus of typesetters": ("a,b\n" + "1,\u22123\n2,3\n" * 9, "MINUS SIGN, U+2212"),
    "one row": ("a,b\n1,x\n", "has 1 row"),
    "a text in numbers": (
        "a\n" + "\n".join(map(str, range(40))) + "\nx\n",
        "row 40, line 42",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_sentence(name: str, refused: Cli) -> None:
    text, words = REFUSED[name]
    Path("t.csv").write_text(text, encoding="utf-8")
    assert words in refused("train", "t.csv", "--clusters", 2, "--out", "run", *BRIEF)


def test_doubts_are_told(cli: Cli) -> None:
    frame = pandas.DataFrame(
        {
            "spend": SPEND,
            "tier": some("Gold", "gold", "tin"),
            "stay": some("1", "2", "3+"),
            "zip": some("01067", "10115"),
        }
    )
    frame.to_csv("t.csv", index=False)
    told = cli("schema", "t.csv").stderr
    assert "'Gold', 'gold' in tier differ in capitals or blanks only" in told
    assert "stay holds numbers beside cells such as '3+'" in told
    assert "cells of zip such as '01067' begin with 0" in told


def test_names_of_columns_add_up(cli: Cli) -> None:
    pandas.DataFrame({"a, b": SPEND, "c": SPEND**2, "d": GROUP, "e": SPEND}).to_csv(
        "t.csv", index=False
    )
    dropped = json.loads(
        cli("schema", "t.csv", "--drop", '"a, b",c', "--drop", "d", "--json").stdout
    )
    assert [c["name"] for c in dropped["columns"]] == ["e"]


def test_new_rows_from_another_program(cli: Cli, refused: Cli) -> None:
    days = pandas.date_range("2020-01-01", periods=ROWS)
    frame = pandas.DataFrame({"since": days.strftime("%d.%m.%Y"), "spend": SPEND, "w": 1 + GROUP})
    frame.to_csv("t.csv", index=False)
    train = ["train", "t.csv", "--weight", "w", "--clusters", 2, "--out", "run", *BRIEF]
    assert cli(*train).exit_code == 0
    clusters = []
    for form in ("%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y"):
        frame.assign(since=days.strftime(form)).to_csv("n.csv", index=False)
        result = cli("predict", "run", "n.csv", "-o", "p.csv", "--quiet")
        assert result.exit_code == 0 and "Warning" not in result.stderr, result.output
        clusters.append(pandas.read_csv("p.csv"))
    assert clusters[0].equals(clusters[1]) and clusters[0].equals(clusters[2])
    frame.head(0).to_csv("n.csv", index=False)
    assert "n has no rows" in refused("predict", "run", "n.csv", "-o", "q.csv")
