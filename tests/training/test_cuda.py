"""On a GPU: no value is read back in the steady state, and a compiled step is the same step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pyro_gmvae.fitting.starts.information import information_loss, maximize_information
from pyro_gmvae.inference import CaptureError, Recording, own_stream
from pyro_gmvae.models import METHODS, Regularizer
from pyro_gmvae.training import Reporter, fit
from tests.helpers.tiny import blobs, quick, tiny

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("unchecked_shapes")]


class NoSync(Reporter):
    """Lets the CUDA runtime refuse every synchronisation between two steps."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.steps = 0

    def step(self, step: int) -> None:
        self.steps = step
        if step == self.first:
            torch.cuda.set_sync_debug_mode("error")
        if step == self.last:
            torch.cuda.set_sync_debug_mode("default")

    def close(self) -> None:
        torch.cuda.set_sync_debug_mode("default")


PLAIN, RECORDED, COMPILED = {"record": False}, {"record": True}, {"compile": True}


@pytest.mark.parametrize("how", [PLAIN, RECORDED, COMPILED], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_the_steady_state_never_waits_for_the_device(method: str, how: dict[str, bool]) -> None:
    x, _ = blobs(16 * 40)
    spy = NoSync(5, 35)  # within the first epoch, and before the flags are read at step 50
    fit(tiny(method), x, quick(epochs=1, device="cuda", **how), reporters=[spy])
    assert spy.steps == 40


@pytest.mark.parametrize(
    ("method", "how"),
    [
        *((method, RECORDED) for method in METHODS),
        # Before torch 2.14 Inductor may change the order of draws, where there is more than one.
        ("exact", COMPILED),
        ("marginal", COMPILED),
    ],
)
def test_a_recorded_or_compiled_training_is_the_same_training(
    method: str, how: dict[str, bool]
) -> None:
    x, _ = blobs(64)
    elbos = []
    for asked in (PLAIN, how):
        settings = quick(device="cuda", **asked)
        elbos.append([r["elbo"] for r in fit(tiny(method), x, settings).history])
    assert elbos[1] == pytest.approx(elbos[0], rel=1e-3)


class ReadsBack(nn.Module):
    """A decoder that asks the device for a value, which cannot be recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 4)

    def forward(self, z: Tensor) -> Tensor:
        return self.layer(z) if z.abs().max().item() < 1e6 else self.layer(z / 2)


def test_what_cannot_be_recorded_trains_as_it_is_and_says_why() -> None:
    x, _ = blobs(16 * 10)
    elbos = []
    for recorded in (True, False):
        gmvae = tiny("concrete", decoder=ReadsBack())
        settings = quick(device="cuda", record=recorded)
        if recorded:
            with pytest.warns(RuntimeWarning, match="cannot be recorded") as seen:
                history = fit(gmvae, x, settings).history
            assert len([w for w in seen if "recorded" in str(w.message)]) == 1
        else:
            history = fit(gmvae, x, settings).history
        elbos.append([r["elbo"] for r in history])
    assert elbos[0] == pytest.approx(elbos[1], rel=1e-4)
    with pytest.raises(CaptureError):
        fit(tiny("concrete", decoder=ReadsBack()), x, quick(device="cuda", compile=True))


def test_a_recording_draws_what_the_function_draws() -> None:
    device = torch.device("cuda")
    found = []
    for recorded in (True, False):
        torch.manual_seed(3)
        drawn = torch.zeros(4, device=device)
        total: list[Tensor] = []

        def draw(shift: Tensor, drawn: Tensor = drawn) -> None:
            drawn.copy_(torch.randn(4, device=device) + shift)

        with own_stream(device, wanted=recorded):
            run = Recording(draw, device) if recorded else draw
            for i in range(8):
                run(torch.full((), float(i), device=device))
                total.append(drawn.clone())
        found.append(torch.stack(total))
    assert torch.equal(found[0], found[1])
    assert len(found[0].unique()) == found[0].numel()


@pytest.mark.parametrize("method", METHODS)
def test_a_recorded_start_is_the_same_start(method: str) -> None:
    x, _ = blobs(64)
    losses = []
    for recorded in (False, True):
        gmvae = tiny(method)
        gmvae.regularize(Regularizer(lambda x: x + 0.1 * torch.randn_like(x)))
        settings = quick(device="cuda", record=recorded)
        maximize_information(gmvae, x, settings, epochs=1)
        losses.append(information_loss(gmvae, x))
    assert losses[1] == pytest.approx(losses[0], rel=1e-2, abs=1e-2)
