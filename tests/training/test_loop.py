"""Training: it learns, it does what its settings say, it disturbs nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pyro
import pyro.distributions as dist
import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import Schedule
from pyro_gmvae.models import METHODS
from pyro_gmvae.training import Reporter, fit
from tests.helpers.tiny import Spy, blobs, quick, same_weights, tiny, weights_of, without_seconds


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", METHODS)
def test_training_improves_the_elbo(method: str, dtype: torch.dtype) -> None:
    x, _ = blobs(dtype=dtype)
    gmvae, held_out = tiny(method).to(dtype), blobs(seed=1, dtype=dtype)[0]
    untrained = fit(gmvae, x, quick(epochs=1, learning_rate=1e-12), validation=held_out).history[0]
    config = quick(epochs=10, learning_rate=2e-2)
    trained = fit(gmvae, x, config, validation=held_out).history[-1]
    assert trained["elbo"] > untrained["elbo"] + 1.5
    assert trained["validation_elbo"] > untrained["validation_elbo"] + 1.5
    assert all(p.dtype == dtype for p in gmvae.parameters())
    assert not gmvae.training


@pytest.mark.parametrize("method", METHODS)
def test_a_record_is_complete_and_adds_up(method: str) -> None:
    x, _ = blobs(50)
    schedules = {
        "kl_annealing": Schedule("linear", start=0.2, duration=4),
        "z_kl_annealing": Schedule("linear", start=0.5, duration=4),
    }
    result = fit(tiny(method), x, quick(epochs=2, **schedules), validation=x)
    assert [(r["epoch"], r["step"]) for r in result.history] == [(1, 4), (2, 8)]
    assert result.n_steps == 8
    for record in result.history:
        assert set(record) == {
            *("epoch", "step", "loss", "elbo", "log_likelihood", "kl_z", "kl_y"),
            *("kl_weight", "z_kl_weight", "temperature", "learning_rate"),
            *("clusters_in_use", "validation_elbo", "seconds"),
        }
        parts = record["log_likelihood"] - record["kl_z"] - record["kl_y"]
        assert record["elbo"] == pytest.approx(parts)
        # The loss has its divergences at weights below 1.
        assert record["loss"] < -record["elbo"]
        assert record["seconds"] > 0
        assert 1 <= record["clusters_in_use"] <= 3


def test_the_loss_is_weighted_as_annealed() -> None:
    weights = {"kl_annealing": Schedule(end=0.25), "z_kl_annealing": Schedule(end=0.5)}
    record = fit(tiny(), blobs()[0], quick(epochs=1, **weights)).history[0]
    expected = record["log_likelihood"] - 0.5 * record["kl_z"] - 0.25 * record["kl_y"]
    assert record["loss"] == pytest.approx(-expected, rel=1e-5)


def test_figures_are_means_per_datum() -> None:
    # Batches of 16 and 4: a mean of batch means would weigh the last one four times and be off by
    # a factor of 2.5; the draws differ by a few per cent.
    x, _ = blobs(20)
    x[16:] += 100.0
    gmvae = tiny()
    order = torch.Generator().manual_seed(0)
    config = quick(epochs=1, learning_rate=1e-12)
    in_batches = fit(gmvae, x[torch.randperm(20, generator=order)], config).history[0]
    at_once = fit(gmvae, x, quick(epochs=1, learning_rate=1e-12, batch_size=20)).history[0]
    assert in_batches["log_likelihood"] == pytest.approx(at_once["log_likelihood"], rel=0.1)


@pytest.mark.parametrize("unit", ["steps", "epochs"])
def test_annealed_weights_follow_their_schedules_step_by_step(unit: str) -> None:
    duration = 6.0 if unit == "steps" else 1.5
    schedules = (
        Schedule("linear", start=0.01, duration=duration, unit=unit),
        Schedule("cosine", start=0.5, duration=duration, unit=unit),
        Schedule("linear", start=1.0, end=0.2, duration=duration, unit=unit),
    )
    names = ("kl_annealing", "z_kl_annealing", "temperature")
    gmvae = tiny("concrete")
    spy = Spy(gmvae)
    fit(gmvae, blobs()[0], quick(**dict(zip(names, schedules, strict=True))), reporters=[spy])
    assert spy.steps == list(range(1, 13))
    for step, annealed in enumerate(spy.annealed):
        assert annealed == pytest.approx([s.at(step, 4) for s in schedules])
    assert spy.annealed[0] == pytest.approx((0.01, 0.5, 1.0))
    assert spy.annealed[6] == pytest.approx((1.0, 1.0, 0.2))
    assert [r["kl_weight"] for r in spy.records] == [a[0] for a in spy.annealed[3::4]]


def test_without_a_schedule_the_temperature_is_the_models_own() -> None:
    gmvae = tiny("concrete", temperature=0.75)
    spy = Spy(gmvae)
    fit(gmvae, blobs()[0], quick(epochs=1), reporters=[spy])
    assert {a[2] for a in spy.annealed} == {0.75}


def test_annealing_leaves_nothing_behind() -> None:
    # Or a model in memory would differ from itself saved and loaded.
    gmvae = tiny("concrete", temperature=0.75)
    spy = Spy(gmvae)
    fit(gmvae, blobs()[0], quick(temperature=Schedule(end=0.1)), reporters=[spy])
    assert spy.annealed[-1][0] < 1 and spy.annealed[-1][2] == pytest.approx(0.1)
    w = gmvae.weights
    assert (float(w.kl_weight), float(w.z_kl_weight), float(w.temperature)) == (1.0, 1.0, 0.75)


class Gradients:
    """The gradient's norm and the learning rate at every optimizer step."""

    def __init__(self) -> None:
        self.norms: list[float] = []
        self.rates: list[float] = []

    def __call__(self, optimizer: Optimizer, *_: object) -> None:
        group = optimizer.param_groups[0]
        grads = [p.grad.flatten() for p in group["params"]]
        self.norms.append(float(torch.cat(grads).norm()))
        self.rates.append(group["lr"])


@pytest.fixture
def gradients() -> Iterator[Gradients]:
    seen = Gradients()
    handle = register_optimizer_step_pre_hook(seen)
    yield seen
    handle.remove()


def test_gradients_are_clipped(gradients: Gradients) -> None:
    fit(tiny(), blobs()[0], quick(clip_norm=0.1))
    assert len(gradients.norms) == 12
    assert max(gradients.norms) <= 0.1 * (1 + 1e-5)
    assert max(gradients.norms) > 0.099


def test_gradients_are_left_alone_without_a_clip_norm(gradients: Gradients) -> None:
    a, b = tiny(), tiny()
    fit(a, blobs()[0], quick(clip_norm=None))
    assert max(gradients.norms) > 1
    fit(b, blobs()[0], quick(clip_norm=1e9))
    assert same_weights(weights_of(a), weights_of(b))


def test_the_gradient_does_not_grow_with_the_batch(gradients: Gradients) -> None:
    x, _ = blobs()
    for batch in (x, x.repeat(10, 1)):
        fit(tiny(), batch, quick(epochs=1, batch_size=len(batch), clip_norm=None))
    assert gradients.norms[1] == pytest.approx(gradients.norms[0], rel=0.5)


def test_learning_rate_schedules(gradients: Gradients) -> None:
    fit(tiny(), blobs()[0], quick(epochs=10))
    assert set(gradients.rates) == {1e-2}
    gradients.rates.clear()
    config = quick(epochs=10, learning_rate_schedule="cosine")
    history = fit(tiny(), blobs()[0], config).history
    assert gradients.rates[0] == 1e-2
    assert gradients.rates[20] == pytest.approx(0.5e-2)
    assert 0 < gradients.rates[-1] < 1e-4
    assert gradients.rates == sorted(gradients.rates, reverse=True)
    assert [r["learning_rate"] for r in history] == gradients.rates[3::4]


@pytest.mark.parametrize(
    ("max_steps", "epochs", "stopped"),
    [(1, 1, "max_steps"), (6, 2, "max_steps"), (99, 3, "epochs")],
)
def test_max_steps(max_steps: int, epochs: int, stopped: str) -> None:
    gmvae = tiny()
    spy = Spy(gmvae)
    result = fit(gmvae, blobs()[0], quick(max_steps=max_steps), reporters=[spy])
    assert result.stopped == stopped
    assert result.n_steps == len(spy.steps) == min(max_steps, 12)
    assert len(result.history) == epochs
    assert result.history[-1]["step"] == result.n_steps


def test_one_seed_one_result() -> None:
    x, _ = blobs()
    results = []
    for seed in (0, 0, 1):
        gmvae = tiny("concrete")
        torch.rand(len(results))  # the global generators stand elsewhere each time
        history = fit(gmvae, x, quick(seed=seed), validation=x).history
        results.append((weights_of(gmvae), without_seconds(history)))
    assert same_weights(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
    assert not same_weights(results[0][0], results[2][0])


def test_without_a_seed_the_global_generators_decide() -> None:
    x, _ = blobs()
    results = []
    for seed in (5, 5, None):
        if seed is not None:
            torch.manual_seed(seed)
        gmvae = tiny()
        fit(gmvae, x, quick(seed=None))
        results.append(weights_of(gmvae))
    assert same_weights(results[0], results[1])
    assert not same_weights(results[1], results[2])


class Fails(Reporter):
    def step(self, step: int) -> None:
        raise RuntimeError("the disk is full")


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("validation", [False, True])
def test_global_state_is_as_it_was(fails: bool, validation: bool) -> None:
    pyro.enable_validation(not validation)
    before = (torch.get_rng_state(), pyro.settings.get(), dict(pyro.get_param_store().items()))
    x, _ = blobs()
    gmvae = tiny()
    spy = Spy(gmvae)
    arguments = {"reporters": [spy, Fails()] if fails else [spy], "validation": x}
    if fails:
        with pytest.raises(RuntimeError, match="the disk is full"):
            fit(gmvae, x, quick(), **arguments)
    else:
        fit(gmvae, x, quick(), **arguments)
    assert spy.closed == 1
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (pyro.settings.get(), dict(pyro.get_param_store().items()))
    # validation is off in training and again as it was
    if validation:
        dist.Normal(0.0, torch.tensor(-1.0))
    else:
        with pytest.raises(ValueError, match="scale"):
            dist.Normal(0.0, torch.tensor(-1.0))
    pyro.enable_validation(True)


class Layered(nn.Module):
    """An encoder that draws and that remembers what it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.mark.parametrize("method", ["exact", "concrete", "sparse"])
def test_looking_at_held_out_data_does_not_change_training(method: str) -> None:
    x, _ = blobs(64)
    results = []
    for validation in (None, blobs(20, seed=1)[0] + 5.0):
        gmvae = tiny(method, encoder=tiny_encoder())
        fit(gmvae, x, quick(keep_best=False, patience=None), validation=validation)
        results.append(weights_of(gmvae))
    assert same_weights(*results)


def tiny_encoder() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Layered()


def test_held_out_elbo_does_not_depend_on_what_is_annealed() -> None:
    x, _ = blobs()
    results = [
        fit(
            tiny(),
            x,
            quick(epochs=1, learning_rate=1e-12, kl_annealing=Schedule(end=weight)),
            validation=x,
        ).history[0]
        for weight in (0.1, 1.0)
    ]
    assert results[0]["validation_elbo"] == results[1]["validation_elbo"]
    assert results[0]["loss"] != results[1]["loss"]


def test_several_particles() -> None:
    x, _ = blobs()
    one, many = (
        fit(tiny("concrete"), x, quick(epochs=1, learning_rate=1e-12, num_particles=n)).history[0]
        for n in (1, 64)
    )
    assert many["elbo"] == pytest.approx(one["elbo"], rel=0.1)
    assert many["elbo"] == pytest.approx(
        many["log_likelihood"] - many["kl_z"] - many["kl_y"], rel=1e-5
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none() -> None:
    with pytest.raises(InputError, match="no CUDA device: use device cpu$"):
        fit(tiny(), blobs()[0], quick(device="cuda"))


def test_unknown_device() -> None:
    with pytest.raises(InputError, match="unknown device 'tpu': use cpu or cuda"):
        fit(tiny(), blobs()[0], quick(device="tpu"))


def test_resume_without_a_checkpoint_file_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="resume=True needs the checkpoint"):
        fit(tiny(), blobs()[0], quick(), resume=True)
