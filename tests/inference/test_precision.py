"""bfloat16 in the networks, float32 in everything else."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from pyro import poutine

from pyro_gmvae.inference import CapturedELBO, TraceEnumMeanField_ELBO, autocast_networks
from pyro_gmvae.models import METHODS, PENALTIES, AdversarialPerturbation, Regularizer
from tests.helpers.small import CONV, binary_data, flat_gradients, small_gmvae

pytestmark = pytest.mark.usefixtures("local_params", "no_validation", "unchecked_shapes")


@pytest.mark.parametrize(
    ("method", "options"),
    [*((method, {"input_dim": 50}) for method in METHODS), ("exact", CONV)],
    ids=str,
)
def test_the_elbo_differs_by_rounding(method: str, options: dict) -> None:
    gmvae = small_gmvae(method, hidden=(32, 32), **options)
    x = binary_data(64, *gmvae.event_shape)
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    losses, gradients = [], []
    for precise in (True, False):
        torch.manual_seed(0)
        if precise:
            loss = elbo.terms(gmvae.model, gmvae.guide, x).loss
        else:
            with autocast_networks(gmvae):
                loss = elbo.terms(gmvae.model, gmvae.guide, x).loss
        losses.append(loss.item())
        gradients.append(flat_gradients(loss, gmvae))
    assert loss.dtype == torch.float32
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=5e-3)  # bfloat16 has 8 bits: 4e-3
    cosine = torch.cosine_similarity(gradients[0], gradients[1], dim=0)
    assert cosine > 0.99


@pytest.mark.parametrize("move", [AdversarialPerturbation(0.5), lambda x: x.flip(-1)])
def test_a_regulariser_is_asked_in_float32_and_answered_by_cast_networks(move: Any) -> None:
    gmvae, x = small_gmvae("concrete", hidden=(32, 32), input_dim=50), binary_data(64, 50)
    gmvae.train().regularize(Regularizer(move))
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    sites = []
    for context in (nullcontext, autocast_networks):
        torch.manual_seed(0)
        with context(gmvae):
            sites.append(elbo.terms(gmvae.model, gmvae.guide, x).sites)
    for name in PENALTIES:
        assert sites[0][name] != sites[1][name]
        torch.testing.assert_close(sites[0][name], sites[1][name], rtol=0.05, atol=0.05)
        assert sites[1][name].dtype == torch.float32


def test_what_is_not_a_network_stays_in_float32() -> None:
    gmvae, x = small_gmvae("exact"), binary_data()
    with autocast_networks(gmvae):
        guide = poutine.trace(gmvae.guide).get_trace(x)
        model = poutine.trace(poutine.replay(gmvae.model, trace=guide)).get_trace(x)
        assert not torch.is_autocast_enabled("cpu")
    for trace in (guide, model):
        trace.compute_log_prob()
        for name in {"x", "y", "z"} & trace.nodes.keys():
            assert trace.nodes[name]["value"].dtype == torch.float32
            assert trace.nodes[name]["log_prob"].dtype == torch.float32
    assert model.nodes["x"]["fn"].base_dist.logits.dtype == torch.float32


def test_it_ends_with_the_context() -> None:
    gmvae, x = small_gmvae("exact"), binary_data()
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)

    def loss() -> float:
        torch.manual_seed(0)
        return elbo.terms(gmvae.model, gmvae.guide, x).loss.item()

    before = loss()
    with autocast_networks(gmvae):
        assert loss() != before
    assert loss() == before
    with autocast_networks(gmvae), pytest.raises(RuntimeError):
        gmvae.guide.encode(x[:, :-1])
    assert not torch.is_autocast_enabled("cpu")


def test_a_capture_keeps_the_precision() -> None:
    gmvae, x = small_gmvae("sparse", hidden=(16, 16)), binary_data()
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    with autocast_networks(gmvae):
        captured = CapturedELBO(elbo, gmvae.model, gmvae.guide, backend=lambda graph, given: graph)
        captured(x)
        losses = []
        for terms_of in (captured, lambda x: elbo.terms(gmvae.model, gmvae.guide, x)):
            torch.manual_seed(1)
            loss = terms_of(x).loss
            losses.append((loss.item(), flat_gradients(loss, gmvae)))
    torch.testing.assert_close(losses[0], losses[1])
