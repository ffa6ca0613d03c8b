"""Keep the model of a training that failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.plan import Plan
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training import NonFiniteLossError

__all__ = ["last_good_weights"]


@contextmanager
def last_good_weights(plan: Plan, gmvae: GMVAE) -> Iterator[None]:
    """Give the model along with the error where the loss is not finite.

    >>> from pyro_gmvae.data import load_splits
    >>> from pyro_gmvae.fitting.plan import plan
    >>> from pyro_gmvae.fitting.settings import Settings
    >>> made = plan(Settings.of("digits", clusters=3, hidden=(4,)), load_splits("digits", seed=0))
    >>> try:
    ...     with last_good_weights(made, made.make_model(seed=0)):
    ...         raise NonFiniteLossError(7, "x")
    ... except NonFiniteLossError as error:
    ...     error.fitted.about.stopped
    'non-finite loss'
    """
    try:
        yield
    except NonFiniteLossError as error:
        about = replace(plan.about, stopped="non-finite loss")
        error.fitted = FittedModel(
            gmvae.eval(), plan.encoding, about, covariates=plan.covariates
        ).to("cpu")
        raise
