"""Early stopping, and the weights that are kept."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pyro_gmvae.inference import KLAnnealing, Schedule
from pyro_gmvae.training import fit
from pyro_gmvae.training.stopping import EarlyStopping
from tests.helpers.tiny import blobs, quick, same_weights, tiny, weights_of

STANDSTILL = {"learning_rate": 1e-12, "kl_annealing": KLAnnealing(duration=4)}


def test_patience_counts_from_the_end_of_annealing() -> None:
    # Nothing ever improves: the best is the first that counts, and patience goes by after it.
    x, _ = blobs()
    result = fit(tiny(), x, quick(epochs=50, patience=3, **STANDSTILL), validation=x)
    assert result.stopped == "patience"
    assert result.best_epoch == 4
    assert len(result.history) == 7


def test_never_stops_without_patience_or_validation() -> None:
    x, _ = blobs(16)
    assert fit(tiny(), x, quick(epochs=9, patience=None, **STANDSTILL), validation=x).n_steps == 9
    result = fit(tiny(), x, quick(epochs=9, patience=1, **STANDSTILL))
    assert (result.stopped, result.best_epoch, result.n_steps) == ("epochs", None, 9)


def test_nothing_counts_before_annealing_has_ended() -> None:
    x, _ = blobs()
    result = fit(tiny(), x, quick(epochs=3, patience=1, **STANDSTILL), validation=x)
    assert (result.stopped, result.best_epoch) == ("epochs", None)


def noisy_training(**settings: object) -> tuple[dict, dict, list[float], float | None, float]:
    """A training whose held-out ELBO goes up and down; the weights it ends with, and figures."""
    x, held_out = blobs(24)[0], blobs(30, seed=1)[0]
    gmvae = tiny()
    config = quick(epochs=8, learning_rate=0.1, kl_annealing=Schedule(), patience=None, **settings)
    result = fit(gmvae, x, config, validation=held_out)
    ended = weights_of(gmvae)
    again = fit(
        gmvae,
        x,
        quick(epochs=1, learning_rate=1e-15, keep_best=False, kl_annealing=Schedule()),
        validation=held_out,
    )
    assert same_weights(ended, weights_of(gmvae))
    elbos = [r["validation_elbo"] for r in result.history]
    return ended, weights_of(gmvae), elbos, result.best_epoch, again.history[0]["validation_elbo"]


def test_keep_best_restores_the_weights_of_the_best_epoch() -> None:
    _, _, elbos, best_epoch, elbo = noisy_training()
    assert elbos[-1] < max(elbos), "the last epoch must not be the best for this test to say much"
    assert elbo == max(elbos)
    assert best_epoch == elbos.index(max(elbos)) + 1


def test_without_keep_best_the_last_weights_stay() -> None:
    _, _, elbos, best_epoch, elbo = noisy_training(keep_best=False)
    assert elbo == elbos[-1]
    assert best_epoch is None


def test_counting() -> None:
    module = nn.Linear(1, 1)
    stopping = EarlyStopping(patience=2, keep_best=True)
    for epoch, elbo in enumerate([-5.0, -6.0, -4.0, -4.0], 1):
        stopping.update(epoch, elbo, module)
        assert not stopping.should_stop
    with torch.no_grad():
        module.weight.add_(1.0)
    stopping.update(5, float("nan"), module)  # not an improvement either
    assert stopping.should_stop
    assert (stopping.best_elbo, stopping.best_epoch) == (-4.0, 3)
    moved = module.weight.clone()
    stopping.restore(module)
    assert torch.equal(module.weight, moved - 1.0)


@pytest.mark.parametrize("keep_best", [False, True])
def test_state_round_trip(keep_best: bool) -> None:
    module = nn.Linear(1, 1)
    ours, theirs = (EarlyStopping(2, keep_best) for _ in range(2))
    ours.update(1, -5.0, module)
    ours.update(2, -6.0, module)
    theirs.load(ours.state(), ours.weights or {})
    assert theirs.state() == ours.state()
    assert (theirs.weights is None) is (not keep_best)
