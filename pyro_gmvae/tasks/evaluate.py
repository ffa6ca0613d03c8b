"""Evaluate a model on some data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyro_gmvae.data import Dataset
from pyro_gmvae.fitted import NUM_SAMPLES, FittedModel
from pyro_gmvae.ranges import MOST_DRAWS, whole

__all__ = ["Figures", "evaluate_run"]


@dataclass(frozen=True)
class Figures:
    """Hold the result of `evaluate_run`.

    Attributes:
        values: the figures as plain JSON, null where one is not finite. Likelihoods are in nats per
            row; ``bits_per_dim`` is there if p(x) is a probability over the levels of 8-bit images.
        warning: why the log-likelihood is not to be trusted, in plain words, or None.

    >>> figures = Figures({"data": "customers", "log_likelihood": -3.5}, warning=None)
    >>> figures.values["log_likelihood"], figures.warning
    (-3.5, None)
    """

    values: dict[str, Any]
    warning: str | None


def evaluate_run(
    fitted: FittedModel,
    data: Dataset,
    *,
    num_samples: int = NUM_SAMPLES,
    seed: int = 0,
    part: str = "all",
) -> Figures:
    """Evaluate on ``data``, on the device that the model is on, in the data's own units.

    `pyro_gmvae.GMVAE.score` gives the same log-likelihood for the same rows.

    Args:
        fitted: a trained model.
        data: rows that conform to it.
        num_samples: importance samples for each row.
        seed: fixes every draw.
        part: the name of these rows in the figures.

    Raises:
        InputError: for ``num_samples`` out of range.

    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> figures = evaluate_run(fitted, data, num_samples=20)
    >>> figures.values["clusters"], figures.values["data"]
    (2, 'array')
    """
    num_samples = whole("samples", num_samples, least=1, most=MOST_DRAWS)
    evaluation = fitted.evaluate(data, num_samples=num_samples, seed=seed)
    about = {"data": data.name, "split": part, "clusters": fitted.gmvae.n_components}
    return Figures(about | evaluation.to_dict(), evaluation.likelihood.warning)
