"""Say the clusters of a run by a few rules of its columns."""

from __future__ import annotations

from pyro_gmvae.data import Dataset
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.segments import RuleList, rules_of_run

__all__ = ["run_rules"]


def run_rules(fitted: FittedModel, data: Dataset, *, max_depth: int = 3, seed: int = 0) -> RuleList:
    """Distil the clusters of a run into rules; see `pyro_gmvae.segments.distil_rules`.

    Raises:
        InputError: for a run of images, fewer than 20 rows, or a depth out of range.

    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> rules = run_rules(fitted, data, max_depth=2)
    >>> rules.max_depth
    2
    """
    return rules_of_run(fitted, data, max_depth=max_depth, seed=seed)
