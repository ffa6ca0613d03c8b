"""Signals end a command in order: nothing half-written, a word on how to go on, a code of 128 + n.

The commands run in this process, and a signal comes where a test wants it.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyro_gmvae.training import MetricsCSV
from tests.cli.conftest import TINY, Cli, snapshot, write_table

NUMBERS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
TRAIN = ["train", "t.csv", "--label-column", "kind", "--out", "a run", *TINY, "--epochs", 4]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """As a terminal starts a program, and all as before when a command has ended."""
    usual = dict.fromkeys(NUMBERS, signal.SIG_DFL) | {signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    after = {number: signal.signal(number, handler) for number, handler in before.items()}
    assert after == usual


def kill(number: int) -> Callable[..., None]:
    return lambda *_, **__: os.kill(os.getpid(), number)


@pytest.fixture
def table(cli: Cli) -> None:
    write_table(Path("t.csv"))


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("existed", [False, True])
def test_in_the_start_the_same_command_begins_anew(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, number: int, existed: bool
) -> None:
    if existed:
        Path("a run").mkdir()
    before = snapshot(Path())
    with monkeypatch.context() as patched:
        patched.setattr("pyro_gmvae.fitting.begin._started", kill(number))
        result = cli(*TRAIN)
    assert result.exit_code == 128 + number
    assert "the same command begins anew" in result.stderr and "--resume" not in result.stderr
    assert snapshot(Path()) == before
    assert cli(*TRAIN).exit_code == 0


@pytest.mark.usefixtures("table")
def test_in_the_start_of_a_resumed_training(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli(*TRAIN).exit_code == 0
    Path("a run/checkpoint/state.safetensors").unlink()
    again = [*TRAIN, "--resume"]
    with monkeypatch.context() as patched:
        patched.setattr("pyro_gmvae.fitting.begin._started", kill(signal.SIGTERM))
        result = cli(*again)
    assert result.exit_code == 143 and "Continue it with: " in result.stderr
    assert cli(*again).exit_code == 0


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("number", NUMBERS)
def test_in_the_training_its_state_is_kept(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patched:
        # After the row of the first epoch.
        patched.setattr(MetricsCSV, "_rewrite", kill(number))
        result = cli(*TRAIN)
    assert result.exit_code == 128 + number, result.output
    path = Path("t.csv").absolute()
    assert "\nError: training was interrupted; its state is in a run/" in f"\n{result.stderr}"
    assert result.stderr.endswith(
        f"\nContinue it with: pyro-gmvae train {path} --out 'a run' --resume\n"
    )
    words = shlex.split(result.stderr.splitlines()[-1])
    resumed = cli(*words[words.index("pyro-gmvae") + 1 :], "--quiet")
    assert resumed.exit_code == 0, resumed.output


@pytest.mark.usefixtures("table")
def test_after_the_training_its_state_is_kept(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("pyro_gmvae.tasks.train.save_run", kill(signal.SIGTERM))
        result = cli(*TRAIN)
    assert result.exit_code == 143
    assert result.stderr.splitlines()[-1].endswith("--resume")
    assert cli(*TRAIN, "--resume").exit_code == 0


@pytest.mark.usefixtures("table")
def test_the_old_checkpoint_is_not_of_the_new_training(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*TRAIN).exit_code == 0
    before = snapshot(Path())
    with monkeypatch.context() as patched:
        patched.setattr("pyro_gmvae.tasks.train.load_settings_splits", kill(signal.SIGTERM))
        result = cli(*TRAIN, "--overwrite")
    assert result.exit_code == 143
    assert "the same command begins anew" in result.stderr and "--resume" not in result.stderr
    assert snapshot(Path()) == before


@pytest.mark.usefixtures("table")
def test_a_second_ctrl_c_does_not_wait(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(MetricsCSV, "_rewrite", twice)
    result = cli(*TRAIN)
    assert result.exit_code == 130 and "the same command begins anew" in result.stderr
    assert not Path("a run").exists()


@pytest.mark.usefixtures("table")
def test_an_ignored_hang_up_stays_ignored(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under nohup."""
    if not hasattr(signal, "SIGHUP"):
        pytest.skip("there is no such signal")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(MetricsCSV, "_rewrite", kill(signal.SIGHUP))
    try:
        assert cli(*TRAIN).exit_code == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.usefixtures("table")
def test_a_selection_goes_on_by_the_same_command(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["select", "t.csv", "--label-column", "kind", "--out", "sel", "--clusters", "1,2"]
    command += ["--runs", "2", "--samples", "5", "--epochs", "1", "--hidden", "8", "--quiet"]
    command += ["--regularize", "none", "--initialization", "random", "--overwrite"]
    monkeypatch.setattr(sys, "argv", ["pyro-gmvae", *command])
    from pyro_gmvae.tasks import select

    train, seen = select.train, []

    def second_ends(*arguments: Any) -> Any:
        seen.append(len(seen))
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return train(*arguments)

    monkeypatch.setattr(select, "train", second_ends)
    result = cli(*command)
    assert result.exit_code == 143 and "Finished trainings are kept" in result.stderr
    words = shlex.split(result.stderr.splitlines()[-1])
    again = words[words.index("pyro-gmvae") + 1 :]
    assert again == command[:-1]  # to overwrite again would drop them
    assert cli(*again).exit_code == 0
    assert len(seen) == 5  # four trainings, and the one that was ended


def test_a_stability_begins_anew(
    cli: Cli, trained_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["stability", trained_table, "--resamples", 2, "--quiet"]
    monkeypatch.setattr("pyro_gmvae.tasks.stability.train", kill(signal.SIGTERM))
    result = cli(*command)
    assert result.exit_code == 143 and "the same command begins anew" in result.stderr


@pytest.mark.parametrize("command", ["evaluate RUN", "predict RUN digits -o a.csv"])
def test_other_commands_leave_nothing(
    cli: Cli, trained_digits: Path, monkeypatch: pytest.MonkeyPatch, command: str, tmp_path: Path
) -> None:
    place = "pyro_gmvae.fitted.FittedModel."
    monkeypatch.setattr(place + "evaluate", kill(signal.SIGTERM))
    monkeypatch.setattr("pyro_gmvae.models.GMVAE.responsibilities", kill(signal.SIGTERM))
    result = cli(*(trained_digits if word == "RUN" else word for word in command.split()))
    assert (result.exit_code, result.stderr) == (143, "Error: interrupted\n")
    assert list(tmp_path.iterdir()) == []
