"""Extend a GMVAE in Pyro: counts with an exposure, as a user would write it."""

from __future__ import annotations

import pyro.distributions as dist
import pytest
import torch
from pyro.infer import SVI, TraceMeanField_ELBO
from pyro.optim import ClippedAdam
from torch import Tensor

from pyro_gmvae.likelihoods import Likelihood
from pyro_gmvae.models import ConcreteGMVAE, GenerativeModel
from pyro_gmvae.training import TrainConfig, fit


class Poisson(Likelihood):
    """Counts; the decoder gives the logarithm of their rate."""

    def entrywise(self, output: Tensor) -> dist.TorchDistribution:
        return dist.Poisson(output.clamp(max=15).exp())


class CountModel(GenerativeModel):
    """p(x|z) with an exposure: the rate is proportional to it."""

    def p_x(self, z: Tensor, exposure: Tensor) -> dist.TorchDistribution:
        return self.likelihood(self.decoder(z) + exposure.log().unsqueeze(-1))


class CountGMVAE(ConcreteGMVAE):
    model_class = CountModel


def counts(n: int = 200) -> tuple[Tensor, Tensor]:
    """Two groups of Poisson rates, observed for times of their own."""
    rates = torch.tensor([[8.0, 8.0, 1.0, 1.0], [1.0, 1.0, 8.0, 8.0]])[torch.arange(n) % 2]
    exposure = 0.5 + 2 * torch.rand(n)
    return torch.poisson(rates * exposure.unsqueeze(-1)), exposure


def train_with_stock_svi(gmvae: CountGMVAE, x: Tensor, exposure: Tensor) -> None:
    svi = SVI(gmvae.model, gmvae.guide, ClippedAdam({"lr": 0.02}), TraceMeanField_ELBO())
    for _ in range(150):
        svi.step(x, None, exposure)


def train_with_fit(gmvae: CountGMVAE, x: Tensor, exposure: Tensor) -> None:
    fit(gmvae, x, TrainConfig(epochs=150, learning_rate=0.02), covariates=(exposure,))


@pytest.mark.parametrize("train", [train_with_stock_svi, train_with_fit])
def test_counts_are_explained_by_rates_and_exposure(train) -> None:
    x, exposure = counts()
    gmvae = CountGMVAE(4, 2, 2, hidden=(16,), likelihood=Poisson)
    train(gmvae, x, exposure)
    rate = gmvae.model.decoder(gmvae.posterior(x[:2], exposure[:2]).mean).exp()
    torch.testing.assert_close(rate, torch.tensor([[8.0, 8, 1, 1], [1, 1, 8, 8]]), atol=3, rtol=0)
