"""A training that was stopped and resumed is, bit for bit, the one that was not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pyro_gmvae.data import ImageEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training import MetricsCSV, Reporter, TrainingInterrupted, TrainResult, fit
from pyro_gmvae.training.state import load_checkpoint
from tests.helpers.tiny import blobs, grey, quick, same_weights, tiny, weights_of, without_seconds

SETTINGS = {
    "epochs": 3,  # of 4 steps
    "learning_rate_schedule": "cosine",
    "kl_annealing": KLAnnealing(duration=6, unit="steps"),
    "temperature": Schedule("linear", start=1.0, end=0.3, duration=10, unit="steps"),
}


class Stop(Reporter):
    """Sends this process a signal after a step, and notes what else is reported."""

    def __init__(self, after: int, number: int = signal.SIGINT) -> None:
        self.after = after
        self.number = number
        self.seen: list[int] = []

    def step(self, step: int) -> None:
        self.seen.append(step)
        if step == self.after:
            os.kill(os.getpid(), self.number)


def train(
    checkpoint: Path, gmvae: GMVAE, resume: bool = False, reporters: Any = (), **settings: Any
) -> TrainResult:
    """Everything at once that draws or moves: binarisation, annealing, cosine, held-out data."""
    return fit(
        gmvae,
        grey(50),
        quick(**(SETTINGS | settings)),
        validation=grey(20),
        transform=ImageEncoding((4,), "dynamic"),
        checkpoint=checkpoint,
        resume=resume,
        reporters=reporters,
    )


def model(seed: int = 0, method: str = "concrete") -> GMVAE:
    return tiny(method, seed=seed, likelihood="bernoulli")


def assert_same_checkpoints(a: Path, b: Path) -> None:
    """Weights, moments, meters, generators, best weights, history, positions."""
    (ours, our_values), (theirs, their_values) = load_checkpoint(a), load_checkpoint(b)
    assert any(name.startswith("optimizer/") for name in ours)
    assert any(name.startswith("best/") for name in ours)
    assert same_weights(ours, theirs)
    for values in (our_values, their_values):
        values["history"] = without_seconds(values["history"])
    assert our_values == their_values


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, GMVAE, TrainResult]:
    path = tmp_path_factory.mktemp("unbroken") / "state.safetensors"
    gmvae = model()
    return path, gmvae, train(path, gmvae)


def assert_as_unbroken(
    unbroken: tuple[Path, GMVAE, TrainResult], path: Path, gmvae: GMVAE, result: TrainResult
) -> None:
    assert same_weights(weights_of(gmvae), weights_of(unbroken[1]))
    assert without_seconds(result.history) == without_seconds(unbroken[2].history)
    assert (result.n_steps, result.stopped) == (unbroken[2].n_steps, unbroken[2].stopped)
    assert result.best_epoch == unbroken[2].best_epoch is not None
    assert_same_checkpoints(path, unbroken[0])


# Within the first epoch, at its last step, at the second's first, with annealing over, at the end.
@pytest.mark.parametrize("after", [2, 4, 5, 11])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(
    unbroken: tuple[Path, GMVAE, TrainResult], tmp_path: Path, after: int, number: int
) -> None:
    path = tmp_path / "checkpoint" / "state.safetensors"
    stop = Stop(after, number)
    with pytest.raises(TrainingInterrupted, match="interrupted") as caught:
        train(path, model(), reporters=[stop])
    assert caught.value.checkpoint == path
    assert stop.seen == list(range(1, after + 1))
    assert load_checkpoint(path)[1]["step"] == after

    torch.rand(3)  # nothing of the resumed run comes from here
    resumed, rest = model(seed=9), Stop(0)
    result = train(path, resumed, resume=True, reporters=[rest])
    assert rest.seen == list(range(after + 1, 13))
    assert_as_unbroken(unbroken, path, resumed, result)


def test_stopped_twice(unbroken: tuple[Path, GMVAE, TrainResult], tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    for after, resume in ((3, False), (9, True)):
        with pytest.raises(TrainingInterrupted):
            train(path, model(), resume=resume, reporters=[Stop(after)])
    resumed = model(seed=9)
    assert_as_unbroken(unbroken, path, resumed, train(path, resumed, resume=True))


def test_a_signal_after_the_last_step_comes_too_late(
    unbroken: tuple[Path, GMVAE, TrainResult], tmp_path: Path
) -> None:
    path = tmp_path / "state.safetensors"
    gmvae = model()
    assert_as_unbroken(unbroken, path, gmvae, train(path, gmvae, reporters=[Stop(12)]))


@pytest.mark.parametrize("method", ["exact", "sparse", "marginal"])
def test_the_other_methods(method: str, tmp_path: Path) -> None:
    unbroken, path = tmp_path / "unbroken.safetensors", tmp_path / "state.safetensors"
    ours, theirs = model(method=method), model(seed=9, method=method)
    train(unbroken, ours)
    with pytest.raises(TrainingInterrupted):
        train(path, model(method=method), reporters=[Stop(6)])
    train(path, theirs, resume=True)
    assert_same_checkpoints(path, unbroken)
    assert same_weights(weights_of(ours), weights_of(theirs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stopped_at_the_end_of_an_epoch(dtype: torch.dtype, tmp_path: Path) -> None:
    # Longer training than was planned; the learning rate is constant, so that it has no plan.
    x = blobs(dtype=dtype)[0]
    longer = {"kl_annealing": KLAnnealing(duration=2)}
    ours, theirs = tiny().to(dtype), tiny(seed=9).to(dtype)
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    unbroken = fit(ours, x, quick(epochs=5, **longer), checkpoint=first)
    fit(tiny().to(dtype), x, quick(epochs=2, **longer), checkpoint=second)
    resumed = fit(theirs, x, quick(epochs=5, **longer), checkpoint=second, resume=True)
    assert same_weights(weights_of(ours), weights_of(theirs))
    assert without_seconds(resumed.history) == without_seconds(unbroken.history)
    assert same_weights(load_checkpoint(first)[0], load_checkpoint(second)[0])


def test_a_checkpoint_taken_on_the_way(
    unbroken: tuple[Path, GMVAE, TrainResult], tmp_path: Path
) -> None:
    # As after a power cut: the process is gone, the last checkpoint is a step old.
    path = tmp_path / "state.safetensors"

    class PowerCut(Reporter):
        def step(self, step: int) -> None:
            if step == 7:
                raise SystemExit

    with pytest.raises(SystemExit):
        train(path, model(), reporters=[PowerCut()], checkpoint_seconds=0.0)
    assert load_checkpoint(path)[1]["step"] == 6
    resumed = model(seed=9)
    result = train(path, resumed, resume=True)
    assert same_weights(weights_of(resumed), weights_of(unbroken[1]))
    assert without_seconds(result.history) == without_seconds(unbroken[2].history)


def test_a_longer_cosine_goes_on_falling(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    train(path, model())
    history = train(path, model(), resume=True, epochs=6).history
    rates = [record["learning_rate"] for record in history[3:]]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.05 * 1e-2


def test_resuming_what_is_done_changes_nothing(
    unbroken: tuple[Path, GMVAE, TrainResult], tmp_path: Path
) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(unbroken[0].read_bytes())
    gmvae = model(seed=9)
    assert_as_unbroken(unbroken, path, gmvae, train(path, gmvae, resume=True))


def test_metrics_csv_after_resuming(tmp_path: Path) -> None:
    path, table = tmp_path / "state.safetensors", tmp_path / "metrics.csv"
    with pytest.raises(TrainingInterrupted):
        train(path, model(), reporters=[MetricsCSV(table), Stop(6)])
    assert pd.read_csv(table)["epoch"].tolist() == [1]
    # A row that no checkpoint knows of, as after a crash.
    table.write_text(table.read_text() + table.read_text().splitlines()[-1] + "\n")
    result = train(path, model(), resume=True, reporters=[MetricsCSV(table)])
    rows = pd.read_csv(table)
    assert rows["epoch"].tolist() == [1, 2, 3]
    assert rows.to_dict("records") == [pytest.approx(record) for record in result.history]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"batch_size": 10}, "batch_size=16"),
        ({"learning_rate": 0.5}, r"learning_rate=0\.01"),
        ({"seed": 3, "clip_norm": None}, r"clip_norm=100\.0, seed=0"),
        ({"kl_annealing": KLAnnealing(duration=7)}, "kl_annealing="),
        ({"temperature": None}, "temperature="),
    ],
)
def test_other_settings_are_refused(
    unbroken: tuple[Path, GMVAE, TrainResult], settings: dict[str, Any], named: str
) -> None:
    gmvae = model(seed=9)
    before = weights_of(gmvae)
    with pytest.raises(InputError, match=f"{named}.*same settings"):
        train(unbroken[0], gmvae, resume=True, **settings)
    assert same_weights(before, weights_of(gmvae))


def test_another_model_is_refused(unbroken: tuple[Path, GMVAE, TrainResult]) -> None:
    other = tiny("concrete", hidden=(9,), likelihood="bernoulli")
    with pytest.raises(InputError, match="of another model"):
        train(unbroken[0], other, resume=True)


def test_no_checkpoint_to_resume_from(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint" / "state.safetensors"
    with pytest.raises(InputError, match="no checkpoint.*train without --resume"):
        train(path, model(), resume=True)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def handlers_kept() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    yield
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


def test_signal_handlers_are_put_back(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    with handlers_kept(), pytest.raises(TrainingInterrupted):
        train(path, model(), reporters=[Stop(1)])
    with handlers_kept():
        train(path, model(), resume=True, epochs=1)


def test_without_a_checkpoint_a_signal_is_not_caught() -> None:
    gmvae = model()
    # A suite that a shell runs in the background has inherited a handler that ignores it.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            fit(gmvae, (grey() > 100).float(), quick(), reporters=[Stop(2)])
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert not isinstance(caught.value, TrainingInterrupted)


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    class Impatient(Reporter):
        def step(self, step: int) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with handlers_kept(), pytest.raises(KeyboardInterrupt) as caught:
        train(tmp_path / "state.safetensors", model(), reporters=[Impatient()])
    assert not isinstance(caught.value, TrainingInterrupted)
    assert list(tmp_path.iterdir()) == []


def test_rows_drawn_by_their_weights(tmp_path: Path) -> None:
    weights = torch.rand(50, generator=torch.Generator().manual_seed(0))

    def run(name: str, **options: Any) -> GMVAE:
        gmvae = model()
        settings = quick(**SETTINGS)
        more = {"weights": weights, "validation": grey(20), "validation_weights": weights[:20]}
        encoding = ImageEncoding((4,), "dynamic")
        checkpoint = tmp_path / name
        fit(gmvae, grey(50), settings, transform=encoding, checkpoint=checkpoint, **more, **options)
        return gmvae

    whole = run("whole")
    with pytest.raises(TrainingInterrupted):
        run("broken", reporters=[Stop(6)])
    assert same_weights(run("broken", resume=True).state_dict(), whole.state_dict())
    assert_same_checkpoints(tmp_path / "whole", tmp_path / "broken")
