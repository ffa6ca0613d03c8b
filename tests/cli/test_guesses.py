"""What was guessed of a table is told on standard error, a line for each guess."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from pyro_gmvae_cli.main import main
from tests.cli.conftest import TINY, Cli, run_cli, write_table

TOLD = [
    "t: semicolons separate the columns.",
    "t: decimal commas in width, height: ",
    "t: left out: id (equal steps from row to row).",
]


def write_european(path: Path) -> None:
    write_table(path)
    header, *rows = path.read_text().splitlines()
    lines = [f"id,{header}", *(f"{100 + i},{row}" for i, row in enumerate(rows))]
    path.write_text("\n".join(lines).replace(",", ";").replace(".", ",") + "\n")


def test_each_command_tells_the_guesses(cli: Cli) -> None:
    write_european(Path("t.csv"))
    train = ["train", "t.csv", "--label-column", "kind", "--out", "run", *TINY]
    result = cli(*train)  # with --quiet
    assert result.exit_code == 0 and "semicolons" not in result.stderr, result.output
    train.remove("--quiet")
    result = cli(*train, "--overwrite", "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["n"] == 6
    assert all(told in result.stderr for told in TOLD)
    result = cli("evaluate", "run", "--json")
    assert json.loads(result.stdout)["n"] == 6 and TOLD[0] in result.stderr
    assert "t: left out as in training: id." in result.stderr
    result = cli("predict", "run", "t.csv", "-o", "a.csv")
    assert result.exit_code == 0 and "t: left out as in training: id." in result.stderr
    assert cli("predict", "run", "t.csv", "-o", "a.csv", "--quiet").output == ""


def test_standard_input(cli: Cli, refused: Cli) -> None:
    write_table(Path("t.csv"))
    train = ["train", "-", "--label-column", "kind", "--out", "run", *TINY]
    result = CliRunner().invoke(main, train, input=Path("t.csv").read_bytes())
    assert result.exit_code == 0, result.output
    # The label column may be missing, though standard input is read but once.
    predict = ["predict", "run", "-", "-o", "a.csv"]
    result = CliRunner().invoke(main, predict, input="height,width\n1,2\n3,4\n")
    assert result.exit_code == 0 and "2 rows" in result.stdout, result.output
    Path("a.csv").unlink()
    assert "trained on standard input, which is gone: name the data" in refused("evaluate", "run")
    assert run_cli("evaluate", "run", "t.csv", "--json").exit_code == 0


def test_an_address_is_named_as_it_was_given(refused: Cli) -> None:
    words = refused("train", "http://127.0.0.1:9/x.csv", "--out", "run", *TINY)
    assert "http://127.0.0.1:9/x.csv is an address, and only files are read" in words
