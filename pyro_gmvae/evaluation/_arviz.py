"""Use ArviZ before and after its version 1, and import it late because that takes a second."""

from __future__ import annotations

import warnings
from importlib import import_module
from types import ModuleType

import numpy as np
from jaxtyping import Float

__all__ = ["import_arviz", "is_before_1", "pareto_k"]

MIN_WEIGHTS = 30  # ArviZ 1 fits a generalised Pareto distribution to a fifth of these, not of fewer


def import_arviz() -> ModuleType:
    """Import ArviZ without the warning by which 0.23 announces 1.0.

    >>> import_arviz().__name__
    'arviz'
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    return arviz


def is_before_1(arviz: ModuleType) -> bool:
    """Return True if ArviZ is 0.x, with `InferenceData`, and not 1.x, with `DataTree`.

    >>> newer = ModuleType("arviz")
    >>> newer.__version__ = "1.1.0"
    >>> is_before_1(newer)
    False
    """
    return arviz.__version__.startswith("0.")


def pareto_k(log_weights: Float[np.ndarray, "B S"]) -> Float[np.ndarray, " B"]:
    """Compute Pareto k-hat of each datum's importance weights.

    Weights that are all equal have no tail, so k is 0. With too few weights to fit a tail (below 30
    samples) k is NaN. It is infinite if the largest weight is not finite, if all weights are zero,
    and if ArviZ refuses a tail of equal weights.

    Raises:
        ImportError: if the installed ArviZ has no PSIS in the expected places.

    Reference: Vehtari et al. 2024, Pareto smoothed importance sampling, JMLR 25(72).

    >>> pareto_k(np.zeros((1, 100)))  # equal weights have no tail
    array([0.])
    >>> pareto_k(np.zeros((1, 10)))  # too few weights
    array([nan])
    """
    highest = log_weights.max(-1)
    k = np.full(len(log_weights), np.nan)
    if log_weights.shape[-1] >= MIN_WEIGHTS:
        equal = highest - log_weights.min(-1, initial=np.inf, where=np.isfinite(log_weights)) < 1e-6
        fit = np.isfinite(highest) & ~equal
        k[equal] = 0.0
        if fit.any():
            k[fit] = _fit(log_weights[fit])
    k[~np.isfinite(highest)] = np.inf
    return k


@np.errstate(over="ignore")  # of a very heavy tail ArviZ computes an infinite quantile
def _fit(log_weights: np.ndarray) -> np.ndarray:
    psislw = getattr(import_arviz(), "psislw", None)
    if psislw is None:
        try:
            new_psislw = import_module("arviz_stats.base").array_stats.psislw
        except (ImportError, AttributeError) as error:
            raise ImportError(
                "this ArviZ has neither arviz.psislw (0.x) nor arviz_stats.base.array_stats.psislw "
                "(1.x), which Pareto k-hat needs: install arviz 0.23"
            ) from error
        # Since 1.0 it takes log-likelihoods and smooths the weights of leave-one-out.
        try:
            return new_psislw(-log_weights)[1]
        except ValueError:  # all weights of a row's tail are the same
            if len(log_weights) == 1:
                return np.array([np.inf])
            return np.concatenate([_fit(row[None]) for row in log_weights])
    return psislw(log_weights)[1]
