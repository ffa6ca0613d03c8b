"""Say what the estimator gives the rooms that it is put together of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyro_gmvae.data import Dataset
from pyro_gmvae.estimator.parameters import OwnParameters
from pyro_gmvae.fitted import FittedModel

__all__ = ["Room"]


class Room:
    """Stand for an estimator that holds a `FittedModel`, in the rooms that add methods to it.

    >>> from pyro_gmvae import GMVAE
    >>> issubclass(GMVAE, Room)
    True
    """

    fitted_: FittedModel

    if TYPE_CHECKING:

        @property
        def _own(self) -> OwnParameters: ...

        def _ready(
            self,
            X: Any,  # noqa: N803
            covariates: Any = None,
        ) -> tuple[Dataset, FittedModel]: ...
