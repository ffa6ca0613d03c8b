"""A loss that is not finite: noticed, named, and the good weights kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pyro_gmvae.inference import ELBOTerms
from pyro_gmvae.training import NonFiniteLossError, TrainingInterrupted, fit
from pyro_gmvae.training.watch import FiniteWatch
from tests.helpers.tiny import Spy, blobs, quick, same_weights, tiny, weights_of


class Breaks(nn.Module):
    """A decoder whose output, or only its gradient, is not finite from its n-th step on."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 4)
        self.at = at
        self.what = what
        self.calls = 0

    def forward(self, z: Tensor) -> Tensor:
        self.calls += self.training
        if self.calls <= self.at:
            return self.layer(z)
        if self.what == "gradient":
            return self.layer(z) + (0 * z.sum(-1, keepdim=True)).sqrt()
        return self.layer(z) + float(self.what)


def breaking(at: int, what: str, method: str = "exact"):  # noqa: ANN201
    return tiny(method, decoder=Breaks(at, what))


@pytest.mark.parametrize("method", ["exact", "concrete", "sparse", "marginal"])
@pytest.mark.parametrize(
    ("what", "site", "hint"),
    [
        ("nan", "x", "check the scale of the data, or lower the learning rate"),
        ("inf", "x", "check the scale of the data, or lower the learning rate"),
        ("gradient", "gradient", "lower the learning rate or clip_norm"),
    ],
)
def test_names_the_step_and_the_site(method: str, what: str, site: str, hint: str) -> None:
    gmvae = breaking(5, what, method)
    spy = Spy(gmvae)
    with pytest.raises(NonFiniteLossError, match=f"step 5: .*{site}.*{hint}.*weights") as caught:
        fit(gmvae, blobs()[0], quick(), reporters=[spy])
    assert (caught.value.step, caught.value.site) == (5, site)
    assert spy.steps == [1, 2, 3, 4, 5] and spy.closed == 1
    assert same_weights(weights_of(gmvae), spy.weights)
    assert all(tensor.isfinite().all() for tensor in gmvae.state_dict().values())


@pytest.mark.parametrize("method", ["exact", "concrete", "sparse", "marginal"])
def test_a_row_out_of_scale(method: str) -> None:
    x, _ = blobs()
    x[17] = 1e30
    gmvae = tiny(method)
    with pytest.raises(NonFiniteLossError, match="check the scale of the data") as caught:
        fit(gmvae, x, quick())
    assert caught.value.step < 4
    assert all(tensor.isfinite().all() for tensor in gmvae.state_dict().values())


def test_a_checkpoint_from_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    x, _ = blobs()
    with pytest.raises(NonFiniteLossError):
        fit(breaking(5, "nan"), x, quick(checkpoint_seconds=0.0), checkpoint=path)
    again = breaking(99, "nan")
    result = fit(again, x, quick(), checkpoint=path, resume=True)
    assert result.n_steps == 12
    assert all(tensor.isfinite().all() for tensor in again.state_dict().values())


# On CUDA, flags are read only now and then. Nothing but the device's name is looked at.


def terms(x: float = 1.0, z: float = 1.0) -> ELBOTerms:
    sites = {"z": torch.tensor(z), "x": torch.tensor(x)}
    return ELBOTerms(-(sites["z"] + sites["x"]), sites)


GOOD, NORM = terms(), torch.tensor(1.0)
BAD_X, BAD = terms(x=float("nan")), terms(x=float("inf"), z=float("nan"))


class Steps:
    """Plays a training: check, then change the weight to the step's number."""

    def __init__(self, every: int = 3, device: str = "cuda") -> None:
        self.module = nn.Linear(1, 1, bias=False)
        self.watch = FiniteWatch(self.module, torch.device(device), every=every)

    def play(self, *steps: ELBOTerms, first: int = 0, norm: Tensor = NORM) -> None:
        for step, seen in enumerate(steps, first):
            self.watch.see(seen, norm)
            self.watch.check(step)
            with torch.no_grad():
                self.module.weight.fill_(float("nan") if seen is not GOOD else step)

    @property
    def weight(self) -> float:
        return self.module.weight.item()


def test_the_last_good_reading_is_restored_and_the_first_culprit_named() -> None:
    steps = Steps()
    steps.play(*[GOOD] * 3)  # read at step 2, before its update
    with pytest.raises(NonFiniteLossError) as caught:
        steps.play(BAD_X, BAD, BAD, first=3)
    assert (caught.value.step, caught.value.site) == (5, "x")
    assert steps.weight == 1.0


def test_nothing_is_read_in_between() -> None:
    steps = Steps()
    steps.play(BAD_X, GOOD)
    with pytest.raises(NonFiniteLossError) as caught:
        steps.play(GOOD, first=2)
    assert caught.value.site == "x"


def test_a_gradient_alone() -> None:
    with pytest.raises(NonFiniteLossError) as caught:
        Steps().play(*[GOOD] * 3, norm=torch.tensor(float("inf")))
    assert caught.value.site == "gradient"


def test_read_asks_at_once() -> None:
    # As at the end of an epoch or before a checkpoint, which must not keep spoilt weights.
    steps = Steps(every=50)
    steps.play(GOOD, GOOD)
    steps.watch.read()
    steps.play(GOOD, BAD_X, first=2)
    with pytest.raises(NonFiniteLossError) as caught:
        steps.watch.read()
    assert (caught.value.step, caught.value.site) == (3, "x")
    assert steps.weight == 1.0
    steps.watch.read()  # nothing new


def test_on_cpu_every_step_is_read() -> None:
    steps = Steps(every=50, device="cpu")
    steps.play(*[GOOD] * 4)
    with pytest.raises(NonFiniteLossError) as caught:
        steps.play(BAD, first=4)
    assert (caught.value.step, caught.value.site) == (4, "z")
    assert steps.weight == 3.0


@pytest.mark.parametrize("ends", ["epoch", "signal"])
def test_as_on_cuda_nothing_spoilt_is_recorded_or_saved(
    ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.training.test_resume import Stop

    def rarely(module: nn.Module, device: torch.device) -> FiniteWatch:
        return FiniteWatch(module, torch.device("cuda"), every=50)

    monkeypatch.setattr("pyro_gmvae.training.epochs.FiniteWatch", rarely)
    path = tmp_path / "state.safetensors"
    gmvae = breaking(1, "nan")
    spy = Spy(gmvae)
    first = weights_of(gmvae)
    reporters = [spy, Stop(3)] if ends == "signal" else [spy]
    with pytest.raises((NonFiniteLossError, TrainingInterrupted)) as caught:
        fit(gmvae, blobs()[0], quick(), reporters=reporters, checkpoint=path)
    assert isinstance(caught.value, NonFiniteLossError) and caught.value.site == "x"
    assert len(spy.steps) == (3 if ends == "signal" else 4)
    assert spy.records == [] and not path.exists()
    assert same_weights(weights_of(gmvae), first)
