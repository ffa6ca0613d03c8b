"""On a GPU: no value is read back in the steady state, and a compiled step is the same step."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.models import METHODS
from pyro_gmvae.training import Reporter, fit
from tests.training.tiny import blobs, quick, tiny

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


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_the_steady_state_never_waits_for_the_device(method: str, compiled: bool) -> None:
    x, _ = blobs(16 * 40)
    spy = NoSync(5, 35)  # within the first epoch, and before the flags are read at step 50
    fit(tiny(method), x, quick(epochs=1, device="cuda", compile=compiled), reporters=[spy])
    assert spy.steps == 40


@pytest.mark.parametrize("method", METHODS)
def test_a_compiled_training_is_the_same_training(method: str) -> None:
    x, _ = blobs(64)
    elbos = []
    for compiled in (False, True):
        settings = quick(device="cuda", compile=compiled, precision="float32")
        elbos.append([r["elbo"] for r in fit(tiny(method), x, settings).history])
    assert elbos[1] == pytest.approx(elbos[0], rel=1e-3)
