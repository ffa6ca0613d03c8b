"""The command line as a user runs it, and small things to run it on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pyro_gmvae_cli.main import main

Cli = Callable[..., Result]
TINY = ["--epochs", "1", "--hidden", "8", "--latent-dim", "2", "--clusters", "3", "--quiet"]
TINY += ["--no-report", "--regularize", "none", "--initialization", "random"]


def run_cli(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs ``pyro-gmvae`` in an empty folder; a traceback fails the test."""
    monkeypatch.chdir(tmp_path)
    return run_cli


@pytest.fixture
def refused(cli: Cli, tmp_path: Path) -> Cli:
    """Runs a command that must fail as bad input does: exit code 2, one error, nothing written."""

    def run(*arguments: object) -> str:
        before = snapshot(tmp_path)
        result = cli(*arguments)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1, result.stderr
        # Beside the error there is at most click's line of usage.
        rest = [line for line in result.stderr.splitlines() if line not in errors]
        assert all(not line or line.startswith(("Usage:", "Try ")) for line in rest)
        assert snapshot(tmp_path) == before
        return errors[0]

    return run


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def write_table(path: Path, rows: int = 60, *, seed: int = 0) -> None:
    """Two blobs in raw units, with their names in the column ``kind``."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(2, size=rows)
    x = rng.normal(size=(rows, 2)) * [1, 10] + kind[:, None] * [8, 200]
    lines = [f"{a:.4f},{b:.4f},{'ab'[k]}" for (a, b), k in zip(x, kind, strict=True)]
    path.write_text("\n".join(["width,height,kind", *lines]) + "\n")


@pytest.fixture(scope="session")
def trained_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on digits, not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    result = run_cli("train", "digits", "--out", folder, *TINY)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="session")
def trained_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table with labels, not to be changed; its data are beside it."""
    folder = tmp_path_factory.mktemp("runs")
    write_table(folder / "blobs.csv")
    source = folder / "blobs.csv"
    result = run_cli("train", source, "--label-column", "kind", "--out", folder / "blobs", *TINY)
    assert result.exit_code == 0, result.output
    return folder / "blobs"


@pytest.fixture
def run_folder(trained_digits: Path, tmp_path: Path) -> Path:
    """A copy of a run, to be damaged."""
    return Path(shutil.copytree(trained_digits, tmp_path / "run"))
