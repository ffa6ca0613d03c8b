"""A training that was interrupted and resumed is the one that was not."""

import csv
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pyro_gmvae.data import Splits
from pyro_gmvae.fitting.plan import Plan, plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.tasks.train import train_run
from pyro_gmvae.training import MetricsCSV, Record
from tests.cli.conftest import TINY, Cli, write_table

# Long enough to be interrupted, short enough to wait for.
EPOCHS = 40
OPTIONS = [*TINY, "--epochs", str(EPOCHS), "--patience", str(EPOCHS), "--device", "cpu"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
PROGRAM = [sys.executable, "-c", "from pyro_gmvae_cli.main import main; main()"]

Process = subprocess.Popen[str]


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Starts ``pyro-gmvae`` as a process of its own, which does not outlive the test."""
    processes: list[Process] = []

    def run(*arguments: str) -> Process:
        command = [*PROGRAM, *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        processes.append(process)
        return process

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def metrics(folder: str) -> list[dict[str, str]]:
    with open(f"{folder}/metrics.csv", newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def interrupt(process: Process, number: int, folder: str, epochs: int) -> str:
    """Sends a signal once there are so many epochs; returns what the program said."""
    path, deadline = Path(folder, "metrics.csv"), time.monotonic() + 120
    while not path.is_file() or len(path.read_text().splitlines()) <= epochs:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number, stderr
    return stderr


def test_resumed_equals_unbroken(cli: Cli, start: Callable[..., Process]) -> None:
    write_table(Path("t.csv"), 300)
    data = ["train", "t.csv", "--label-column", "kind"]
    broken = start(*data, "--out", "a run", *OPTIONS)
    said = interrupt(broken, signal.SIGINT, "a run", epochs=3)
    assert "Traceback" not in said
    path = Path("t.csv").absolute()
    command = f"pyro-gmvae train {path} --out 'a run' --resume"
    assert said.rstrip().endswith(command)

    resume = [*shlex.split(command)[1:], "--quiet"]
    # What ends here is run in this process: the numbers are the same, and torch is imported.
    said = interrupt(start(*resume), signal.SIGTERM, "a run", epochs=len(metrics("a run")) + 3)
    assert said.rstrip().endswith(command)
    assert len(metrics("a run")) < EPOCHS

    assert cli(*resume).exit_code == 0
    assert cli(*data, "--out", "unbroken", *OPTIONS).exit_code == 0
    assert len(metrics("a run")) == EPOCHS
    assert metrics("a run") == metrics("unbroken")
    weights, expected = (load_file(f"{f}/weights.safetensors") for f in ("a run", "unbroken"))
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_more_epochs(cli: Cli) -> None:
    cli("train", "digits", "--out", "long", *TINY, "--epochs", 3)
    cli("train", "digits", "--out", "short", *TINY)
    assert cli("train", "digits", "--out", "short", "--resume", "--epochs", 3).exit_code == 0
    assert metrics("short") == metrics("long")
    # Not asked again, it remembers.
    assert cli("train", "digits", "--out", "short", "--resume").exit_code == 0
    assert len(metrics("short")) == 3


def test_without_a_checkpoint_it_begins_anew(cli: Cli) -> None:
    cli("train", "digits", "--out", "a", *TINY)
    expected = Path("a/weights.safetensors").read_bytes()
    Path("a/checkpoint/state.safetensors").unlink()
    assert cli("train", "digits", "--out", "a", "--resume").exit_code == 0
    assert Path("a/weights.safetensors").read_bytes() == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--clusters", 4], "begun with clusters 3, not 4"),
        (["--hidden", "9"], "begun with hidden 8, not 9"),
        (["--method", "exact"], "begun with method sparse, not exact"),
        (["--seed", 3], "begun with seed 0, not 3"),
        (["--epochs", 0], "epochs must be at least 1"),
    ],
)
def test_other_settings(refused: Cli, run_folder: Path, options: list[object], words: str) -> None:
    assert words in refused("train", "digits", "--out", run_folder, "--resume", *options)


def test_other_data(refused: Cli, run_folder: Path) -> None:
    words = refused("train", "mnist", "--out", run_folder, "--resume")
    assert "begun with data digits, not mnist" in words


def test_the_same_settings_again(cli: Cli, run_folder: Path) -> None:
    result = cli("train", "digits", "--out", run_folder, "--resume", *TINY)
    assert result.exit_code == 0, result.output


def test_damaged_checkpoint(refused: Cli, run_folder: Path) -> None:
    path = run_folder / "checkpoint" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    words = refused("train", "digits", "--out", run_folder, "--resume", "--epochs", 3)
    assert "is damaged" in words


def test_an_error_leaves_the_checkpoint(cli: Cli) -> None:
    write_table(Path("blobs.csv"))
    data = str(Path("blobs.csv").absolute())
    settings = Settings.of(data, label_column="kind", epochs=3, hidden=(4,), clusters=2)

    class FullDisk(MetricsCSV):
        def epoch(self, record: Record) -> None:
            super().epoch(record)
            if record["epoch"] == 3:
                raise OSError(28, "No space left on device")

    def saving(settings: Settings, splits: Splits) -> Plan:
        made = plan(settings, splits)
        return replace(made, config=replace(made.config, checkpoint_seconds=0.0))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pyro_gmvae.tasks.train.MetricsCSV", FullDisk)
        patched.setattr("pyro_gmvae.tasks.train.plan", saving)
        with pytest.raises(OSError, match="No space left") as caught:
            train_run(settings, "run")
    assert any("resume it" in note for note in caught.value.__notes__)
    resumed = cli("train", "blobs.csv", "--out", "run", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert [row["epoch"] for row in metrics("run")] == ["1", "2", "3"]
