"""A convolutional training from the command line, to its end and again."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from pyro_gmvae.networks import ConvSizes
from pyro_gmvae.runs import load
from tests.cli.conftest import TINY, Cli

CONV = ["--network", "conv", "--channels", "8,8"]
OPTIONS = [*TINY, *CONV, "--method", "marginal"]


def test_train_and_evaluate(cli: Cli) -> None:
    trained = cli("train", "digits", "--out", "a", *OPTIONS, "--json")
    assert trained.exit_code == 0, trained.output
    options = load("a").gmvae.options
    assert (options["network"], options["conv"]) == ("conv", ConvSizes((8, 8), patch=1))
    evaluated = cli("evaluate", "a", "--samples", 100, "--json")
    figures = json.loads(evaluated.stdout)
    assert figures["log_likelihood"] == json.loads(trained.stdout)["log_likelihood"]
    assert figures["log_likelihood"] > 0  # of grey levels at random
    assert cli("sample", "a", "-o", "a.png").exit_code == 0


def test_resumed_equals_unbroken(cli: Cli) -> None:
    for folder, epochs in {"long": 2, "short": 1}.items():
        assert cli("train", "digits", "--out", folder, *OPTIONS, "--epochs", epochs).exit_code == 0
    resume = ["--resume", "--epochs", 2, *CONV]
    assert cli("train", "digits", "--out", "short", *resume).exit_code == 0
    weights, expected = (load_file(Path(f, "weights.safetensors")) for f in ("short", "long"))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_resuming_with_other_sizes(cli: Cli, refused: Cli) -> None:
    cli("train", "digits", "--out", "a", *OPTIONS)
    words = refused("train", "digits", "--out", "a", "--resume", "--channels", "8,16")
    assert "begun with channels 8,8, not 8,16" in words
