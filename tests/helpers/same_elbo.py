"""Compare two ways to compute the ELBO of a pair: loss, parts and gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

from pyro_gmvae.inference import ELBOTerms
from pyro_gmvae.models import GMVAE


def gradients(terms: ELBOTerms, gmvae: GMVAE) -> list[Tensor | None]:
    return list(torch.autograd.grad(terms.loss, list(gmvae.parameters()), allow_unused=True))


def assert_same(ours: Callable[..., ELBOTerms], gmvae: GMVAE, elbo: object, *args: Tensor) -> None:
    """Loss, parts and gradients against the uncompiled ELBO at the same noise."""
    outcomes = []
    for terms_of in (ours, lambda *a: elbo.terms(gmvae.model, gmvae.guide, *a)):
        terms_of(*args)  # whatever happens at a first call
        torch.manual_seed(1)
        terms = terms_of(*args)
        outcomes.append((terms.loss.detach(), terms.sites, gradients(terms, gmvae)))
    torch.testing.assert_close(outcomes[0][0], outcomes[1][0])
    torch.testing.assert_close(outcomes[0][1], outcomes[1][1])
    for a, b in zip(outcomes[0][2], outcomes[1][2], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b)
