"""Turn a decoder's output into the likelihood p(x | z).

A likelihood is a module that turns a decoder's output into a Pyro distribution over one
observation. It declares the shape of that output (`output_shape`) and may have parameters of its
own. To add one, subclass `Likelihood` and define `entrywise` and, if needed, `output_shape`. Every
likelihood must pass the test case in `tests/helpers/likelihood_contract.py`.

============================== ========================= ===============================
name                           entries                   the decoder gives
============================== ========================= ===============================
`bernoulli`                    0 or 1                    a logit
`continuous_bernoulli`         between 0 and 1           a logit
`gaussian`                     real                      a mean
`gaussian_predicted`           real                      a mean, a scale
`discretized_logistic`         k / 255 of 8-bit images   a location, a scale
`discretized_logistic_mixture` k / 255 of 8-bit images   5 locations, scales and weights
============================== ========================= ===============================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from pyro_gmvae.likelihoods.base import Likelihood
from pyro_gmvae.likelihoods.gaussian import Gaussian
from pyro_gmvae.likelihoods.levels import DiscretizedLogistic, DiscretizedLogisticMixture
from pyro_gmvae.likelihoods.unit_interval import Bernoulli, ContinuousBernoulli

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "Gaussian",
    "Likelihood",
    "make_likelihood",
]

LIKELIHOODS: dict[str, Callable[[Sequence[int]], Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
    "gaussian_predicted": partial(Gaussian, scale="predicted"),
    "discretized_logistic": DiscretizedLogistic,
    "discretized_logistic_mixture": DiscretizedLogisticMixture,
}


def make_likelihood(
    likelihood: str | type[Likelihood] | Likelihood, event_shape: Sequence[int]
) -> Likelihood:
    """Make a likelihood for observations of ``event_shape`` from its name, class or instance.

    Raises:
        ValueError: for an unknown name, or an instance made for another shape.

    >>> make_likelihood("gaussian", (3,)).event_shape
    (3,)
    """
    if isinstance(likelihood, str):
        if likelihood not in LIKELIHOODS:
            raise ValueError(
                f"unknown likelihood {likelihood!r}; choose from {sorted(LIKELIHOODS)}"
            )
        return LIKELIHOODS[likelihood](event_shape)
    if isinstance(likelihood, type):
        return likelihood(event_shape)
    if likelihood.event_shape != tuple(event_shape):
        raise ValueError(
            f"the likelihood is for observations of shape {likelihood.event_shape}, "
            f"the data have {tuple(event_shape)}"
        )
    return likelihood
