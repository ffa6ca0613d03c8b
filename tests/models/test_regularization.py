"""The regulariser: what it is worth, whom it reaches, and that the ELBO is apart from it."""

from __future__ import annotations

import copy
from math import log
from typing import Any

import pyro
import pytest
import torch
from torch import Tensor

from pyro_gmvae.inference import CapturedELBO, TraceEnumMeanField_ELBO
from pyro_gmvae.models import (
    METHODS,
    PENALTIES,
    AdversarialPerturbation,
    ConcreteGMVAE,
    Regularizer,
)
from pyro_gmvae.training import TrainConfig, fit

N, D, K = 12, 6, 3


def flipped(x: Tensor) -> Tensor:
    return x.flip(-1)


def pair(method: str) -> tuple[torch.nn.Module, Tensor]:
    torch.manual_seed(0)
    gmvae = METHODS[method](D, K, 2, hidden=(8,))
    return gmvae, torch.bernoulli(torch.full((N, D), 0.4))


def test_penalties_in_closed_form() -> None:
    regularizer = Regularizer(flipped)
    r = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]).double().clamp(min=1e-300)
    moved = torch.tensor([[0.25, 0.25, 0.5], [0.5, 0.25, 0.25]]).double()
    prior = torch.tensor([0.5, 0.3, 0.2]).double()
    x = torch.zeros(2, 1)
    found = regularizer.penalties(lambda _: moved.log(), x, r.log(), prior.log())
    first = 0.5 * log(2) + 0.25 * log(1) + 0.25 * log(0.5)
    torch.testing.assert_close(found["consistency"], torch.tensor([first, log(2)]).double())
    mean = torch.tensor([0.75, 0.125, 0.125]).double()
    balance = (mean * (mean / prior).log()).sum()
    torch.testing.assert_close(found["balance"], balance.expand(2))
    torch.testing.assert_close(found["confidence"], torch.tensor([1.5 * log(2), 0.0]).double())


@pytest.mark.parametrize("method", METHODS)
def test_loss_is_minus_the_elbo_and_the_weighted_penalties(method: str) -> None:
    gmvae, x = pair(method)
    gmvae.train()
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    gmvae.regularize(Regularizer(flipped, consistency=3.0, balance=5.0, confidence=2.0))
    gmvae.weights.set(regularizer_weight=0.25)
    terms = elbo.terms(gmvae.model, gmvae.guide, x)
    parts = sum(value for name, value in terms.sites.items() if name not in PENALTIES)
    penalties = sum(terms.sites[name] for name in PENALTIES)
    assert all(terms.sites[name] < 0 for name in PENALTIES)
    torch.testing.assert_close(terms.loss.detach(), -(parts + 0.25 * penalties))


@pytest.mark.parametrize("method", METHODS)
def test_reaches_the_responsibilities_that_the_method_uses(method: str) -> None:
    """A step against the penalties alone lowers them."""
    gmvae, x = pair(method)
    gmvae.train()
    # With a heavy consistency uniform responsibilities are a plateau, and take long to leave.
    gmvae.regularize(Regularizer(flipped, consistency=5.0))
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)

    def penalty() -> float:
        torch.manual_seed(1)
        sites = elbo.terms(gmvae.model, gmvae.guide, x).sites
        return -sum(sites[name].item() for name in PENALTIES)

    before = penalty()
    gmvae.weights.set(regularizer_weight=1e4)  # beside which the ELBO is nothing
    optimizer = torch.optim.Adam(gmvae.parameters(), 3e-2)
    for _ in range(100):
        optimizer.zero_grad()
        elbo.differentiable_loss(gmvae.model, gmvae.guide, x).backward()
        optimizer.step()
    assert penalty() < 0.6 * before


def test_evaluation_knows_nothing_of_it() -> None:
    gmvae, x = pair("exact")
    plain = copy.deepcopy(gmvae).eval()
    gmvae.regularize(Regularizer(flipped))
    gmvae.eval()
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    losses = []
    for each in (plain, gmvae):
        torch.manual_seed(0)
        losses.append(elbo.terms(each.model, each.guide, x).loss.item())
    assert losses[0] == losses[1]
    assert plain.state_dict().keys() == gmvae.state_dict().keys()


@pytest.mark.parametrize("method", ["exact", "sparse"])
def test_does_not_depend_on_chunks_or_particles(method: str) -> None:
    gmvae, x = pair(method)
    gmvae.train()
    gmvae.regularize(Regularizer(flipped))
    base = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    particles = TraceEnumMeanField_ELBO(
        max_plate_nesting=1, num_particles=3, vectorize_particles=True
    )
    others = [particles]
    if method == "exact":
        others.append(TraceEnumMeanField_ELBO(max_plate_nesting=1, chunk_size=1))
    expected = base.terms(gmvae.model, gmvae.guide, x).sites
    for other in others:
        found = other.terms(gmvae.model, gmvae.guide, x).sites
        for name in PENALTIES:
            torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize(
    ("method", "transformation"),
    [
        ("concrete", lambda x: x + 0.1 * torch.randn_like(x)),
        ("marginal", AdversarialPerturbation(0.5)),  # takes a gradient within the program
    ],
)
def test_compiled_equals_eager(method: str, transformation: Any) -> None:
    gmvae, x = pair(method)
    gmvae.train()
    gmvae.regularize(Regularizer(transformation))
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    with pyro.settings.context(module_local_params=True), pyro.validation_enabled(False):
        captured = CapturedELBO(elbo, gmvae.model, gmvae.guide)
        found = []
        for terms in (captured, lambda *a: elbo.terms(gmvae.model, gmvae.guide, *a)):
            torch.manual_seed(3)
            loss = terms(x, None).loss
            gradients = torch.autograd.grad(loss, list(gmvae.parameters()), allow_unused=True)
            found.append((loss, [g for g in gradients if g is not None]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4)


def test_training_reports_it_apart() -> None:
    gmvae, x = pair("concrete")
    gmvae.regularize(Regularizer(flipped))
    config = TrainConfig(epochs=2, batch_size=6, compile=False, patience=None)
    record = fit(gmvae, x, config, validation=x[:4]).history[-1]
    assert record["elbo"] == pytest.approx(
        record["log_likelihood"] - record["kl_z"] - record["kl_y"]
    )
    assert all(record[name] <= 0 for name in PENALTIES)


def test_several_moves_each_cost_in_full() -> None:
    log_r = torch.randn(4, K).log_softmax(-1)
    moved = torch.randn(4, K).log_softmax(-1)
    one, two = Regularizer(flipped), Regularizer(flipped, flipped)
    x, prior = torch.zeros(4, 1), torch.full((K,), -log(K))
    found = [r.penalties(lambda _: moved, x, log_r, prior)["consistency"] for r in (one, two)]
    torch.testing.assert_close(found[1], 2 * found[0])


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="balance must be at least 0, got -1"):
        Regularizer(flipped, balance=-1.0)


def test_a_copy_has_its_own_model() -> None:
    gmvae = ConcreteGMVAE(D, K, 2, hidden=(8,))
    copied = copy.deepcopy(gmvae)
    assert copied.guide.log_p_y.__self__ is copied.model
