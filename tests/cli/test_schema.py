"""Columns of any kind on the command line: shown, corrected, trained on and sampled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from tests.cli.conftest import TINY, Cli

ROWS = 80


@pytest.fixture
def customers(tmp_path: Path) -> pandas.DataFrame:
    """The file t.csv, in the folder where commands run."""
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "id": np.arange(ROWS),
            "spend": rng.lognormal(3, 1, ROWS).round(2),
            "size": rng.choice(["L", "M", "S"], ROWS),
            "since": [f"{1 + i % 28}.{1 + i % 12}.2023" for i in range(ROWS)],
            "member": np.where(rng.random(ROWS) < 0.5, "true", "false"),
            "gain": np.where(rng.random(ROWS) < 0.7, 0, rng.lognormal(6, 1, ROWS).round(2)),
            "kind": rng.choice(["a", "b"], ROWS),
        }
    )
    frame = frame.mask(rng.random(frame.shape) < [0, 0.1, 0.1, 0.1, 0.1, 0.1, 0])
    frame.to_csv(tmp_path / "t.csv", index=False)
    return frame


def test_columns_are_shown_and_written(cli: Cli, customers: pandas.DataFrame) -> None:
    shown = cli("schema", "t.csv", "-o", "c.json")
    assert shown.exit_code == 0, shown.output
    for words in ("spend", "amount", "left out", "equal steps", "spike", "date", "c.json"):
        assert words in shown.stdout
    content = json.loads(Path("c.json").read_text())
    assert content == json.loads(cli("schema", "t.csv", "--json").stdout)
    assert [c["name"] for c in content["left_out"]] == ["id"]
    assert [c["kind"] for c in content["columns"]] == [
        *("amount", "category", "date", "binary", "spike", "binary"),
    ]
    assert cli("schema", "t.csv", "--quiet").output == ""


def test_the_whole_way(cli: Cli, customers: pandas.DataFrame) -> None:
    cli("schema", "t.csv", "-o", "c.json", "--quiet")
    content = json.loads(Path("c.json").read_text())
    content["columns"][1] |= {"kind": "ordinal", "levels": ["S", "M", "L"]}
    Path("c.json").write_text(json.dumps(content))
    train = ["train", "t.csv", "--label-column", "kind", "--out", "run", *TINY]
    train += ["--schema", "c.json", "--column", "spend=real", "--column-weight", "size=0.5"]
    train.remove("--quiet")
    done = cli(*train)
    assert done.exit_code == 0, done.output
    assert "ordinal" in done.stderr and "0.5" in done.stderr and "columns" in done.stderr
    stored = json.loads(Path("run", "config.json").read_text())["encoding"]["columns"]
    assert stored[1]["levels"] == ["S", "M", "L"] and stored[1]["weight"] == 0.5
    Path("c.json").unlink()  # the run does not need it any more
    assert cli("evaluate", "run", "--quiet").exit_code == 0

    done = cli("sample", "run", "-o", "s.csv", "--per-cluster", 20, "--quiet")
    assert done.exit_code == 0, done.output
    drawn = pandas.read_csv("s.csv")
    assert list(drawn) == ["spend", "size", "since", "member", "gain", "cluster"]
    assert set(drawn["size"]) <= {"S", "M", "L"} and drawn["member"].dtype == bool
    assert pandas.to_datetime(drawn["since"], format="%Y-%m-%d").notna().all()
    assert cli("predict", "run", "s.csv", "-o", "p.csv", "--quiet").exit_code == 0

    customers.assign(size="XL", more=1).drop(columns="gain").to_csv("new.csv", index=False)
    done = cli("predict", "run", "new.csv", "-o", "p.csv")
    assert done.exit_code == 0, done.output
    warned = " ".join(done.stderr.split())
    assert "no column gain" in warned and "'XL' in size" in warned
    assert "training did not have them: more" in warned


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--column", "spent=real"], "has no column spent: did you mean spend?"),
        (["--column", "spend=rael"], "did you mean real?"),
        (["--column", "size=count"], "of size, where the model knows a number"),
        (["--drop", "id,sizes"], "has no column sizes: did you mean size?"),
        (["--columns", "spend,q"], "has no column q"),
        (["--column-weight", "size=-1"], "weight of the column size is -1"),
        (["--schema", "c.json"], "no schema file"),
        (["--drop", "a,,b"], "not a list of names"),
    ],
)
def test_what_does_not_fit_is_refused(
    refused: Cli, customers: pandas.DataFrame, options: list[str], words: str
) -> None:
    assert words in refused("train", "t.csv", "--out", "run", *TINY, *options)
    assert words in refused("schema", "t.csv", *options)


def test_images_have_no_columns(refused: Cli) -> None:
    assert "digits has images, which have no columns" in refused("schema", "digits")
    train = ["train", "digits", "--out", "run", *TINY]
    assert "digits has images" in refused(*train, "--drop", "a")
