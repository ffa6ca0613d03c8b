"""Every option of every command is taken, or refused by name before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from pyro_gmvae import run_data, runs
from pyro_gmvae.serving import predictor
from pyro_gmvae.tasks import export as tasks_export
from pyro_gmvae.tasks import schema as describing
from pyro_gmvae.tasks import select as selecting
from pyro_gmvae.tasks import train as training
from pyro_gmvae_cli.main import COMMANDS, main
from tests.cli.conftest import Cli
from tests.helpers.odd_values import ODD_TEXTS

NEEDED: dict[str, list[str]] = {
    "train": ["digits", "--out", "run"],
    "schema": ["t.csv"],
    "evaluate": ["run"],
    "report": ["run", "new.csv"],
    "rules": ["run", "new.csv"],
    "predict": ["run", "new.csv", "-o", "a.csv"],
    "impute": ["run", "new.csv", "-o", "a.csv"],
    "sample": ["run", "-o", "a.csv"],
    "select": ["digits", "--clusters", "2:3", "--out", "run"],
    "stability": ["run"],
    "prune": ["run", "--out", "smaller"],
    "export": ["run", "--format", "onnx", "-o", "a.onnx"],
    "serve": ["run"],
}


def options_that_take_a_value() -> list[tuple[str, click.Option]]:
    found = []
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        found += [(name, p) for p in command.params if isinstance(p, click.Option)]
    return [(name, option) for name, option in found if not option.is_flag]


@pytest.fixture
def begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops a command where it would begin to read or to train."""

    def begin(*args: Any, **options: Any) -> None:
        raise click.exceptions.Exit(77)

    monkeypatch.setattr(runs, "load", begin)
    monkeypatch.setattr(predictor, "load", begin)
    monkeypatch.setattr(tasks_export, "import_module", begin)
    monkeypatch.setattr(training, "load_settings_splits", begin)
    monkeypatch.setattr(describing, "load", begin)
    monkeypatch.setattr(selecting, "load_settings_splits", begin)
    monkeypatch.setattr(run_data, "load_settings_splits", begin)


@pytest.mark.usefixtures("begins", "unchecked_shapes")
@pytest.mark.parametrize(
    ("command", "option"),
    [pytest.param(c, o, id=f"{c}-{o.name}") for c, o in options_that_take_a_value()],
)
def test_an_option_is_taken_or_refused_by_name(
    cli: Cli, command: str, option: click.Option
) -> None:
    flag = max(option.opts, key=len)
    beside = ["--resamples", "2"] if command == "stability" and flag != "--resamples" else []
    if command == "stability" and flag in ("--data", "--output", "--image-size"):
        beside = ["other"]  # these are for several runs
    method = {"temperature": "concrete", "temperature_end": "concrete", "chunk_size": "exact"}
    if option.name in method:
        beside = ["--method", method[option.name]]
    taken = set()
    for text in ODD_TEXTS:
        result = cli(command, *NEEDED[command], *beside, f"{flag}={text}")
        assert result.exit_code in (2, 77), (text, result.output)
        if result.exit_code == 77:
            taken.add(text)
            continue
        error = result.stderr.splitlines()[-1]
        assert error.startswith("Error: ") and len(error) < 6000
        names = (flag, flag[2:], flag[2:].replace("-", " "), str(option.name).replace("_", " "))
        # A path is its own name.
        named = any(n in error for n in names) or error.startswith(f"Error: {text}")
        assert named, (text, error)
    if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType):
        # A number has a range, and no command begins with one that is outside.
        assert not taken & {"nan", "inf", "9" * 20, "9" * 5000, "many", ""}, taken
    assert not Path("run").exists()


@pytest.mark.usefixtures("begins")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "run", "--samples", "10000000000"], "'--samples': 10000000000 is not in the"),
        (["sample", "run", "-o", "a.csv", "--per-cluster", "-1"], "'--per-cluster': -1 is not in"),
        (["sample", "run", "-o", "a.csv", "--seed", "-1"], "'--seed': -1 is not in the range"),
        (
            ["train", "digits", "--out", "r", "--clusters", "0"],
            "clusters must be at least 1, got 0",
        ),
        (
            ["train", "digits", "--out", "r", "--seed", "9" * 20],
            "seed must be at least 0 and below",
        ),
        (["prune", "run", "--out", "r", "--least", "nan"], "'--least': nan is not a number"),
        (
            ["select", "digits", "--out", "r", "-k", "2:1000000000"],
            "clusters must be at most 100000",
        ),
        (
            ["select", "digits", "--out", "r", "-k", f"2:{10**30}"],
            "clusters must be at most 100000",
        ),
        (["select", "digits", "--out", "r", "-k", "2:90000"], "more than 1000 numbers of clusters"),
        (["select", "digits", "--out", "r", "-k", "2:3", "--runs", "1000000000"], "'--runs'"),
        (["stability", "run", "--resamples", "1000000000"], "'--resamples'"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_words(refused: Cli, arguments: list[str], words: str) -> None:
    assert words in refused(*arguments)
