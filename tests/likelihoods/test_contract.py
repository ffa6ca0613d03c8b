from __future__ import annotations

import inspect
import sys

import pyro.distributions as dist
import pytest
import torch
from torch import Tensor

from pyro_gmvae.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    ContinuousBernoulli,
    DiscretizedLogisticMixture,
    Gaussian,
    Likelihood,
    make_likelihood,
)
from tests.helpers.likelihood_contract import LikelihoodContract


class TestBernoulli(LikelihoodContract):
    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return make_likelihood("bernoulli", event_shape)


class TestContinuousBernoulli(LikelihoodContract):
    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return make_likelihood("continuous_bernoulli", event_shape)


class TestGaussian(LikelihoodContract):
    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return make_likelihood("gaussian", event_shape)


class TestGaussianPredicted(LikelihoodContract):
    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return make_likelihood("gaussian_predicted", event_shape)


class TestGaussianFixed(LikelihoodContract):
    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return Gaussian(event_shape, scale=0.5)


class TestDiscretizedLogistic(LikelihoodContract):
    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return make_likelihood("discretized_logistic", event_shape)


class TestDiscretizedLogisticMixture(LikelihoodContract):
    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return make_likelihood("discretized_logistic_mixture", event_shape)


class TestTable(LikelihoodContract):
    """Columns of numbers; tests/likelihoods/test_table.py has those of other kinds."""

    event_shapes = ((5,), (1,))
    several_outputs = True

    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return make_likelihood("table", event_shape)


class TestDiscretizedLogisticMixtureOfTwo(LikelihoodContract):
    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return DiscretizedLogisticMixture(event_shape, n_components=2)


def test_all_likelihoods_pass_the_contract() -> None:
    cases = [c for _, c in inspect.getmembers(sys.modules[__name__], inspect.isclass)]
    made = [c().make((2,)) for c in cases if c in LikelihoodContract.__subclasses__()]
    named = [make_likelihood(name, (2,)) for name in LIKELIHOODS]
    tested = {(type(m), getattr(m, "scale", None)) for m in made}
    assert {(type(m), getattr(m, "scale", None)) for m in named} <= tested


def test_log_probabilities_are_the_textbook_ones() -> None:
    x = torch.tensor([[0.0, 1.0]])
    logits = torch.tensor([[0.3, -2.0]])
    p = logits.sigmoid()
    expected = (1 - p[0, 0]).log() + p[0, 1].log()
    torch.testing.assert_close(Bernoulli((2,))(logits).log_prob(x)[0], expected)
    # Standard deviation 1 at the start: -(x - m)^2 / 2 - log(2 pi) / 2 for each entry.
    expected = -((x - logits) ** 2).sum() / 2 - torch.tensor(2 * torch.pi).log()
    torch.testing.assert_close(Gaussian((2,))(logits).log_prob(x)[0], expected)


def test_continuous_bernoulli_integrates_to_one() -> None:
    grid = (torch.arange(100_000).double() + 0.5) / 100_000
    for logit in (-8.0, 0.01, 3.0):
        p_x = ContinuousBernoulli((1,))(torch.tensor([logit]).double())
        total = p_x.log_prob(grid.unsqueeze(-1)).exp().mean()
        assert total.item() == pytest.approx(1, abs=1e-5)


def test_scale_stays_away_from_zero() -> None:
    predicted = Gaussian((2,), scale="predicted", min_scale=0.1)
    p_x = predicted.entrywise(torch.full((2, 2), -1e4))
    assert p_x.scale.min() >= 0.1
    learned = Gaussian((2,), min_scale=0.1)
    learned.raw_scale.data.fill_(-1e4)
    assert learned.entrywise(torch.zeros(2)).scale.min() >= 0.1
    assert not list(Gaussian((2,), scale=2).parameters())


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), "wide"])
def test_bad_scales(scale: float | str) -> None:
    with pytest.raises(ValueError, match="scale must be"):
        Gaussian((2,), scale=scale)


def test_make_likelihood() -> None:
    assert isinstance(make_likelihood(Bernoulli, (2,)), Bernoulli)
    mine = Gaussian((2,), scale=0.1)
    assert make_likelihood(mine, [2]) is mine
    with pytest.raises(ValueError, match=r"shape \(2,\), the data have \(3,\)"):
        make_likelihood(mine, (3,))
    with pytest.raises(ValueError, match="unknown likelihood 'poison'; choose from"):
        make_likelihood("poison", (2,))


class Blind(Bernoulli):
    """A user's: other entries than a Bernoulli's own, and some of them unseen."""

    def entrywise(self, output: Tensor) -> dist.TorchDistribution:
        return dist.Bernoulli(logits=2 * output).mask(output > -1)


def test_a_subclass_of_the_bernoulli_has_its_own_entries() -> None:
    output = torch.tensor([[0.5, -0.5, -2.0]])
    likelihood = Blind((3,))
    x = torch.tensor([[1.0, 0.0, 1.0]])
    expected = likelihood.entrywise(output).log_prob(x).sum(-1)
    torch.testing.assert_close(likelihood(output).log_prob(x), expected)
    assert expected > -1
