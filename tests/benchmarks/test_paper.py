"""The paper's experiment and the ablation run, go on where they stopped, and sum up rightly."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.measuring.other_method import in_method
from benchmarks.measuring.summary import spread
from benchmarks.paper import experiment, run_cell
from benchmarks.paper.concrete_gap import StraightThrough
from benchmarks.paper.non_inferiority import paired_difference
from benchmarks.paper.studies import PRESETS, Cell, Study, cells_of, narrowed
from benchmarks.paper.summary_table import summary, table
from benchmarks.paper.table_1 import comparisons, table_1
from pyro_gmvae.distributions import ConcreteCategorical
from pyro_gmvae.training import Reporter
from tests.benchmarks.conftest import Bench, report
from tests.helpers.idx_files import write_mnist
from tests.helpers.small import binary_data, small_gmvae

FOLDER = Path("cells/out")
CELLS = {"mnist-K3-exact-seed0", "mnist-K3-concrete-seed0"} | {
    f"mnist-K{k}-{method}-seed0-timed" for k in (3, 4) for method in ("exact", "concrete")
}


def run(bench: Bench, *options: object) -> dict[str, Any]:
    if not Path("data").exists():
        write_mnist(Path("data"), 600, 20)  # a tenth of fewer than 500 would not be held out
    result = bench("paper", "--small", "--device", "cpu", "--out", "out.json", *options)
    assert result.exit_code == 0, result.stderr
    values: dict[str, Any] = json.loads(Path("out.json").read_text())
    values["table"] = result.stdout
    return values


@pytest.mark.slow
def test_all_cells(bench: Bench) -> None:
    values = run(bench)
    assert {path.stem for path in FOLDER.glob("mnist-*.json")} == CELLS
    assert values["finished"] == values["n_cells"] == len(values["cells"]) == len(CELLS)
    rows = {(row["clusters"], row["method"]): row for row in values["results"]}
    row = rows[3, "concrete"]
    assert row["seeds"] == [0]
    for name in ("log_likelihood_20", "log_likelihood_30", "elbo", "seconds", "nmi"):
        assert len(row[name]) == 1
    assert row["timed_seconds_per_epoch"] > 0
    assert "log_likelihood_20" not in rows[4, "exact"]
    assert values["table"].count("| concrete |") == 3
    assert len(values["cells"][-1]["log_p"]) == 12
    exact, concrete = values["comparisons"]
    assert (exact["ratio"], exact["difference"]) == (1, None)
    gap = concrete["log_likelihood"][0] - exact["log_likelihood"][0]
    assert concrete["difference"]["nats"] == pytest.approx(gap, abs=0.01)
    assert Path("out.png").stat().st_size > 0
    for picture in ("clusters", "reconstructions", "samples"):
        assert (FOLDER / f"mnist-K3-exact-seed0-{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_finished_cells_are_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run(bench, "--methods", "concrete", "--clusters", 3)
    monkeypatch.setattr(experiment, "run_cell", lambda *_: pytest.fail("ran a finished cell again"))
    after = run(bench, "--methods", "concrete", "--clusters", 3)
    assert after["results"] == before["results"]


@pytest.mark.slow
def test_goes_on_within_a_training(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training cut off after its first epoch ends as one that was not."""
    options = ("--methods", "concrete", "--clusters", 3)
    whole = run(bench, *options)["results"][0]
    cell = FOLDER / "mnist-K3-concrete-seed0.json"
    cell.unlink()
    fit = run_cell.fit

    class Interrupter(Reporter):
        """Presses Ctrl-C after the first epoch."""

        def step(self, step: int) -> None:
            if step == 2:
                os.kill(os.getpid(), signal.SIGINT)

    def cut(*args: Any, **kwargs: Any) -> Any:
        return fit(*args, **kwargs, reporters=[Interrupter()])

    with monkeypatch.context() as patched:
        patched.setattr(run_cell, "fit", cut)
        part = run(bench, *options)
    assert part["finished"] == part["n_cells"] - 1
    assert not cell.exists()
    again = run(bench, *options)["results"][0]
    assert again["log_likelihood_30"] == whole["log_likelihood_30"]
    assert again["epochs"] == whole["epochs"] == [2]


def test_cells_of_other_sizes_are_refused(bench: Bench) -> None:
    run(bench, "--methods", "concrete", "--clusters", 3)
    path = FOLDER / "mnist-K3-concrete-seed0.json"
    result = json.loads(path.read_text())
    result["cell"]["study"]["epochs"] = 77
    path.write_text(json.dumps(result))
    refused = bench("paper", "--small", "--cells", FOLDER, "--methods", "concrete")
    assert refused.exit_code == 2
    assert "has other settings: name another folder by --cells" in refused.stderr


def test_presets() -> None:
    for studies in PRESETS.values():
        names = [cell.name for cell in cells_of(studies, seeds=[0, 1, 2])]
        assert len(names) == len(set(names))
    study = Study("mnist", clusters=(10, 50), timed_clusters=(100,), exact_up_to=10)
    trained = {(c.method, c.clusters) for c in cells_of([study], seeds=[0]) if not c.timed}
    assert ("exact", 10) in trained
    assert ("exact", 50) not in trained
    assert ("sparse", 50) in trained
    assert narrowed(study, [50, 7]).clusters == (50,)
    assert narrowed(study, [50, 7]).timed_clusters == (7,)


def test_summary_gathers_seeds() -> None:
    study = Study("mnist", clusters=(10,), samples=(5, 50))
    results = []
    for seed, log_p in ((0, -90.0), (1, -92.0)):
        test = [
            {"num_samples": s, "log_likelihood": log_p + s / 50, "elbo": -95.0} for s in (5, 50)
        ]
        extra = {"clusters_in_use": 10, "mutual_information": 1.5, "nmi": None, "accuracy": None}
        results.append(
            {
                "cell": Cell(study, "sparse", 10, seed).to_dict(),
                "test": [t | extra for t in test],
                "epochs": 5,
                "seconds": 60.0,
                "seconds_per_epoch": 12.0,
                "peak_bytes": 2**20 * (seed + 1),
            }
        )
    (row,) = summary(results)
    assert row["log_likelihood_50"] == [-89.0, -91.0]
    assert row["peak_bytes"] == 2**21
    assert "| 10 | sparse | 2 | -90.90 ± 1.41 | -90.00 ± 1.41 | -95.00 ± 0.00 |" in table([row])
    assert spread([1.0], 1) == "1.0"
    assert spread([None], 1) == "n/a"


def test_a_method_is_compared_with_the_exact_one() -> None:
    study = Study("mnist", clusters=(10,), samples=(50,))
    results = []
    for method, pace, losses in (("exact", 30.0, (0.0, 0.0)), ("concrete", 6.0, (0.5, 0.3))):
        cell = Cell(study, method, 10, 0, timed=True).to_dict()
        results.append({"cell": cell, "peak_bytes": None, "seconds_per_epoch": pace})
        for seed, loss in enumerate(losses):
            log_p = [-90.0 - loss, -80.0 - loss - 0.1, -70.0 - loss + 0.1]
            test = {"num_samples": 50, "log_likelihood": -80.0 - loss, "elbo": -85.0}
            extra = {"clusters_in_use": 10, "mutual_information": 1.5}
            figures = {"epochs": 20, "seconds": 1.0, "seconds_per_epoch": 1.0, "log_p": log_p}
            cell = Cell(study, method, 10, seed).to_dict()
            results.append({"cell": cell, "peak_bytes": None, "test": [test | extra], **figures})
    exact, concrete = comparisons(results, {"mnist": 1.0})
    assert (exact["minutes"], exact["ratio"], exact["difference"]) == ([10, 10], 1, None)
    assert (concrete["minutes"], concrete["ratio"]) == ([2, 2], 5)
    assert concrete["difference"]["nats"] == pytest.approx(-0.4)
    assert concrete["difference"]["standard_error"] == pytest.approx(0.1)  # 0.2 / 2 by the seeds
    assert "| mnist, 10 | concrete | 2 | 2.0 ± 0.0 | 5.0 |" in table_1([exact, concrete])


def test_non_inferiority_is_found_as_often_as_it_should() -> None:
    """A method worse by the margin passes in 5 % of the tables, one that is as good in nearly all.

    400 tables: 5 % has a standard error of 1.1 %. The seeds' few degrees of freedom leave the test
    careful.
    """
    rng, seeds = np.random.default_rng(0), 3

    def passes(loss: float) -> float:
        found = []
        for _ in range(400):
            images = rng.normal(-90, 30, 400)
            theirs, ours = (
                {
                    seed: images + rng.normal(0, 0.1) + rng.normal(0, 2, 400) - by
                    for seed in range(seeds)
                }
                for by in (0.0, loss)
            )
            difference = paired_difference(ours, theirs, margin=1.0)
            assert difference is not None and difference.seeds == seeds
            assert difference.p is not None
            found.append(difference.p < 0.05)
        return float(np.mean(found))

    assert 0.005 < passes(1.0) < 0.085
    assert passes(0.0) > 0.97
    assert paired_difference({0: [1.0]}, {1: [1.0]}, margin=1.0) is None


def test_a_single_training_tells_nothing_of_others() -> None:
    log_p = {0: [-90.0, -80.0, -70.0]}
    difference = paired_difference({0: [-89.0, -80.0, -70.0], 1: [0.0] * 3}, log_p, margin=1.0)
    assert difference is not None and difference.seeds == 1
    assert difference.nats == pytest.approx(1 / 3) and difference.p is None


@pytest.mark.slow
def test_objective_ablation(bench: Bench) -> None:
    write_mnist(Path("data"), 120, 20)
    result = bench("objective-ablation", "--small", "--device", "cpu", "--out", "out.json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(Path("out.json").read_text())["results"]
    assert [row["variant"] for row in rows] == ["w_t = 1 throughout", "k-means start"]
    for row in rows:
        assert len(row["kl_y"]) == len(row["log_likelihood"]) == 2
        assert row["log_likelihood"][0] != row["log_likelihood"][1]
    assert re.search(r"k-means start +\d", result.stdout)


def test_concrete_gap(bench: Bench) -> None:
    write_mnist(Path("data"), 120, 20)
    rows = report(bench, "concrete-gap", "--cells", "trainings")["results"]
    names = ["exact", "exact in two parts", "sparse in the last fifth"]
    assert [row["variant"] for row in rows] == names
    assert report(bench, "concrete-gap", "--cells", "trainings")["results"] == rows  # goes on
    assert {path.stem for path in Path("trainings").iterdir()} == {
        f"{name.replace(' ', '-')}-seed0" for name in names
    }
    one, exact, sparse = (row["tests"][0]["log_likelihood"] for row in rows)
    assert one != exact  # the rate fell later
    assert [row["gap"] for row in rows] == [[0.0], [0.0], [sparse - exact]]


def test_straight_through_draws_are_one_hot_with_the_relaxed_gradient() -> None:
    logits = torch.randn(400, 5, generator=torch.Generator().manual_seed(0))
    values, gradients = [], []
    for family in (StraightThrough, ConcreteCategorical):
        given = logits.clone().requires_grad_()
        torch.manual_seed(1)
        y = family(torch.tensor(0.5), logits=given).rsample()
        (gradient,) = torch.autograd.grad((y * torch.arange(5.0)).sum(), given)
        values.append(y.detach())
        gradients.append(gradient)
    hard, soft = values
    assert torch.equal(hard.sum(-1), torch.ones(400)) and hard.unique().tolist() == [0.0, 1.0]
    assert torch.equal(hard.argmax(-1), soft.argmax(-1))
    torch.testing.assert_close(*gradients)


def test_another_method_goes_on_with_the_weights() -> None:
    gmvae = small_gmvae("concrete", temperature=0.3)
    sparse = in_method(gmvae, "sparse")
    assert sparse.method == "sparse"
    x = binary_data(6)
    assert torch.equal(sparse.responsibilities(x), gmvae.responsibilities(x))


def test_trainings_alone(bench: Bench) -> None:
    run(bench, "--methods", "concrete", "--clusters", 3, "--only", "trainings")
    assert [path.stem for path in FOLDER.glob("*.json")] == ["mnist-K3-concrete-seed0"]
