"""Names from files are shown as they are: they neither steer the terminal nor end a command."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from pyro_gmvae_cli.terminal import command_line
from tests.cli.conftest import TINY, Cli, run_cli, write_table

HOSTILE = "b\udcff\x1b]0;title\x07[red]x:smile:"
SHOWN = r"b\udcff\x1b]0;title\x07[red]x:smile:"
COLUMNS = ["w\x1b[31m", "[bold]$h_ $", "kind"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and the run on it, both of a hostile name."""
    folder = tmp_path_factory.mktemp("hostile")
    write_table(folder / "plain.csv")
    table = pd.read_csv(folder / "plain.csv").set_axis(COLUMNS, axis=1)
    with open(os.fsencode(folder / f"{HOSTILE}.csv"), "w") as file:
        file.write(table.to_csv(index=False))
    command = ["train", folder / f"{HOSTILE}.csv", "--label-column", "kind", "--out"]
    result = run_cli(*command, folder / HOSTILE, *[o for o in TINY if o != "--quiet"])
    assert result.exit_code == 0, result.output
    # rich moves its bar by escapes of its own, but only on a terminal.
    for text in (result.stdout, result.stderr):
        assert "\x1b" not in text and "\x07" not in text
    assert f"{SHOWN}, test rows (6)" in result.stdout
    return folder


def test_tables_and_lines(cli: Cli, hostile: Path) -> None:
    run, data = hostile / HOSTILE, hostile / f"{HOSTILE}.csv"
    assert f"{SHOWN}, test rows (6)" in cli("evaluate", run, "--samples", 5).stdout
    found = cli("evaluate", run, "--samples", 5, "--json").stdout
    assert found.isascii() and "\x1b" not in found
    assert json.loads(found)["data"] == HOSTILE
    said = cli("predict", run, data, "-o", f"{HOSTILE}.csv").stdout
    assert said.endswith(f"in {SHOWN}.csv.\n")
    assert SHOWN in "".join(cli("stability", run, run).stdout.split("\n"))
    said = cli("prune", run, "--out", f"{HOSTILE}-pruned").stdout
    assert f"is in {SHOWN}-pruned" in said
    said = cli("sample", run, "-o", "-").stdout
    assert said.splitlines()[0] == ",".join([*COLUMNS[:2], "cluster"])  # data stay data


def test_errors(refused: Cli, hostile: Path) -> None:
    run = hostile / HOSTILE
    assert SHOWN in refused("train", HOSTILE, "--out", "run", *TINY)
    assert SHOWN in refused("evaluate", HOSTILE)
    assert SHOWN in refused("predict", run, HOSTILE, "-o", "a.csv")
    assert SHOWN in refused("predict", run, "digits", "-o", f"{HOSTILE}.xlsx")
    write_table(Path.cwd() / "t.csv")
    assert SHOWN in refused("train", "t.csv", "--label-column", HOSTILE, "--out", "run", *TINY)
    assert r"w\x1b[31m" in refused("predict", run, "t.csv", "-o", "a.csv")
    # click quotes some values itself.
    for option in ("--hidden", "--device", f"--{HOSTILE}"):
        assert "\x1b" not in refused("train", "t.csv", "--out", "run", option, HOSTILE)


def test_an_unknown_command(refused: Cli) -> None:
    assert "No such command" in refused("\x1b[31mtrain")


@pytest.mark.parametrize(
    "words", [["a b", "c'd", "plain"], ["caf\udce9\\'", "\x1b[31m\n", "大小", ""]]
)
def test_a_printed_command_is_the_same_in_the_shell(words: list[str]) -> None:
    line = command_line(words)
    assert line.isprintable()
    if all(word.isprintable() for word in words):
        assert shlex.split(line) == words
    bash = ["bash", "-c", 'printf "%s\\0" ' + line]
    done = subprocess.run(bash, capture_output=True, check=True)
    assert done.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in words]
