"""The clusters of a trained model: the order is only a name, and some may go."""

from typing import Any

import pyro.distributions as dist
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from pyro_gmvae.models import (
    GMVAE,
    METHODS,
    ExactGMVAE,
    GenerativeModel,
    keep_components,
    reorder_components,
)
from pyro_gmvae.models.components import component_dims


def small(method: str) -> GMVAE:
    gmvae = METHODS[method](4, 3, 2, hidden=(5,), likelihood="gaussian", learn_mixture=True)
    with torch.no_grad():
        gmvae.model.mixture_logits.copy_(torch.tensor([0.0, 1.0, 2.0]))
    return gmvae.eval()


@torch.no_grad()
@pytest.mark.parametrize("method", METHODS)
def test_reordering_changes_names_only(method: str) -> None:
    gmvae, x, z, order = small(method), torch.randn(6, 4), torch.randn(6, 2), [2, 0, 1]
    before = gmvae.responsibilities(x), gmvae.posterior(x).log_prob(z), gmvae.model.log_p_z(z)
    reorder_components(gmvae, torch.tensor(order))
    torch.testing.assert_close(gmvae.posterior(x).log_prob(z), before[1])
    torch.testing.assert_close(gmvae.model.log_p_z(z), before[2])
    torch.testing.assert_close(gmvae.responsibilities(x), before[0][:, order])


@torch.no_grad()
@pytest.mark.parametrize("method", METHODS)
def test_the_clusters_that_stay_are_as_they_were(method: str) -> None:
    gmvae, x, z, kept = small(method), torch.randn(6, 4), torch.randn(6, 2), [2, 0]
    smaller = keep_components(gmvae, torch.tensor(kept))
    assert (smaller.n_components, smaller.method, smaller.training) == (2, method, False)
    p_y = gmvae.model.p_y().probs[kept]
    torch.testing.assert_close(smaller.model.p_y().probs, p_y / p_y.sum())
    torch.testing.assert_close(smaller.model.p_x(z).mean, gmvae.model.p_x(z).mean)
    y, smaller_y = one_hot(torch.tensor(kept), 3).float(), torch.eye(2)
    ours, theirs = smaller.model.p_z(smaller_y), gmvae.model.p_z(y)
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.stddev, theirs.stddev)
    if method != "marginal":  # whose responsibilities are averages over z of such shares
        q = gmvae.responsibilities(x)[:, kept]
        torch.testing.assert_close(smaller.responsibilities(x), q / q.sum(-1, keepdim=True))
    all_kept = keep_components(gmvae, torch.arange(3))
    for name, value in gmvae.state_dict().items():
        torch.testing.assert_close(all_kept.state_dict()[name], value)


def test_a_model_that_cannot_be_rebuilt() -> None:
    gmvae = METHODS["exact"](4, 3, 2, decoder=torch.nn.Linear(2, 4))
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        keep_components(gmvae, torch.tensor([0, 1]))


def test_an_order_that_is_no_permutation() -> None:
    with pytest.raises(ValueError, match="each of 0 to 2 once"):
        reorder_components(small("exact"), torch.tensor([0, 0, 1]))


class OwnModel(GenerativeModel):
    """Each cluster has a shift of its own, along the last dimension."""

    component_dims = {**GenerativeModel.component_dims, "component_shift": 1}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.component_shift = nn.Parameter(torch.randn(self.latent_dim, self.n_components))
        self.unrelated = nn.Parameter(torch.randn(self.n_components))

    def p_z(self, y: Tensor) -> dist.TorchDistribution:
        loc = y @ (self.component_loc + self.component_shift.T)
        return dist.Normal(loc, y @ self.component_scale).to_event(1)


class Own(ExactGMVAE):
    model_class = OwnModel


@torch.no_grad()
def test_what_a_subclass_declares_is_reordered_too() -> None:
    gmvae, order = Own(4, 3, 2, hidden=(5,), learn_mixture=True), [2, 0, 1]
    assert component_dims(gmvae)["model.component_shift"] == 1
    before, y = {n: t.clone() for n, t in gmvae.state_dict().items()}, torch.eye(3)
    p_z = gmvae.model.p_z(y).mean
    reorder_components(gmvae, torch.tensor(order))
    after = gmvae.state_dict()
    shift = "model.component_shift"
    assert torch.equal(after[shift], before[shift][:, order])
    assert not torch.equal(after[shift], before[shift])
    assert torch.equal(after["model.unrelated"], before["model.unrelated"])
    torch.testing.assert_close(gmvae.model.p_z(y).mean, p_z[order])


@pytest.mark.parametrize("method", METHODS)
def test_what_is_declared_has_a_place_for_each_cluster(method: str) -> None:
    gmvae = METHODS[method](4, 3, 2, hidden=(5,))
    state, dims = gmvae.state_dict(), component_dims(gmvae)
    declared = {name: dim for name, dim in dims.items() if name in state}
    assert all(state[name].shape[dim] == 3 for name, dim in declared.items())
    # No width but K is 3, so that whatever has one is known.
    assert declared.keys() == {name for name, tensor in state.items() if 3 in tensor.shape}
