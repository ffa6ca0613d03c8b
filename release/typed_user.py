"""Use the package as a user with a type checker does: strict mypy and pyright must accept this."""

from __future__ import annotations

from typing import assert_type

import numpy as np
import torch

import pyro_gmvae
from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import LogLikelihood, log_likelihood
from pyro_gmvae.models import ExactGMVAE
from pyro_gmvae.training import TrainConfig, TrainResult, fit


def clusters(x: np.ndarray) -> np.ndarray:
    """Fit the estimator, and refuse a table without rows."""
    try:
        gm = GMVAE(2, max_iter=1, random_state=0).fit(x)
    except InputError as error:
        raise SystemExit(str(error)) from error
    assert_type(gm, GMVAE)
    assert_type(gm.score(x), float)
    return gm.predict(x)


def trained(x: torch.Tensor) -> LogLikelihood:
    """Train a Pyro pair, and score it."""
    gmvae = ExactGMVAE(x.shape[1], n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    assert_type(gmvae.responsibilities(x), torch.Tensor)
    result = fit(gmvae, x, TrainConfig(epochs=1, batch_size=32))
    assert_type(result, TrainResult)
    assert_type(result.n_steps, int)
    return log_likelihood(gmvae, x, num_samples=30)


if __name__ == "__main__":
    rows = np.random.default_rng(0).normal(size=(64, 2))
    assert_type(pyro_gmvae.__version__, str)
    print(clusters(rows)[:5], round(trained(torch.from_numpy(rows).float()).mean, 2))
