"""Run the benchmarks as a user does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.__main__ import main


class Outcome(NamedTuple):
    """What a command left: its exit code and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


Bench = Callable[..., Outcome]


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    """Runs ``python -m benchmarks`` in an empty folder; a traceback fails the test."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        exit_code = main([str(argument) for argument in arguments])
        return Outcome(exit_code, *capsys.readouterr())

    return run
