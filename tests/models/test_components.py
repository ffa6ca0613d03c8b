"""The order of the clusters is only a name."""

import pytest
import torch

from pyro_gmvae.models import METHODS, reorder_components


@pytest.mark.parametrize("method", METHODS)
def test_reordering_changes_names_only(method: str) -> None:
    gmvae = METHODS[method](4, 3, 2, hidden=(5,), likelihood="gaussian", learn_mixture=True)
    with torch.no_grad():
        gmvae.model.mixture_logits.copy_(torch.tensor([0.0, 1.0, 2.0]))
        x, z, order = torch.randn(6, 4), torch.randn(6, 2), torch.tensor([2, 0, 1])
        before = gmvae.responsibilities(x), gmvae.posterior(x).log_prob(z), gmvae.model.log_p_z(z)
        reorder_components(gmvae, order)
        torch.testing.assert_close(gmvae.responsibilities(x), before[0][:, order])
        torch.testing.assert_close(gmvae.posterior(x).log_prob(z), before[1])
        torch.testing.assert_close(gmvae.model.log_p_z(z), before[2])
