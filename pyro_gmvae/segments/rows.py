"""Give the responsibilities and weights of rows as arrays, which corrections and rules take."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from pyro_gmvae.data import Dataset
from pyro_gmvae.fitted import FittedModel

__all__ = ["responsibilities_of_rows"]


def responsibilities_of_rows(
    fitted: FittedModel, data: Dataset
) -> tuple[Float[np.ndarray, "N K"], Float[np.ndarray, " N"]]:
    """Return q(y|x) of each row, and how much it counts; 1 for all without weights.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> x = np.random.default_rng(0).normal(size=(4, 2))
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(torch.from_numpy(x)))
    >>> q, weights = responsibilities_of_rows(fitted, from_array(x))
    >>> q.shape, weights
    ((4, 3), array([1., 1., 1., 1.]))
    """
    q = fitted.responsibilities(data.x, data.w).double().numpy()
    return q, np.ones(len(q)) if data.weights is None else data.weights.double().numpy()
