"""The nearest clusters of a style stand for all of them."""

import shutil
from typing import Any

import pytest
import torch
from torch import Tensor

from pyro_gmvae.inference import CapturedELBO, TraceEnumMeanField_ELBO
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import GMVAE, METHODS, ConcreteGMVAE
from pyro_gmvae.models import generative as generative_module
from pyro_gmvae.networks.gates import NEAREST, nearest_clusters
from tests.helpers.same_elbo import assert_same

K = 30
COLUMNS = ("real", "count", "levels:3")


def made(method: str = "concrete", *, linear: bool = True, apart: bool = True) -> GMVAE:
    torch.manual_seed(0)
    structure = TableStructure(COLUMNS, linear=linear)
    gmvae = METHODS[method](
        3, n_components=K, latent_dim=4, hidden=(6,), likelihood="table", table=structure
    )
    with torch.no_grad():
        gmvae.model.component_raw_scale.normal_()
        gmvae.model.mixture_logits.normal_()
        if not apart:
            gmvae.model.component_loc.normal_()
    return gmvae


def styles(gmvae: GMVAE, n: int = 50) -> Tensor:
    return gmvae.model.p_z(torch.eye(K)).sample((n,)).flatten(0, 1)


def rows(n: int = 12) -> Tensor:
    return torch.stack([torch.randn(n), torch.ones(n), torch.ones(n)], 1)


def over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generative_module, "FEW", K)


@pytest.mark.parametrize("linear", [True, False])
def test_the_others_change_nothing_between_clusters_that_are_apart(
    linear: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gmvae = made(linear=linear)
    z, parameters = styles(gmvae), list(gmvae.model.decoder.parameters())
    near = gmvae.model.decoder(z)
    near_gradients = torch.autograd.grad(near.square().sum(), parameters)
    assert gmvae.model.gates(z).p_y.shape == (len(z), NEAREST)
    over_all(monkeypatch)
    every = gmvae.model.decoder(z)
    assert gmvae.model.gates(z).p_y.shape == (len(z), K)
    torch.testing.assert_close(near, every, rtol=1e-4, atol=1e-4)
    for found, wanted in zip(
        near_gradients, torch.autograd.grad(every.square().sum(), parameters), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-2)


def test_the_nearest_share_p_y_given_z() -> None:
    model = made(apart=False).model
    z = 3 * torch.randn(200, 4)
    gates = model.gates(z)
    assert gates.which is not None
    likeliest = model.p_y_given_z(z).topk(NEAREST)
    torch.testing.assert_close(gates.which.sort().values, likeliest.indices.sort().values)
    shares = (likeliest.values / likeliest.values.sum(-1, keepdim=True)).sort().values
    torch.testing.assert_close(gates.p_y.sort().values, shares, rtol=1e-4, atol=1e-5)
    u = (z.unsqueeze(1) - model.component_loc[gates.which]) / model.component_scale[gates.which]
    torch.testing.assert_close(gates.u, u)


def test_far_from_zero_the_nearest_are_found() -> None:
    loc = torch.arange(1000.0).unsqueeze(-1) * 8
    z = loc + 0.1
    found = nearest_clusters(z, loc, torch.ones(1000, 1), torch.zeros(1000))
    with torch.autocast("cpu", torch.bfloat16):
        same = nearest_clusters(z, loc, torch.ones(1000, 1), torch.zeros(1000))
    assert (found == torch.arange(1000).unsqueeze(-1)).any(-1).all()
    torch.testing.assert_close(same, found)


BACKENDS = [
    lambda graph, given: graph,
    pytest.param(
        "inductor",
        marks=pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler"),
        id="inductor",
    ),
]


@pytest.mark.usefixtures("local_params", "no_validation", "unchecked_shapes")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_compiled_step_of_many_clusters_equals_an_eager_one(backend: Any) -> None:
    gmvae, elbo, x = made(apart=False), TraceEnumMeanField_ELBO(max_plate_nesting=1), rows()
    captured = CapturedELBO(elbo, gmvae.model, gmvae.guide, backend=backend)
    assert_same(captured, gmvae, elbo, x)


def test_other_precisions() -> None:
    model = ConcreteGMVAE(
        3, n_components=K, latent_dim=4, likelihood="table", table=TableStructure(COLUMNS)
    ).double()
    assert model.model.decoder(torch.zeros(2, 5, 4, dtype=torch.float64)).dtype == torch.float64
