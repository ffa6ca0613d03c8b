"""Give a decoder's output its meaning: the likelihood p(x | z).

A likelihood is a module that turns a decoder's output into a Pyro distribution over one
observation. It says which numbers it takes (`Likelihood.support`) and which shape it wants of the
decoder (`output_shape`), and may own parameters. Add one in two places: subclass `Likelihood` in a
file here, and name it in `LIKELIHOODS`. Every likelihood must pass the test case in
`tests/helpers/likelihood_contract.py`.

============================== ========================= ===============================
name                           entries                   the decoder gives
============================== ========================= ===============================
`bernoulli`                    0 or 1                    a logit
`continuous_bernoulli`         between 0 and 1           a logit
`gaussian`                     real                      a mean
`gaussian_predicted`           real                      a mean, a scale
`discretized_logistic`         k / 255 of 8-bit images   a location, a scale
`discretized_logistic_mixture` k / 255 of 8-bit images   5 locations, scales and weights
`table`                        numbers, counts, levels   one vector for all columns
============================== ========================= ===============================

Nothing heavy is imported here, so that the command line can list the names at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyro_gmvae.likelihoods.base import Likelihood, Support
    from pyro_gmvae.likelihoods.gaussian import Gaussian, PredictedGaussian
    from pyro_gmvae.likelihoods.levels import DiscretizedLogistic, DiscretizedLogisticMixture
    from pyro_gmvae.likelihoods.table import Table, TableStructure
    from pyro_gmvae.likelihoods.unit_interval import Bernoulli, ContinuousBernoulli

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "DiscretizedLogisticMixture",
    "Gaussian",
    "Likelihood",
    "PredictedGaussian",
    "Support",
    "Table",
    "TableStructure",
    "likelihood_class",
    "make_likelihood",
]

# A class, or the file here that holds it and its name.
LIKELIHOODS: dict[str, str | type[Likelihood]] = {
    "bernoulli": "unit_interval:Bernoulli",
    "continuous_bernoulli": "unit_interval:ContinuousBernoulli",
    "gaussian": "gaussian:Gaussian",
    "gaussian_predicted": "gaussian:PredictedGaussian",
    "discretized_logistic": "levels:DiscretizedLogistic",
    "discretized_logistic_mixture": "levels:DiscretizedLogisticMixture",
    "table": "table:Table",
}


def likelihood_class(name: str) -> type[Likelihood]:
    """Return the likelihood that has a name in `LIKELIHOODS`.

    Raises:
        ValueError: for an unknown name.

    >>> likelihood_class("bernoulli").__name__
    'Bernoulli'
    """
    if name not in LIKELIHOODS:
        raise ValueError(f"unknown likelihood {name!r}; choose from {sorted(LIKELIHOODS)}")
    found = LIKELIHOODS[name]
    if isinstance(found, str):
        module, _, attribute = found.partition(":")
        loaded: type[Likelihood] = getattr(import_module(f"{__name__}.{module}"), attribute)
        return loaded
    return found


def make_likelihood(
    likelihood: str | type[Likelihood] | Likelihood, event_shape: Sequence[int], **options: Any
) -> Likelihood:
    """Build a likelihood for observations of ``event_shape`` from its name, class or instance.

    Args:
        likelihood: a name in `LIKELIHOODS`, a class or an instance.
        event_shape: the shape of one observation.
        options: further arguments of the class, such as the ``structure`` of a table.

    Raises:
        ValueError: for an unknown name, or an instance made for another shape.

    >>> make_likelihood("gaussian", (3,)).event_shape
    (3,)
    """
    if isinstance(likelihood, str):
        likelihood = likelihood_class(likelihood)
    if isinstance(likelihood, type):
        return likelihood(event_shape, **options)
    if likelihood.event_shape != tuple(event_shape):
        raise ValueError(
            f"the likelihood is for observations of shape {likelihood.event_shape}, "
            f"the data have {tuple(event_shape)}"
        )
    return likelihood


_PLACES = {
    "Likelihood": "base",
    "Support": "base",
    "TableStructure": "table",
    **{
        target.partition(":")[2]: target.partition(":")[0]
        for target in LIKELIHOODS.values()
        if isinstance(target, str)
    },
}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
