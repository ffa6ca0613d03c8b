"""Run the benchmarks as a user does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.__main__ import main


class Outcome(NamedTuple):
    """What a command left: its exit code and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


Bench = Callable[..., Outcome]
MACHINE = {"processor", "cores", "threads", "load", "gpu", "python", "torch", "pyro", "commit"}


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


def report(bench: Bench, name: str, *options: object) -> dict[str, Any]:
    """Run a benchmark at its least, and return what it writes."""
    result = bench(name, "--small", "--device", "cpu", "--out", "out.json", *options)
    assert result.exit_code == 0, result.stderr
    values: dict[str, Any] = json.loads(Path("out.json").read_text())
    assert values["benchmark"] == name
    assert set(values["machine"]) >= MACHINE
    assert values["settings"]["size"] == "small"
    return values
