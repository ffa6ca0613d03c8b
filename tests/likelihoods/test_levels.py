"""What a decoder's output means to the likelihoods of 8-bit images."""

from __future__ import annotations

import pyro.distributions as dist
import pytest
import torch

from pyro_gmvae.distributions import DiscretizedLogistic as Levels
from pyro_gmvae.distributions import LevelMixture
from pyro_gmvae.likelihoods import (
    LIKELIHOODS,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    make_likelihood,
)

NAMES = ("discretized_logistic", "discretized_logistic_mixture")
GRID = torch.arange(256) / 255


def test_only_these_are_probabilities_of_levels() -> None:
    assert {n for n in LIKELIHOODS if make_likelihood(n, (2,)).support == "levels"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_output_of_zero_is_the_middle_and_wide(name: str) -> None:
    likelihood = make_likelihood(name, (3, 2, 2))
    output = torch.zeros(likelihood.output_shape)
    torch.testing.assert_close(likelihood.mean(output), torch.full((3, 2, 2), 0.5))
    log_p = likelihood.entrywise(output).log_prob(GRID.view(-1, 1, 1, 1))
    assert log_p.min() > -8  # 1 in 3,000


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_of_an_entry_sum_to_one(name: str) -> None:
    likelihood = make_likelihood(name, (3, 2, 2))
    for size in (1.0, 30.0, 1e3):
        p = likelihood.entrywise(size * torch.randn(likelihood.output_shape))
        total = p.log_prob(GRID.view(-1, 1, 1, 1)).exp().sum(0)
        torch.testing.assert_close(total, torch.ones(3, 2, 2), atol=1e-5, rtol=0)


def test_locations_and_scales() -> None:
    likelihood = DiscretizedLogistic((2,), min_scale=0.01)
    # softplus(o + c) / 2 is a quarter at o = 0, and grows by 1/2 an output where it is large.
    p = likelihood.entrywise(torch.tensor([[-1.0, 3.0], [0.0, 100.0]]))
    torch.testing.assert_close(p.loc, torch.tensor([0.0, 2.0]))
    c = torch.tensor(0.5).expm1().log()
    torch.testing.assert_close(p.scale, torch.stack([torch.tensor(0.26), (100 + c) / 2 + 0.01]))
    narrow = likelihood.entrywise(torch.full((2, 2), -1e4))
    torch.testing.assert_close(narrow.scale, torch.full((2,), 0.01))


def test_a_level_can_have_nearly_all_the_mass() -> None:
    likelihood = DiscretizedLogistic((4,))
    x = torch.tensor([0.0, 31.0, 200.0, 255.0]) / 255
    output = torch.stack([2 * x - 1, torch.full((4,), -20.0)])
    assert likelihood(output).log_prob(x) > 4 * torch.tensor(0.98).log()


def test_the_mixture_is_the_weighted_sum() -> None:
    likelihood = DiscretizedLogisticMixture((2, 3), n_components=4)
    output = torch.randn(5, *likelihood.output_shape).double()
    likelihood.double()
    loc, raw_scale, logits = output.unbind(1)
    one = DiscretizedLogistic((2, 3))
    scale = one.entrywise(torch.stack([loc, raw_scale], 2)).scale
    centers = torch.tensor([1, 3, 5, 7]).double().view(4, 1, 1) / 8
    x = GRID[torch.randint(256, (5, 2, 3))].double()
    components = Levels(centers + loc / 2, scale).log_prob(x.unsqueeze(1))
    expected = (logits.softmax(1) * components.exp()).sum(1).log()
    p = likelihood.entrywise(output)
    assert isinstance(p, LevelMixture)
    torch.testing.assert_close(p.log_prob(x), expected)


def test_a_mixture_of_one_is_no_mixture() -> None:
    mixture, one = DiscretizedLogisticMixture((2,), n_components=1), DiscretizedLogistic((2,))
    output = torch.randn(7, 3, 1, 2)
    x = GRID[torch.randint(256, (7, 2))]
    torch.testing.assert_close(
        mixture(output).log_prob(x), one(output[:, :2, 0]).log_prob(x), rtol=1e-4, atol=1e-4
    )


def test_a_mixture_can_have_two_values_and_nothing_between() -> None:
    likelihood = DiscretizedLogisticMixture((1,), n_components=2)  # centres 1/4 and 3/4
    output = torch.tensor([[0.0, 0.0], [-20.0, -20.0], [0.0, 0.0]]).unsqueeze(-1)
    p = likelihood.entrywise(output).log_prob(GRID.unsqueeze(-1)).exp().squeeze(-1)
    assert p[60:68].sum() == pytest.approx(0.5, abs=1e-3)
    assert p[188:196].sum() == pytest.approx(0.5, abs=1e-3)


def test_the_state_is_the_networks_alone() -> None:
    assert not DiscretizedLogisticMixture((2,)).state_dict()


@pytest.mark.parametrize("min_scale", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("likelihood", [DiscretizedLogistic, DiscretizedLogisticMixture])
def test_refusals(likelihood: type, min_scale: float) -> None:
    with pytest.raises(ValueError, match="min_scale must be positive"):
        likelihood((2,), min_scale=min_scale)
    with pytest.raises(ValueError, match="n_components must be at least 1"):
        DiscretizedLogisticMixture((2,), n_components=0)


def test_a_value_that_is_no_level_is_refused() -> None:
    for name in NAMES:
        likelihood = make_likelihood(name, (2,))
        p_x = likelihood(torch.zeros(likelihood.output_shape))
        assert isinstance(p_x, dist.Independent)
        with pytest.raises(ValueError, match="within the support"):
            p_x.log_prob(torch.tensor([0.0, 0.5]))
