"""The ELBO never reads a value back: it can be traced where there are no values to read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pyro.infer import TraceEnum_ELBO
from pyro.infer.elbo import ELBO
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import GMVAE, METHODS
from tests.helpers.small import B, binary_data, small_gmvae

pytestmark = pytest.mark.usefixtures("local_params", "no_validation")


def traced(f: Callable[..., Tensor], *args: Tensor) -> GraphModule:
    return make_fx(f, tracing_mode="fake", _allow_non_fake_inputs=True)(*args)


def loss_and_gradient(elbo: ELBO, gmvae: GMVAE) -> Callable[..., tuple[Tensor, ...]]:
    parameters = list(gmvae.parameters())

    def step(*args: Tensor) -> tuple[Tensor, ...]:
        loss = elbo.differentiable_loss(gmvae.model, gmvae.guide, *args)
        return (loss, *torch.autograd.grad(loss, parameters, allow_unused=True))

    return step


@pytest.mark.parametrize(
    ("method", "options", "labelled"),
    [
        *((m, {"learn_mixture": True}, labelled) for m in METHODS for labelled in (False, True)),
        ("concrete", {"kl": "relaxed"}, False),
        ("exact", {"likelihood": "gaussian_predicted"}, False),
        ("exact", {"likelihood": "discretized_logistic"}, False),
        ("concrete", {"likelihood": "discretized_logistic_mixture"}, False),
    ],
    ids=str,
)
def test_a_step_is_one_graph(method: str, options: dict, labelled: bool) -> None:
    gmvae = small_gmvae(method, **options)
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1, num_particles=2, vectorize_particles=True)
    args = (binary_data(), torch.tensor([0, -1, 2, -1]))[: 1 + labelled]
    step = loss_and_gradient(elbo, gmvae)
    graph = traced(step, *args)
    names = {str(node.target) for node in graph.graph.nodes}
    assert not any("_local_scalar_dense" in n or "nonzero" in n for n in names)
    outcomes = []
    for f in (step, graph):
        torch.manual_seed(1)
        outcomes.append(f(*args))
    torch.testing.assert_close(outcomes[1], outcomes[0])


@pytest.mark.parametrize("method", METHODS)
def test_terms_are_traced_too(method: str) -> None:
    gmvae = small_gmvae(method)
    elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)

    def parts(x: Tensor) -> Tensor:
        return torch.stack(list(elbo.terms(gmvae.model, gmvae.guide, x).sites.values()))

    graph = traced(parts, binary_data())
    assert graph(binary_data()).shape == (3,)


def test_schedules_reach_a_traced_step() -> None:
    gmvae, x = small_gmvae("exact"), binary_data(B)
    step = loss_and_gradient(TraceEnumMeanField_ELBO(max_plate_nesting=1), gmvae)
    graph = traced(step, x)
    losses = []
    for weight in (1.0, 0.2):
        gmvae.weights.set(kl_weight=weight)
        for f in (step, graph):
            torch.manual_seed(1)
            losses.append(f(x)[0].item())
    assert losses[0] == pytest.approx(losses[1])
    assert losses[2] == pytest.approx(losses[3])
    assert losses[0] != pytest.approx(losses[2])


def test_the_check_notices_reading_back() -> None:
    gmvae = small_gmvae("exact")
    with pytest.raises(Exception, match="_local_scalar_dense|data-dependent|DataDependent"):
        traced(loss_and_gradient(TraceEnum_ELBO(max_plate_nesting=1), gmvae), binary_data())
