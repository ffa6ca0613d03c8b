"""Whether the parameters of the estimator are what a training can be made of."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from pyro_gmvae import models
from pyro_gmvae.training import STARTS

__all__ = ["check_parameters"]

COUNTS = (
    "n_components",
    "latent_dim",
    "n_init",
    "max_iter",
    "batch_size",
    "patience",
    "num_samples",
)
NUMBERS = ("learning_rate", "temperature", "kl_annealing", "validation_fraction")
OPTIONAL = ("batch_size", "kl_annealing", "patience")  # may be None


def check_parameters(gmvae: Any) -> None:
    """Those that no part below looks at.

    Args:
        gmvae: a `pyro_gmvae.GMVAE`, whose constructor takes whatever it is given.

    Raises:
        ValueError: for one of a wrong type or out of range.
    """
    words = {"method": tuple(models.METHODS), "init_params": STARTS}
    for name, known in words.items():
        if getattr(gmvae, name) not in known:
            raise ValueError(f"{name} must be one of {known}, got {getattr(gmvae, name)!r}")
    for name in ("likelihood", "regularize"):
        if not isinstance(getattr(gmvae, name), str):
            raise ValueError(
                f'{name} must be a name, such as "auto", got {getattr(gmvae, name)!r} (for your '
                "own, train a model of pyro_gmvae.models by pyro_gmvae.training.fit)"
            )
    for name in COUNTS:
        value = getattr(gmvae, name)
        if value is None and name in OPTIONAL:
            continue
        if not isinstance(value, Integral):
            raise ValueError(f"{name} must be an int, got {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    for name in NUMBERS:
        value = getattr(gmvae, name)
        if not isinstance(value, Real) and not (value is None and name in OPTIONAL):
            raise ValueError(f"{name} must be a number, got {value!r}")
    sizes = np.asarray(gmvae.hidden)
    if sizes.ndim != 1 or (len(sizes) and sizes.dtype.kind not in "iu"):
        raise ValueError(f"hidden must be ints, such as (128, 128), got {gmvae.hidden!r}")
    if not 0 <= gmvae.validation_fraction < 1:
        raise ValueError(f"validation_fraction must be in [0, 1), got {gmvae.validation_fraction}")
