"""Every benchmark runs; no time is asserted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.clusters import information_starts
from benchmarks.speed import import_time
from pyro_gmvae.fitting.starts import information, latent
from tests.benchmarks.conftest import Bench, report
from tests.helpers.idx_files import write_mnist

ROOT = Path(__file__).parents[2]


@pytest.mark.filterwarnings("ignore:.*TraceEnum_ELBO.*", "ignore:Found vars in model")
def test_step(bench: Bench) -> None:
    values = report(bench, "step", "--methods", "concrete", "sparse", "--clusters", 2, 3)
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


@pytest.mark.slow
def test_cpu_ablation(bench: Bench) -> None:
    (row,) = report(bench, "cpu-ablation")["results"]
    assert row["seconds"] > 0
    assert row["times_as_long_without"].keys() == {"kept memory"}
    assert row["times_as_long_without"]["kept memory"] > 0


@pytest.mark.slow
def test_compilation(bench: Bench) -> None:
    rows = report(bench, "compilation")["results"]
    assert [row["way"] for row in rows] == ["stored", "computed anew"]
    assert all(row["compiling_seconds"] > 0 and row["step_seconds"] > 0 for row in rows)


@pytest.mark.slow
def test_scaling(bench: Bench) -> None:
    values = report(bench, "scaling", "--clusters", 2, "--quiet")
    row = values["results"][0]
    assert row["clusters"] == 2
    assert row["peak_bytes"] is None or row["peak_bytes"] > 0
    assert "concrete 8,8" in values["slopes"]["seconds per step"]
    assert Path("out.png").stat().st_size > 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_limit(bench: Bench, precision: str) -> None:
    values = report(bench, "limit", "--precision", precision)
    row = values["results"][0]
    assert row["bytes_moved"] > row["parameter_bytes"] > 0
    assert row["flops"] > 0
    assert set(row["of_matrix_rate"]["ours"]) == {"float32", "bfloat16"}
    shares = [v for k, v in values["shares"][0].items() if isinstance(v, float)]
    assert sum(shares) == pytest.approx(1)


def test_epoch(bench: Bench) -> None:
    values = report(bench, "epoch")
    assert values["data"] == "random pixels"
    assert values["results"][0]["seconds"] > 0


def test_precision(bench: Bench) -> None:
    row = report(bench, "precision")["results"][0]
    ends = row["log_likelihood"]
    assert [len(ends[p]) for p in ("float32", "bfloat16")] == [2, 2]
    assert row["difference"] == pytest.approx((sum(ends["bfloat16"]) - sum(ends["float32"])) / 2)


def test_gradient_bias(bench: Bench) -> None:
    rows = {row["estimate"]: row for row in report(bench, "gradient-bias")["results"]}
    assert {"exact", "concrete, tau 0.5", "sparse, m = 1"} <= set(rows)
    assert all(row["error"] > 0 and row["spread"] > 0 for row in rows.values())


@pytest.mark.slow
def test_partial_knowledge(bench: Bench) -> None:
    rows = {row["told"]: row for row in report(bench, "partial-knowledge")["results"]}
    assert list(rows) == ["nothing", "labels", "groups"]
    assert all(len(row["accuracy"]) == 2 and row["least"] > 0 for row in rows.values())


@pytest.mark.slow
def test_starting_clusters(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent, "MIN_STEPS", 1)  # of the VAE: its epochs decide
    rows = {row["strategy"]: row for row in report(bench, "starting-clusters")["results"]}
    assert rows["kmeans"]["ari"][0] > 0.4
    assert rows["kmeans"]["epochs"] is None
    assert rows["latent-mixture"]["epochs"] == 1


def test_information_starts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(information, "MIN_STEPS", 2)
    monkeypatch.setattr(information_starts, "POOR", 2.0)
    values = report(bench, "information-starts")
    rows = {(row["judged_on"], row["n"]): row for row in values["results"]}
    assert set(rows) == {(rows, n) for rows in ("training", "validation") for n in (1, 2)}
    one, other = values["cells"]
    assert (one["start"], other["start"]) == (0, 1) and one["training"] != other["training"]
    for judge in ("training", "validation"):
        better = min((one, other), key=lambda cell: cell[judge])
        assert rows[judge, 2]["accuracy"] == better["accuracy"]
        mean = (one["accuracy"] + other["accuracy"]) / 2
        assert rows[judge, 1]["accuracy"] == pytest.approx(mean)
        assert rows[judge, 1]["poor"] == 1


def test_reference_elbo(bench: Bench) -> None:
    write_mnist(Path("images"), 120, 40)
    options = ["--small", "--data-dir", "images", "--device", "cpu", "--out", "out.json"]
    assert bench("reference-elbo", *options).exit_code == 0
    assert bench("reference-elbo", *options, "--methods", "exact").exit_code == 0
    rows = {row["method"]: row for row in json.loads(Path("out.json").read_text())["results"]}
    assert rows.keys() == {"concrete", "exact"}  # the second run kept the row of the first
    assert all(row["steps"] == 2 and row["test_negative_elbo"] > 0 for row in rows.values())


@pytest.mark.slow
def test_serving(bench: Bench) -> None:
    pytest.importorskip("uvicorn")
    rows = report(bench, "serving")["results"]
    assert rows and all(row["requests"] > 0 for row in rows)


def test_import_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {import_time.BASE: ["-c", "pass"], "other": ["-c", "pass"]}
    monkeypatch.setattr(import_time, "COMMANDS", quick)
    values = report(bench, "import-time")
    assert [row["command"] for row in values["results"]] == list(quick)


def test_json_on_screen(bench: Bench) -> None:
    options = ["--methods", "concrete", "--clusters", 2, "--variants", "hand", "--across", "hand"]
    result = bench("step", "--small", "--device", "cpu", "--json", *options)
    assert json.loads(result.stdout)["results"][0]["seconds"]["hand"] > 0


def test_each_is_run_by_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in NAMES if f'"{name}"' not in tests] == []


@pytest.mark.parametrize("name", NAMES)
def test_named_and_explained(bench: Bench, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(rf"^ +{name} ", bench("--help").stdout, re.MULTILINE)
    module = import_module(f"benchmarks.{NAMES[name].module}")
    assert module.__doc__ is not None
    assert f"python -m benchmarks {name} " in module.__doc__  # how to run it again
    with pytest.raises(SystemExit) as ended:
        bench(name, "--help")
    assert ended.value.code == 0
    words = capsys.readouterr().out
    assert words.startswith(f"usage: python -m benchmarks {name} ")
    assert "--out" in words


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys; from benchmarks.__main__ import main; main(['--help']); "
        "assert not {'torch', 'pyro', 'pyro_gmvae'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["stp"], "'stp' is not a benchmark: choose from step,"),
        (["step", "--clusters", 1], "'1' is not a number of at least 2"),
        (["step", "--hidden", "8,x"], "not a list of sizes such as 512,512"),
        (["step", "--methods", "magic"], "invalid choice: 'magic'"),
        (["step", "--small", "--full"], "not allowed with"),
        (["step", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_bad_input(bench: Bench, options: list[object], words: str) -> None:
    result = bench(*options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
