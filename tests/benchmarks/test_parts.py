"""The arithmetic of the benchmarks, on what is known."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.measuring.flops import work_of
from benchmarks.measuring.growth_curve import plot, slope
from benchmarks.measuring.resolved_config import resolved
from benchmarks.measuring.step_case import StepCase
from benchmarks.measuring.timing import Step, ratio, side_by_side, turns_of, typical
from benchmarks.paper.reference_elbo import exact_loss
from pyro_gmvae.data import TableEncoding
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import TrainConfig
from tests.helpers.small import D, binary_data, small_gmvae

CPU = torch.device("cpu")


def test_slope() -> None:
    assert slope({k: 3.0 * k**2 for k in (2, 10, 50)}) == pytest.approx(2)
    assert slope(dict.fromkeys((2, 10, 50), 0.7)) == pytest.approx(0)
    # By hand: logs of K are 0, 1, 2 and of the figures 0, 2, 1, in units of log 2.
    assert slope({1: 1.0, 2: 4.0, 4: 2.0}) == pytest.approx(0.5)
    assert slope({2: 1.0}) is None


def test_plot(tmp_path: Path) -> None:
    plot(
        {"time": {"exact": {2: 1.0, 4: 2.0}}, "memory": {"exact": {2: 1.0}}},
        tmp_path / "new" / "growth.png",
    )
    assert (tmp_path / "new" / "growth.png").stat().st_size > 0


def test_steps_take_turns() -> None:
    order: list[str] = []
    turns = {name: turns_of(Step(lambda name=name: order.append(name)), CPU) for name in "ab"}
    times = side_by_side(turns, rounds=2, n_steps=3, seconds=60.0)
    assert "".join(order) == "aaabbbaaabbb"
    assert [len(turn) for turn in times["a"]] == [3, 3]


def test_a_turn_ends_after_its_time() -> None:
    times = turns_of(Step(lambda: None), CPU)(10**6, 1e-4)
    assert 1 <= len(times) < 10**6


def test_ratios_pair_the_rounds() -> None:
    slow_spell = [[2.0, 2.0], [20.0, 20.0], [2.0, 2.0]]
    base = [[1.0, 1.0], [10.0, 10.0], [1.0, 1.0]]
    assert ratio(slow_spell, base) == 2
    assert ratio(slow_spell, None) is None
    assert typical(base) == 1


def test_work() -> None:
    batch, inputs, hidden, latent, clusters = 16, 784, 8, 3, 5
    cell = StepCase("marginal", clusters, (hidden,), batch, latent, inputs=inputs)
    work = work_of(cell)
    # Encoder, q(z|x) and decoder: a product forward, and backward one for the weights and, but at
    # the first layer, one for the inputs.
    sizes = [inputs * hidden, hidden * 2 * latent, latent * hidden, hidden * inputs]
    assert work.flops == 2 * batch * (3 * sum(sizes) - sizes[0])
    assert work.parameter_bytes == 4 * sum(p.numel() for p in cell.gmvae().parameters())
    twice = work_of(StepCase("marginal", clusters, (hidden,), 2 * batch, latent, inputs=inputs))
    assert 1.9 < twice.activation_bytes / work.activation_bytes < 2.1


def test_a_training_is_computed_as_the_library_decides() -> None:
    config, x = TrainConfig(epochs=2, batch_size=10, device="cpu"), binary_data(40)
    short = resolved(config, small_gmvae("exact"), x)
    assert (short.compile, short.record, short.precision) == (False, True, "float32")
    assert short.chunk_size is None  # so few clusters fit into memory
    long = resolved(replace(config, epochs=1250), small_gmvae("sparse"), x)
    assert long.compile == "try"
    limited = resolved(replace(config, epochs=1250, max_steps=4999), small_gmvae("sparse"), x)
    assert limited.compile is False
    told = resolved(config, small_gmvae("sparse"), x, compile="off", precision="bfloat16")
    assert (told.compile, told.record, told.precision) == (False, False, "bfloat16")
    assert resolved(config, small_gmvae("sparse"), x, compile="on").compile is True


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
def test_peak_memory() -> None:
    # In a process of its own, for it changes how malloc works.
    code = (
        "import torch; from benchmarks.measuring.memory import peak_bytes\n"
        "run = lambda: [torch.ones(2**18) for _ in range(32)] and None\n"
        "print(peak_bytes(run, torch.device('cpu')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if done.stdout.strip() != "None":
        assert int(done.stdout) == pytest.approx(32 * 2**20, rel=0.1)


@pytest.mark.parametrize("method", ["exact", "sparse"])  # whose own ELBO has that expectation
def test_the_golden_loss_is_that_of_the_discrete_model(method: str) -> None:
    gmvae, raw = small_gmvae(method).eval(), binary_data(4000)
    loss = exact_loss(gmvae, raw, TableEncoding((D,)))
    terms = TraceEnumMeanField_ELBO(max_plate_nesting=1).terms(gmvae.model, gmvae.guide, raw)
    assert loss == pytest.approx(terms.loss.item() / len(raw), rel=0.02)


def test_every_method_has_a_golden_loss() -> None:
    for method in METHODS:
        assert exact_loss(small_gmvae(method), binary_data(), TableEncoding((D,))) > 0
