"""Tables that go to files of each kind and to standard output."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from pyro_gmvae_cli.main import main
from tests.cli.conftest import TINY, Cli, run_cli, write_table


@pytest.fixture
def commands(trained_table: Path) -> list[list[object]]:
    """Each command that writes a table."""
    data = trained_table.parent / "blobs.csv"
    return [
        ["predict", trained_table, data],
        ["sample", trained_table, "--per-cluster", 3],
        ["stability", trained_table, trained_table],
    ]


def test_standard_output_is_what_the_file_would_be(cli: Cli, commands: list[list[object]]) -> None:
    for command in commands:
        printed = cli(*command, "-o", "-")
        assert cli(*command, "-o", "a.csv").exit_code == printed.exit_code == 0
        assert printed.stdout == Path("a.csv").read_text()
        assert printed.stderr and "\n" in printed.stderr  # what people read is there
        quiet = cli(*command, "-o", "-", "--quiet")
        assert (quiet.stdout, quiet.stderr) == (printed.stdout, "")
    assert not Path("-").exists()


def test_parquet_holds_the_same_rows(cli: Cli, commands: list[list[object]]) -> None:
    for command in commands:
        for name in ("a.csv", "a.csv.gz", "a.parquet"):
            assert cli(*command, "-o", name, "--quiet").exit_code == 0
        rows = pd.read_csv("a.csv")
        pd.testing.assert_frame_equal(pd.read_csv("a.csv.gz"), rows)
        pd.testing.assert_frame_equal(pd.read_parquet("a.parquet"), rows, check_dtype=False)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.json"])
def test_another_kind_of_file_is_refused_at_once(
    refused: Cli, commands: list[list[object]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*_: object) -> None:
        raise AssertionError("the name came after the work")

    monkeypatch.setattr("pyro_gmvae.fitted.FittedModel.responsibilities", too_late)
    monkeypatch.setattr("pyro_gmvae.fitted.FittedModel.sample", too_late)
    for command in commands:
        assert "name a file such as a.csv or a.csv.gz or a.parquet" in refused(*command, "-o", name)


def test_json_and_rows_do_not_share_standard_output(
    refused: Cli, commands: list[list[object]]
) -> None:
    for command in commands:
        assert "leave out --json" in refused(*command, "-o", "-", "--json")


def test_a_picture_does_not_go_to_standard_output(refused: Cli, trained_digits: Path) -> None:
    assert "name a file such as output.png" in refused("sample", trained_digits, "-o", "-")


NAMES = ["=cmd|' /C calc'!A0", "+b", "kind"]


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose columns would be formulas."""
    folder = tmp_path_factory.mktemp("hostile")
    write_table(folder / "blobs.csv")
    table = pd.read_csv(folder / "blobs.csv").set_axis(NAMES, axis=1)
    table.to_csv(folder / "t.csv", index=False)
    command = ["train", folder / "t.csv", "--label-column", "kind", "--out", folder / "run", *TINY]
    assert run_cli(*command).exit_code == 0
    return folder / "run"


def test_no_column_is_a_formula(cli: Cli, hostile_run: Path) -> None:
    assert cli("sample", hostile_run, "-o", "a.csv", "--per-cluster", 20).exit_code == 0
    header, *rows = csv.reader(io.StringIO(Path("a.csv").read_text()))
    assert header == [f"'{NAMES[0]}", "'+b", "cluster"]
    assert all(float(cell) or True for row in rows for cell in row)  # a minus is no formula
    # A .parquet file keeps the names, and the model finds its columns again.
    assert cli("sample", hostile_run, "-o", "a.parquet").exit_code == 0
    samples = pd.read_parquet("a.parquet")
    assert list(samples)[:2] == NAMES[:2]
    samples.drop(columns="cluster").to_parquet("a.parquet")
    found = cli("predict", hostile_run, "a.parquet", "-o", "b.csv", "--json")
    assert found.exit_code == 0 and json.loads(found.stdout)["rows"] == 30


def test_no_name_of_an_image_is_a_formula(cli: Cli, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for name in ("@SUM(1)", "b", *map(str, range(8))):
        image = rng.integers(256, size=(8, 8), dtype=np.uint8)
        Image.fromarray(image).save(photos / f"{name}.png")
    command = ["train", photos, "--out", "run", *TINY, "--test-fraction", 0]
    assert cli(*command, "--validation-fraction", 0).exit_code == 0
    result = cli("predict", "run", photos, "-o", "-", "--quiet")
    files = pd.read_csv(io.StringIO(result.stdout))["file"].tolist()
    assert "'@SUM(1).png" in files and "b.png" in files


def test_a_terminal_without_the_sign_of_plus_and_minus(trained_digits: Path) -> None:
    arguments = ["evaluate", str(trained_digits), "--samples", "5"]
    result = CliRunner(charset="ascii").invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert " +/- " in result.stdout and "±" not in result.stdout
