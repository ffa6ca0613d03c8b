from __future__ import annotations

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from torch import nn

from pyro_gmvae.likelihoods import Gaussian
from pyro_gmvae.models import GenerativeModel, ObjectiveWeights
from tests.helpers.small import B, D, K, Z, binary_data, small_gmvae


@pytest.fixture
def model() -> GenerativeModel:
    return small_gmvae("exact", learn_mixture=True).model


def test_sites_and_their_shapes(model: GenerativeModel) -> None:
    trace = poutine.trace(model).get_trace(binary_data())
    trace.compute_log_prob()
    shapes = {"y": (B, K), "z": (B, Z), "x": (B, D)}
    for name, shape in shapes.items():
        assert trace.nodes[name]["value"].shape == shape
        assert trace.nodes[name]["log_prob"].shape == (B,)
        assert [f.name for f in trace.nodes[name]["cond_indep_stack"]] == ["data"]
    assert trace.nodes["x"]["is_observed"]
    assert not trace.nodes["y"]["is_observed"]


def test_joint_density_by_hand(model: GenerativeModel) -> None:
    x, labels = binary_data(), torch.tensor([0, 2, 1, 0])
    y, z = torch.eye(K)[labels], torch.randn(B, Z)
    conditioned = poutine.condition(model, {"z": z})
    log_p = poutine.trace(conditioned).get_trace(x, y).log_prob_sum()
    loc, scale = model.component_loc[labels], model.component_scale[labels]
    log_p_z = torch.distributions.Normal(loc, scale).log_prob(z).sum()
    log_p_x = -nn.functional.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum")
    log_p_y = model.mixture_logits.log_softmax(-1)[labels].sum()
    torch.testing.assert_close(log_p, log_p_y + log_p_z + log_p_x)


def test_scales_weigh_their_sites(model: GenerativeModel) -> None:
    model.weights.set(kl_weight=0.3, z_kl_weight=0.6)
    nodes = poutine.trace(model).get_trace(binary_data()).nodes
    assert nodes["y"]["scale"].item() == pytest.approx(0.3)
    assert nodes["z"]["scale"].item() == pytest.approx(0.6)
    assert nodes["x"]["scale"] == 1


def test_prior_draws(model: GenerativeModel) -> None:
    assert model().shape == (1, D)
    with pyro.plate("many", 5000, dim=-2):
        trace = poutine.trace(model).get_trace()
    y, z = trace.nodes["y"]["value"].squeeze(1), trace.nodes["z"]["value"].squeeze(1)
    frequency, p = y.mean(0), model.log_p_y().exp()
    assert ((frequency - p).abs() < 4 * (p * (1 - p) / 5000).sqrt()).all()
    for k in range(K):
        mine = z[y[:, k] == 1]
        error = (mine.mean(0) - model.component_loc[k]).abs()
        assert (error < 4.5 * model.component_scale[k] / len(mine) ** 0.5).all()


def test_given_clusters_set_the_batch(model: GenerativeModel) -> None:
    assert model(None, torch.eye(K)).shape == (K, D)
    assert model(None, torch.tensor([1, -1])).shape == (2, D)


def test_laws_of_z(model: GenerativeModel) -> None:
    z = torch.randn(5, Z)
    weights = model.mixture_logits.softmax(-1)
    components = [
        dist.Normal(model.component_loc[k], model.component_scale[k]).log_prob(z).sum(-1).exp()
        for k in range(K)
    ]
    joint = weights * torch.stack(components, -1)
    torch.testing.assert_close(model.log_p_z_given_y(z).exp(), torch.stack(components, -1))
    torch.testing.assert_close(model.log_p_z(z).exp(), joint.sum(-1))
    torch.testing.assert_close(model.p_y_given_z(z), joint / joint.sum(-1, keepdim=True))


def test_fixed_mixture_is_uniform_and_no_parameter() -> None:
    model = small_gmvae("exact").model
    torch.testing.assert_close(model.log_p_y().exp(), torch.full((K,), 1 / K))
    assert "mixture_logits" not in dict(model.named_parameters())
    assert "mixture_logits" in model.state_dict()


def test_a_model_of_its_own_parts() -> None:
    decoder, likelihood = nn.Linear(2, 4), Gaussian((4,), scale=1.0)
    model = GenerativeModel(decoder, likelihood, 3, 2, ObjectiveWeights())
    assert model.event_shape == (4,)
    assert model(torch.randn(5, 4)).shape == (5, 4)


def test_weights_refuse_zero() -> None:
    weights = ObjectiveWeights()
    with pytest.raises(ValueError, match="kl_weight must be at least 1e-30, got 0"):
        weights.set(kl_weight=0.0)
    with pytest.raises(ValueError, match="temperature must be a number, got nan"):
        weights.set(temperature=float("nan"))
    before = weights.kl_weight
    weights.set(kl_weight=0.5)
    assert weights.kl_weight is before  # filled in place, for a captured step to see
    assert before.item() == 0.5
    assert not weights.state_dict()
