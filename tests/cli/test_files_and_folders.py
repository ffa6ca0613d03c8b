"""Nothing that lies in or beside a run is harmed by a command."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pyro_gmvae.files.locks import LOCK_FILES, locked
from tests.cli.conftest import TINY, Cli, write_table

TRAIN = ("train", "blobs.csv", "--label-column", "kind", *TINY)


@pytest.fixture
def table() -> Path:
    write_table(Path("blobs.csv"))
    return Path("blobs.csv")


def contents(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_a_folder_with_a_train_json_of_another_program_is_no_run(refused: Cli, table: Path) -> None:
    squad = Path("squad")
    squad.mkdir()
    (squad / "train.json").write_text('{"data": []}')
    (squad / "thesis.txt").write_text("precious")
    words = refused(*TRAIN, "--out", squad, "--overwrite")
    assert "thesis.txt in it is no file of a run" in words


def test_data_in_the_run_are_not_overwritten(cli: Cli, table: Path) -> None:
    assert cli(*TRAIN, "--out", "run").exit_code == 0
    table.rename("run/data.csv")
    before = contents(Path("run"))
    data = ["train", "run/data.csv", "--label-column", "kind", *TINY, "--out", "run"]
    for mode in ("--overwrite", "--resume"):
        result = cli(*data, mode)
        assert result.exit_code == 2 and "run" in result.stderr
    assert "data.csv lies in run" in cli(*data, "--overwrite").stderr
    assert contents(Path("run")) == before
    write_table(Path("fresh.csv"))
    # The rows of another file, with the groups in the run's folder.
    Path("run/data.csv").rename("run/metrics.csv")
    groups = ["--must-link", "run/metrics.csv"]
    Path("run/metrics.csv").write_text("row,group\n0,1\n1,1\n")
    fresh = ["train", "fresh.csv", "--label-column", "kind", *TINY, "--out", "run"]
    assert "metrics.csv lies in run" in cli(*fresh, *groups, "--overwrite").stderr


@pytest.mark.parametrize("mode", ["--overwrite", "--resume"])
def test_a_run_that_is_written_is_not_touched(mode: str, cli: Cli, table: Path) -> None:
    assert cli(*TRAIN, "--out", "run").exit_code == 0
    before = contents(Path("run"))
    with locked(Path("run")):
        options = [mode] if mode == "--overwrite" else [mode, "--epochs", 2]
        result = cli(*TRAIN[:4], *(TINY if mode == "--overwrite" else []), "--out", "run", *options)
        assert result.exit_code == 2
        assert f"is being written by process {os.getpid()} on" in result.stderr
        held = contents(Path("run"))
        assert "being trained or written" in cli("evaluate", "run").stderr
        Path("run/config.json").rename("aside.json")
        assert "is being trained by process" in cli("evaluate", "run").stderr
        Path("aside.json").rename("run/config.json")
    assert {n: c for n, c in held.items() if n not in LOCK_FILES} == before
    assert contents(Path("run")) == before


def test_a_run_replaces_itself(cli: Cli, table: Path) -> None:
    assert cli(*TRAIN, "--out", "run").exit_code == 0
    assert cli("prune", "run", "--out", "run", "--overwrite").exit_code == 0
    assert cli("predict", "run", "blobs.csv", "-o", "a.csv").exit_code == 0
    assert set(contents(Path("run"))) == {
        "README.md",
        "config.json",
        "weights.safetensors",
        "metrics.csv",
    }


def test_an_output_goes_where_a_link_leads(cli: Cli, table: Path) -> None:
    assert cli(*TRAIN, "--out", "run").exit_code == 0
    Path("target.csv").write_text("old")
    Path("target.csv").chmod(0o600)
    Path("link.csv").symlink_to("target.csv")
    assert cli("predict", "run", "blobs.csv", "-o", "link.csv").exit_code == 0
    assert Path("link.csv").is_symlink() and Path("target.csv").read_text().startswith("row,")
    assert stat.S_IMODE(Path("target.csv").stat().st_mode) == 0o600


def test_a_linked_run(cli: Cli, table: Path) -> None:
    Path("scratch").mkdir()
    Path("run").symlink_to("scratch")
    for options in ([], ["--overwrite"]):
        assert cli(*TRAIN, "--out", "run", *options).exit_code == 0
    assert Path("run").is_symlink() and "config.json" in contents(Path("scratch"))


def test_a_run_among_the_images(cli: Cli, refused: Cli) -> None:
    from PIL import Image

    Path("photos").mkdir()
    for i in range(4):
        Image.new("L", (8, 8), 50 * i).save(f"photos/{i}.png")
    words = refused("train", "photos", "--out", "photos/run", *TINY)
    assert "would be taken for data" in words
