"""A recorded step changes what a step is made by, not what it does; here without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pyro_gmvae.inference import CaptureError
from pyro_gmvae.training import TrainResult, fit
from tests.helpers.tiny import blobs, quick, tiny, without_seconds

pytestmark = pytest.mark.usefixtures("unchecked_shapes")


class Replays:
    """Stands for a `Recording`: calls the function on copies of its inputs, at fixed places."""

    made: list[Replays] = []
    fails_at: int | None = None

    def __init__(self, function: Callable[..., None], device: torch.device) -> None:
        self.function = function
        self.calls = 0
        self.places: list[Tensor | None] = []
        self.made.append(self)

    def __call__(self, *inputs: Tensor | None) -> None:
        if self.calls == self.fails_at:
            raise CaptureError("a step cannot be recorded as a CUDA graph: it reads a value back")
        self.calls += 1
        if not self.places:
            self.places = [None if value is None else value.clone() for value in inputs]
        for place, value in zip(self.places, inputs, strict=True):
            if place is not None and value is not None:
                place.copy_(value)
        self.function(*self.places)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> type[Replays]:
    """Trainings on a CPU believe themselves to be on a GPU."""
    monkeypatch.setattr("pyro_gmvae.training.epochs.records_steps", lambda *_: True)
    monkeypatch.setattr("pyro_gmvae.training.step.Recording", Replays)
    monkeypatch.setattr(Replays, "made", [])
    return Replays


def train(y: Tensor | None = None, **settings: Any) -> TrainResult:
    x, _ = blobs(56)  # three whole batches of 16, and one of 8
    config = quick(learning_rate_schedule="cosine", **settings)
    return fit(tiny("concrete"), x, config, labels=y, validation=x[:10])


def test_the_training_is_the_same(recorded: type[Replays], monkeypatch: pytest.MonkeyPatch) -> None:
    _, labels = blobs(56)
    for y in (None, torch.where(torch.arange(56) % 4 == 0, labels, -1)):
        found = without_seconds(train(y).history)
        assert recorded.made[-1].calls == 3 * 3  # whole batches, in three epochs
        with monkeypatch.context() as patch:
            patch.setattr("pyro_gmvae.training.epochs.records_steps", lambda *_: False)
            plain = without_seconds(train(y).history)
        for ours, theirs in zip(found, plain, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-5)


def test_what_cannot_be_recorded_goes_on_as_it_is(
    recorded: type[Replays], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = without_seconds(train().history)
    monkeypatch.setattr(recorded, "fails_at", 2)
    with pytest.warns(RuntimeWarning, match="reads a value back") as seen:
        found = without_seconds(train().history)
    assert len([w for w in seen if "reads a value back" in str(w.message)]) == 1
    for ours, theirs in zip(found, whole, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)


def test_asked_for_by_name_it_is_an_error(
    recorded: type[Replays], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "fails_at", 0)
    monkeypatch.setattr(
        "pyro_gmvae.training.step.CapturedELBO.backward",
        lambda self, *args, scale: self.elbo.terms(self.model, self.guide, *args),
    )
    x, _ = blobs(56)
    with pytest.raises(CaptureError, match="reads a value back"):
        fit(tiny("concrete"), x, quick(compile=True))
