"""A guide that looks at a covariate is given it by everything that evaluates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pyro_gmvae.evaluation import (
    embed,
    evaluate,
    log_likelihood,
    reconstruct,
    responsibilities,
    to_inference_data,
)
from pyro_gmvae.models import ConcreteGMVAE, GenerativeModel
from pyro_gmvae.models.guides import ConcreteGuide


class ShiftedModel(GenerativeModel):
    def p_x(self, z: Tensor, shift: Tensor) -> Any:
        return self.likelihood(self.decoder(z) + shift.unsqueeze(-1))


class ShiftedGuide(ConcreteGuide):
    def encode(self, x: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        return super().encode(x - shift.unsqueeze(-1))


class ShiftedGMVAE(ConcreteGMVAE):
    model_class = ShiftedModel
    guide_class = ShiftedGuide


EVALUATIONS: dict[str, Callable[..., Any]] = {
    "log_likelihood": lambda *a, **k: log_likelihood(*a, num_samples=20, **k).log_p,
    "responsibilities": responsibilities,
    "embed": embed,
    "reconstruct": lambda g, x, covariates: (
        reconstruct(g, x, covariates=covariates) - covariates[0].unsqueeze(-1)
    ),
    "evaluate": lambda *a, **k: evaluate(*a, num_samples=20, **k).likelihood.log_p,
    "to_inference_data": lambda *a, **k: torch.from_numpy(
        to_inference_data(*a, num_samples=20, num_draws=3, **k).posterior["z"].values
    ),
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_shifting_data_and_covariate_together_changes_nothing(name: str) -> None:
    torch.manual_seed(0)
    gmvae = ShiftedGMVAE(3, 2, 2, hidden=(8,), likelihood="gaussian").double()
    x, shift = torch.randn(6, 3).double(), torch.zeros(6).double()
    still = EVALUATIONS[name](gmvae, x, covariates=(shift,))
    moved = EVALUATIONS[name](gmvae, x + 5, covariates=(shift + 5,))
    torch.testing.assert_close(moved, still)
    assert not torch.allclose(EVALUATIONS[name](gmvae, x, covariates=(shift + 5,)), still)
