"""Every benchmark runs; no time is asserted."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks import NAMES, start
from pyro_gmvae.training.starts import latent
from tests.cli.conftest import Cli

MACHINE = {"processor", "cores", "threads", "load", "gpu", "python", "torch", "pyro", "commit"}


def report(cli: Cli, name: str, *options: object) -> dict[str, Any]:
    result = cli("benchmark", name, "--small", "--device", "cpu", "--out", "out.json", *options)
    assert result.exit_code == 0, result.output
    values: dict[str, Any] = json.loads(Path("out.json").read_text())
    assert values["benchmark"] == name
    assert set(values["machine"]) >= MACHINE
    assert values["settings"]["size"] == "small"
    return values


@pytest.mark.filterwarnings("ignore:.*TraceEnum_ELBO.*", "ignore:Found vars in model")
def test_step(cli: Cli) -> None:
    values = report(cli, "step", "--methods", "concrete", "sparse", "--clusters", 2, 3)
    rows = {(row["method"], row["clusters"]): row for row in values["results"]}
    assert set(rows) == {(m, k) for m in ("concrete", "sparse") for k in (2, 3)}
    for (method, _), row in rows.items():
        stock = {"stock-svi", "stock-elbo"}
        assert set(row["seconds"]) == {"ours", "hand"} | (set() if method == "sparse" else stock)
        assert set(row["not_applicable"]) == (stock if method == "sparse" else set())
        assert all(seconds > 0 for seconds in row["seconds"].values())
    across = values["across_clusters"][0]
    assert across["last_over_first"].keys() == {"concrete", "sparse"}
    assert across["sparse_over_concrete"].keys() == {"2", "3"}


def test_ablation(cli: Cli) -> None:
    (row,) = report(cli, "ablation")["results"]
    assert row["seconds"] > 0
    assert row["times_as_long_without"].keys() == {"kept memory"}
    assert row["times_as_long_without"]["kept memory"] > 0


def test_scaling(cli: Cli) -> None:
    values = report(cli, "scaling", "--clusters", 2, "--quiet")
    row = values["results"][0]
    assert row["clusters"] == 2
    assert row["peak_bytes"] is None or row["peak_bytes"] > 0
    assert "concrete 8,8" in values["slopes"]["seconds per step"]
    assert Path("out.png").stat().st_size > 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_limit(cli: Cli, precision: str) -> None:
    values = report(cli, "limit", "--precision", precision)
    row = values["results"][0]
    assert row["bytes_moved"] > row["parameter_bytes"] > 0
    assert row["flops"] > 0
    assert set(row["of_matrix_rate"]["ours"]) == {"float32", "bfloat16"}
    shares = [v for k, v in values["shares"][0].items() if isinstance(v, float)]
    assert sum(shares) == pytest.approx(1)


def test_epoch(cli: Cli) -> None:
    values = report(cli, "epoch")
    assert values["data"] == "random pixels"
    assert values["results"][0]["seconds"] > 0


def test_precision(cli: Cli) -> None:
    row = report(cli, "precision")["results"][0]
    ends = row["log_likelihood"]
    assert [len(ends[p]) for p in ("float32", "bfloat16")] == [2, 2]
    assert row["difference"] == pytest.approx((sum(ends["bfloat16"]) - sum(ends["float32"])) / 2)


def test_bias(cli: Cli) -> None:
    rows = {row["estimate"]: row for row in report(cli, "bias")["results"]}
    assert {"exact", "concrete, tau 0.5", "sparse, m = 1"} <= set(rows)
    assert all(row["error"] > 0 and row["spread"] > 0 for row in rows.values())


def test_known(cli: Cli) -> None:
    rows = {row["told"]: row for row in report(cli, "known")["results"]}
    assert list(rows) == ["nothing", "labels", "groups"]
    assert all(len(row["accuracy"]) == 2 and row["least"] > 0 for row in rows.values())


def test_clusterings(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "MIN_STEPS", 1)  # of the VAE: its epochs decide
    rows = {row["strategy"]: row for row in report(cli, "clusterings")["results"]}
    assert rows["kmeans"]["ari"][0] > 0.4
    assert rows["kmeans"]["epochs"] is None
    assert rows["latent-mixture"]["epochs"] == 1


def test_start(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {start.BASE: ["-c", "pass"], "other": ["-c", "pass"]}
    monkeypatch.setattr(start, "COMMANDS", quick)
    values = report(cli, "start")
    assert [row["command"] for row in values["results"]] == list(quick)


def test_json_on_screen(cli: Cli) -> None:
    options = ["--methods", "concrete", "--clusters", 2, "--variants", "hand", "--across", "hand"]
    result = cli("benchmark", "step", "--small", "--json", *options)
    assert json.loads(result.stdout)["results"][0]["seconds"]["hand"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_named_and_explained(cli: Cli, name: str) -> None:
    assert re.search(rf"^ +{name} ", cli("benchmark", "--help").stdout, re.MULTILINE)
    module = import_module(f"benchmarks.{name}")
    assert module.__doc__ is not None
    assert f"benchmarks/{name}.py" in module.__doc__  # how to run it again
    assert "--out" in cli("benchmark", name, "--", "--help").stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["stp"], "'stp' is not one of 'step'"),
        (["step", "--clusters", 1], "'1' is not a number of at least 2"),
        (["step", "--hidden", "8,x"], "not a list of sizes such as 512,512"),
        (["step", "--methods", "magic"], "invalid choice: 'magic'"),
        (["step", "--small", "--full"], "not allowed with"),
        (["step", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_bad_input(cli: Cli, options: list[object], words: str) -> None:
    result = cli("benchmark", *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
