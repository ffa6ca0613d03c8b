"""The ELBO of a training as one module: compiled, in chunks, or as it is."""

from __future__ import annotations

import warnings
from typing import Literal

from torch import Tensor, nn

from pyro_gmvae.inference import CapturedELBO, CaptureError, ELBOTerms, TraceEnumMeanField_ELBO
from pyro_gmvae.models import GMVAE

__all__ = ["Objective", "warn_uncompiled"]


class Objective(nn.Module):
    """A GMVAE's ELBO as one module, so that accelerate can wrap it for several processes.

    Args:
        gmvae: the model and guide.
        elbo: the ELBO.
        compiled: ``"auto"`` compiles if it can and else says why not; True raises then.
    """

    def __init__(
        self, gmvae: GMVAE, elbo: TraceEnumMeanField_ELBO, *, compiled: Literal["auto"] | bool
    ) -> None:
        super().__init__()
        self.gmvae = gmvae
        self.elbo = elbo
        self.captured: CapturedELBO | None = None
        if compiled:
            fallback = warn_uncompiled if compiled == "auto" else None
            self.captured = CapturedELBO(elbo, gmvae.model, gmvae.guide, fallback=fallback)

    def forward(self, x: Tensor, y: Tensor | None, *covariates: Tensor) -> ELBOTerms:
        """The terms for a batch; arguments as the pair's."""
        if self.captured is not None:
            return self.captured(x, y, *covariates)
        return self.elbo.terms(self.gmvae.model, self.gmvae.guide, x, y, *covariates)

    def backward(self, scale: float, x: Tensor, y: Tensor | None, *covariates: Tensor) -> ELBOTerms:
        """The same, with the gradient of ``scale * loss`` added to the parameters'."""
        if self.captured is not None:
            return self.captured.backward(x, y, *covariates, scale=scale)
        terms = self(x, y, *covariates)
        (scale * terms.loss).backward()
        return terms


def warn_uncompiled(error: CaptureError) -> None:
    """What a training that was to be as fast as it can be says where it cannot be."""
    warnings.warn(f"training goes on without compilation: {error}", RuntimeWarning, stacklevel=2)
