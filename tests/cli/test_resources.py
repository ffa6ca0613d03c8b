"""The options about compilation, precision and memory."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from pyro_gmvae.fitting import defaults
from pyro_gmvae.inference import CapturedELBO
from pyro_gmvae.training import step
from tests.cli.conftest import TINY, Cli

TRAIN = ("train", "digits", "--out", "a", *TINY)


def no_compiler(graph: object, inputs: object) -> None:
    raise RuntimeError("no compiler here\nand much more")


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = partial(CapturedELBO, backend=no_compiler)
    monkeypatch.setattr(step, "CapturedELBO", broken)
    monkeypatch.setitem(defaults.COMPILED_STEPS, "cpu", 1)


def test_the_options_reach_the_training(cli: Cli) -> None:
    options = ("--compile", "off", "--precision", "bfloat16", "--chunk-size", 2)
    result = cli(*TRAIN, "--method", "exact", *options, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["clusters_in_use"] >= 1
    with open("a/train.json") as file:
        settings = json.load(file)["settings"]
    kept = {n: settings[n] for n in ("compile", "precision", "chunk_size")}
    assert kept == {"compile": "off", "precision": "bfloat16", "chunk_size": 2}


@pytest.mark.usefixtures("without_compiler", "unchecked_shapes")
def test_without_a_compiler_auto_says_so_in_one_line(cli: Cli) -> None:
    result = cli(*TRAIN)
    assert result.exit_code == 0, result.output
    said = "Warning: training continues without compilation: no compiler here"
    assert result.stderr.splitlines().count(said) == 1
    assert "much more" not in result.stderr


@pytest.mark.usefixtures("without_compiler", "unchecked_shapes")
def test_without_a_compiler_on_is_refused(cli: Cli) -> None:
    result = cli(*TRAIN, "--compile", "on")
    assert result.exit_code == 2
    assert "cannot be compiled: no compiler here\nUse --compile off." in result.stderr
    assert not Path("a").exists()
