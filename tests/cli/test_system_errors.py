"""A full disk, a lost folder, too little memory: one line, a code, and what is saved stays."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.training import MetricsCSV, Record
from pyro_gmvae_cli.failures import USER_PATH, is_user_path, system_words
from tests.cli.conftest import TINY, Cli, write_table

resource = pytest.importorskip("resource")

TRAIN = ["train", "t.csv", "--label-column", "kind", "--out", "run", *TINY]
STATE = Path("run/checkpoint/state.safetensors")


@contextmanager
def full_disk(size: int = 2000) -> Iterator[None]:
    """No file may become larger: the settings and metrics may be written, weights may not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def epochs() -> list[str]:
    with open("run/metrics.csv", newline="") as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def errors(stderr: str) -> list[str]:
    assert "Traceback" not in stderr
    return [line for line in stderr.splitlines() if line.startswith("Error: ")]


@pytest.fixture
def table(cli: Cli) -> None:
    write_table(Path("t.csv"))


@pytest.mark.usefixtures("table")
def test_a_disk_that_is_full_from_the_beginning(cli: Cli) -> None:
    with full_disk():
        result = cli(*TRAIN, "--epochs", 3)
    assert result.exit_code == 1
    (line,) = errors(result.stderr)
    assert line.startswith("Error: run") and "File too large: raise the limit" in line
    assert result.stderr.count(f"Warning: the checkpoint {STATE} cannot be written") == 1
    assert epochs() == ["1", "2", "3"] and not STATE.exists()
    assert cli(*TRAIN, "--epochs", 3, "--resume").exit_code == 0


@pytest.mark.usefixtures("table")
def test_the_last_whole_checkpoint_stays(cli: Cli) -> None:
    assert cli(*TRAIN).exit_code == 0
    before = {p: p.read_bytes() for p in (STATE, Path("run/weights.safetensors"))}
    with full_disk():
        result = cli(*TRAIN[:-4], "--resume", "--epochs", 3)
    assert result.exit_code == 1, result.output
    assert "(File too large), the last one stays: training continues" in result.stderr
    assert len(errors(result.stderr)) == 1
    assert {path: path.read_bytes() for path in before} == before
    assert cli(*TRAIN[:-4], "--resume", "--epochs", 3).exit_code == 0
    assert epochs() == ["1", "2", "3"]


@pytest.mark.usefixtures("table")
def test_metrics_that_cannot_be_written_are_one_warning(cli: Cli) -> None:
    with full_disk():
        result = cli(*TRAIN, "--epochs", 20)
    assert result.exit_code == 1
    assert result.stderr.count("Warning: run/metrics.csv cannot be written") == 1
    assert epochs() == [str(1 + i) for i in range(len(epochs()))]  # whole rows, none left out
    assert 0 < len(epochs()) < 20


@pytest.mark.usefixtures("table")
def test_a_folder_that_is_deleted_comes_back(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    append = MetricsCSV._append

    def deleting(self: MetricsCSV, record: Record) -> None:
        if record["epoch"] == 2:
            shutil.rmtree("run")
        append(self, record)

    monkeypatch.setattr(MetricsCSV, "_append", deleting)
    result = cli(*TRAIN, "--epochs", 4)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Warning: run/metrics.csv cannot be written") == 1
    assert epochs() == ["1", "2", "3", "4"]
    assert cli("evaluate", "run", "--samples", 5).exit_code == 0


def no_room() -> RuntimeError:
    try:
        torch.empty(2**52)
    except RuntimeError as error:
        return error
    raise AssertionError("this machine has memory without end")


OUT_OF_MEMORY = [MemoryError(), no_room(), torch.OutOfMemoryError("CUDA out of memory. Tried")]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["python", "torch", "cuda"])
def test_too_little_memory(
    cli: Cli, trained_table: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def raising(*_: object, **__: object) -> None:
        raise error

    write_table(Path("t.csv"))
    monkeypatch.setattr(FittedModel, "evaluate", raising)
    monkeypatch.setattr(FittedModel, "sample", raising)
    monkeypatch.setattr("pyro_gmvae.fitting.train.fit", raising)
    for command, fix in (
        (TRAIN, "lower --batch-size or --chunk-size"),
        (["evaluate", trained_table], "lower --samples"),
        (["sample", trained_table, "-o", "a.csv"], "lower --per-cluster"),
    ):
        result = cli(*command)
        assert result.exit_code == 1
        (line,) = errors(result.stderr)
        assert line.startswith("Error: there is not enough memory: ") and fix in line
    assert [p.name for p in Path().iterdir()] == ["t.csv"]


def test_a_fault_of_the_program_is_not_hidden(
    cli: Cli, trained_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: object, **__: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(FittedModel, "evaluate", raising)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        cli("evaluate", trained_table)


LONG = "a" * 300


@pytest.mark.parametrize(
    "command",
    [
        f"train {LONG}.csv --out run",
        f"train {LONG} --out run",
        f"train digits --out {LONG}",
        f"train digits --out run --labels {LONG}.csv",
        f"evaluate {LONG}",
        f"evaluate RUN {LONG}.csv",
        f"predict RUN digits -o {LONG}.csv",
        f"sample RUN -o {LONG}.png",
        f"prune RUN --out {LONG}",
        f"select digits --clusters 2,3 --out {LONG}",
        f"stability RUN RUN -o {LONG}.csv",
    ],
)
@pytest.mark.parametrize("nul", [False, True], ids=["long", "nul"])
def test_names_that_no_file_can_have(
    refused: Cli, trained_digits: Path, command: str, nul: bool
) -> None:
    words = [str(trained_digits) if w == "RUN" else w for w in command.split()]
    if nul:
        words = [w.replace(LONG, "a\0b") for w in words]
    assert ("NUL" if nul else LONG) in refused(*words)


@pytest.mark.parametrize("number", [*USER_PATH, errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_every_error_has_a_name_and_a_reason(number: int) -> None:
    error = OSError(number, os.strerror(number), "runs/a")
    assert system_words(error, "elsewhere").startswith(f"runs/a: {os.strerror(number)}")
    nameless = OSError(number, os.strerror(number))
    assert system_words(nameless, "elsewhere").startswith(f"elsewhere: {os.strerror(number)}")
    assert is_user_path(error) == (number in USER_PATH)


PROGRAM = f'"{sys.executable}" -c "from pyro_gmvae_cli.main import main; main()" --help'


@pytest.mark.parametrize(
    ("redirected", "code"),
    [(">&-", 0), ("2>&-", 0), (">/dev/full", 1), ("| true", 1), (">/dev/full 2>/dev/full", 1)],
)
def test_streams_that_take_nothing(redirected: str, code: int) -> None:
    script = f"{PROGRAM} {redirected}; exit ${{PIPESTATUS[0]}}"
    if "true" in redirected:  # whose end has to come first
        script = f"set +m; {{ sleep 0.5; {PROGRAM}; }} {redirected}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    said = ["Error: standard output: No space left on device: free some space, or choose another"]
    assert [line.removesuffix(" place") for line in done.stderr.splitlines()] == (
        said if redirected == ">/dev/full" else []
    )
