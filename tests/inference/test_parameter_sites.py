"""Terms without a site for each parameter: the same, as long as nothing of Pyro is left out."""

from __future__ import annotations

from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroParam, PyroSample
from pyro.poutine.messenger import Messenger
from torch import Tensor

from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.inference.parameter_sites import without_parameter_sites
from pyro_gmvae.models import METHODS, ExactGMVAE, GenerativeModel
from pyro_gmvae.training import TrainConfig
from pyro_gmvae.training.loop import elbo_objective
from tests.helpers.small import D, K, Z, binary_data, flat_gradients, small_gmvae


class WithParameter(GenerativeModel):
    """A model with a `pyro.param` of its own."""

    def p_z(self, y: Tensor) -> dist.TorchDistribution:
        pyro.param("shift", torch.zeros(()))
        return super().p_z(y)


class WithParameterGMVAE(ExactGMVAE):
    """Its pair."""

    model_class = WithParameter


class ParameterSites(Messenger):
    """Note the name of each parameter that has a site."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def _pyro_param(self, msg: Any) -> None:
        self.names.add(msg["name"])


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_terms_are_the_same(method: str, labelled: bool) -> None:
    gmvae = small_gmvae(method)
    args = (binary_data(), torch.tensor([0, -1, 1, -1]))[: 1 + labelled]
    found, names = [], []
    for parameter_sites in (True, False):
        elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1, parameter_sites=parameter_sites)
        torch.manual_seed(0)
        with ParameterSites() as seen:
            terms = elbo.terms(gmvae.model, gmvae.guide, *args)
        found.append((terms.loss, terms.sites, flat_gradients(terms.loss, gmvae)))
        names.append(seen.names)
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    assert "model.component_loc" in names[0] and not names[1]


def test_training_does_without() -> None:
    objective = elbo_objective(small_gmvae("exact"), TrainConfig())
    with ParameterSites() as seen:
        objective(binary_data(), None)
    assert not seen.names


def test_what_pyro_must_see_is_left_as_it_is() -> None:
    prior = small_gmvae("exact").model
    prior.component_raw_scale = PyroSample(dist.Normal(0.0, 1.0).expand([K, Z]).to_event(2))
    bounded = small_gmvae("exact").model
    bounded.scale = PyroParam(torch.ones(()), dist.constraints.positive)
    own = WithParameterGMVAE(D, K, Z, hidden=(5,)).model
    for model in (prior, bounded, own, lambda: None):
        assert without_parameter_sites(model) is model
