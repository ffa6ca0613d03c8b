"""The change that moves responsibilities the most."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pyro_gmvae.models import AdversarialPerturbation
from pyro_gmvae.models.adversarial import unit_length


def log_responsibilities(x: Tensor) -> Tensor:
    """Two clusters parted by the first of three coordinates; the others say nothing."""
    return torch.stack([x[:, 0], -x[:, 0]], -1).log_softmax(-1)


def test_goes_where_the_divergence_grows_and_nowhere_else() -> None:
    torch.manual_seed(0)
    x = torch.randn(200, 3)
    moved = AdversarialPerturbation(0.5)(x, log_responsibilities, log_responsibilities(x))
    d = moved - x
    torch.testing.assert_close(d.norm(dim=1), torch.full((200,), 0.5))
    torch.testing.assert_close(d[:, 1:], torch.zeros(200, 2))


def test_moves_more_than_a_random_step() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 4), nn.LogSoftmax(-1))
    x = torch.randn(300, 20)
    log_r = network(x)

    def divergence(moved: Tensor) -> Tensor:
        return (log_r.exp() * (log_r - network(moved))).sum(-1)

    moved = AdversarialPerturbation(1.0)(x, network, log_r)
    random = x + torch.nn.functional.normalize(torch.randn_like(x), dim=1)
    assert divergence(moved).mean() > 3 * divergence(random).mean()


def test_leaves_no_gradient() -> None:
    weight = torch.ones(2, requires_grad=True)
    x = torch.randn(5, 2)

    def scored(x: Tensor) -> Tensor:
        return torch.stack([x @ weight, -(x @ weight)], -1).log_softmax(-1)

    with torch.no_grad():  # as in evaluation
        moved = AdversarialPerturbation(0.1)(x, scored, scored(x))
    assert not moved.requires_grad and weight.grad is None


@pytest.mark.parametrize("lengths", [{"radius": 0.0}, {"radius": 1.0, "probe": -1.0}])
def test_lengths_are_positive(lengths: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        AdversarialPerturbation(**lengths)


@pytest.mark.parametrize("size", [1e-37, 1e-25, 1.0, 1e30])
def test_unit_length_of_any_direction(size: float) -> None:
    d = size * torch.tensor([[[3.0, -4.0]], [[1.0, 0.0]], [[0.0, 0.0]]])
    expected = torch.tensor([[[0.6, -0.8]], [[1.0, 0.0]], [[0.0, 0.0]]])
    torch.testing.assert_close(unit_length(d), expected)
