"""Decide what a training needs to know of its covariates."""

from __future__ import annotations

from pyro_gmvae.data import Splits
from pyro_gmvae.data.covariates import CovariateDesign
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.settings import Settings

__all__ = ["covariates_of"]


def covariates_of(
    settings: Settings, splits: Splits, before: FittedModel | None
) -> CovariateDesign | None:
    """Lay the covariates of the training rows out.

    Args:
        settings: the settings of the user.
        splits: the rows in their parts.
        before: the model that training goes on from, or None.

    Raises:
        InputError: for covariates that say nothing, or settings that leave no room for them.

    >>> import pandas
    >>> from pyro_gmvae.data import from_frame
    >>> rows = from_frame(pandas.DataFrame({"spend": [1.5, 2.5, 9.5]}))
    >>> covariates_of(Settings.of("rows.csv"), Splits(rows, rows, rows), None) is None
    True
    """
    known = splits.train.covariates
    if before is not None and (known is not None or before.covariates is not None):
        raise InputError(
            "a training does not go on from a model where there are covariates: fit a new model on "
            "all rows"
        )
    if known is None:
        return None
    if settings.model.learn_mixture is False:
        raise InputError(
            "the clusters' shares are learned where they depend on covariates: leave learn_mixture "
            "out, or the covariates"
        )
    return CovariateDesign.fit(known)
