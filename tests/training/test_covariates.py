"""Covariates: what a subclass's p(x|z) takes beside z comes through `fit`, row by row."""

from __future__ import annotations

import pyro.distributions as dist
import pytest
import torch
from torch import Tensor

from pyro_gmvae.likelihoods import Likelihood
from pyro_gmvae.models import ConcreteGMVAE, ExactGMVAE, GenerativeModel, MarginalGMVAE
from pyro_gmvae.models.gmvae import GMVAE
from pyro_gmvae.training import fit
from tests.helpers.tiny import quick


class Poisson(Likelihood):
    """Counts; the decoder gives log rates."""

    def entrywise(self, output: Tensor) -> dist.TorchDistribution:
        return dist.Poisson(output.exp())


class ExposedModel(GenerativeModel):
    """Counts over an exposure that is known."""

    def p_x(self, z: Tensor, exposure: Tensor) -> dist.TorchDistribution:
        return self.likelihood(self.decoder(z) + exposure.log().unsqueeze(-1))


class ExposedExact(ExactGMVAE):
    model_class = ExposedModel


class ExposedConcrete(ConcreteGMVAE):
    model_class = ExposedModel


class ExposedMarginal(MarginalGMVAE):
    model_class = ExposedModel


def counts(seed: int, n: int = 60) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    exposure = 30 * torch.rand(n, generator=generator) + 0.1
    rates = torch.tensor([[1.0, 0.2], [0.2, 1.0]])[torch.arange(n) % 2]
    return torch.poisson(rates * exposure.unsqueeze(-1), generator=generator), exposure


@pytest.mark.parametrize("method", [ExposedExact, ExposedConcrete, ExposedMarginal])
def test_exposures_stay_with_their_counts(method: type[GMVAE]) -> None:
    x, exposure = counts(0)
    x_held, exposure_held = counts(1, n=20)

    def trained(exposure: Tensor, exposure_held: Tensor) -> dict[str, float]:
        torch.manual_seed(0)
        gmvae = method(2, 2, 2, hidden=(8,), likelihood=Poisson)
        validation = (x_held, exposure_held)
        config = quick(epochs=8)
        result = fit(gmvae, x, config, covariates=(exposure,), validation=validation)
        return result.history[-1]

    right = trained(exposure, exposure_held)
    wrong = trained(exposure.roll(1), exposure_held.roll(1))
    assert right["elbo"] > wrong["elbo"] + 3
    assert right["validation_elbo"] > wrong["validation_elbo"] + 3


def test_covariates_of_another_length() -> None:
    x, exposure = counts(0)
    gmvae = ExposedExact(2, 2, 2, hidden=(8,), likelihood=Poisson)
    with pytest.raises(ValueError, match="60 rows but .* of the covariates"):
        fit(gmvae, x, quick(), covariates=(exposure[:-1],))
