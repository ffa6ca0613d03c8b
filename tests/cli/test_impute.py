"""``pyro-gmvae impute`` fills gaps, and changes nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from tests.cli.conftest import TINY, Cli

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

TEXT = """name,joined,spend,visits,tier,age
{rows}
"""


def write_customers(path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = []
    for i in range(60):
        kind = i % 2
        cells = [
            f"customer {i} of {rng.integers(10**6)}",
            f"2023-0{1 + i % 9}-11",
            f"{rng.lognormal(2 + 4 * kind, 0.5):.2f}",
            str(rng.poisson(2 + 6 * kind)),
            ["gold", "iron"][kind],
            f"{rng.normal(40, 9):.1f}",
        ]
        cells = ["" if j and rng.random() < 0.15 else c for j, c in enumerate(cells)]
        lines.append(",".join(cells))
    path.write_text(TEXT.format(rows="\n".join(lines)))


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> str:
    write_customers(tmp_path / "c.csv")
    result = cli("train", "c.csv", "--out", "run", "--test-fraction", 0, *TINY)
    assert result.exit_code == 0, result.output
    return "run"


def test_cells_are_filled(cli: Cli, run: str, tmp_path: Path) -> None:
    before = pandas.read_csv(tmp_path / "c.csv", dtype=str)
    result = cli("impute", run, "c.csv", "-o", "filled.csv", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    gaps = before.isna().sum()
    assert figures["filled"] == gaps[gaps > 0].to_dict() and figures["rows"] == 60
    after = pandas.read_csv(tmp_path / "filled.csv", dtype=str)
    assert list(after) == list(before) and not after.isna().any().any()
    for name in ("name", "joined", "tier"):
        known = before[name].notna()
        assert (after[name][known] == before[name][known]).all()
    for name in ("spend", "visits", "age"):
        known = before[name].notna()
        assert (after[name][known].astype(float) == before[name][known].astype(float)).all()
    again = cli("impute", run, "filled.csv", "-o", "same.csv")
    assert "Filled 0 cells of 0 columns" in again.stdout


def test_draws_go_by_the_seed(cli: Cli, run: str, tmp_path: Path) -> None:
    texts = []
    for name, seed in (("a.csv", 1), ("b.csv", 1), ("c2.csv", 2)):
        assert cli("impute", run, "c.csv", "-o", name, "--draw", "--seed", seed).exit_code == 0
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1] != texts[2]


def test_rows_on_standard_output(cli: Cli, run: str) -> None:
    result = cli("impute", run, "c.csv", "-o", "-")
    assert result.stdout.startswith("name,joined,spend,visits,tier,age\n")
    assert "Filled " in result.stderr and "Filled " not in result.stdout


def test_what_has_no_gaps_to_fill(cli: Cli, trained_table: Path, trained_digits: Path) -> None:
    data = trained_table.parent / "blobs.csv"
    result = cli("impute", trained_table, data, "-o", "a.csv")
    assert result.exit_code == 2 and "takes no gaps" in result.stderr
    result = cli("impute", trained_digits, data, "-o", "a.csv")
    assert result.exit_code == 2 and "only the gaps of a table" in result.stderr
