"""Offer the clusters of rows by a fitted estimator, and none for rows that fit nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError
from pyro_gmvae.estimator.room import Room
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.segments import ClusterAssignment, assign

if TYPE_CHECKING:
    import pandas

__all__ = ["AssignMixin"]


class AssignMixin(Room):
    """Add `predict`, `predict_proba` and `assign` to an estimator that holds a `FittedModel`.

    >>> from pyro_gmvae import GMVAE
    >>> X = np.random.RandomState(0).randn(100, 2)
    >>> options = {"max_iter": 1, "hidden": (4,), "init_params": "random", "random_state": 0}
    >>> model = GMVAE(2, reject=0.05, **options).fit(X)
    >>> model.predict([[0.1, 0.1], [50.0, -50.0]])[1]
    np.int64(-1)
    >>> model.assign([[50.0, -50.0]])["rejected_because"].tolist()
    ['unlike']
    """

    def predict(self, X: Any, *, covariates: Any = None) -> np.ndarray:  # noqa: N803
        """Return the likeliest cluster of each row, shape ``(N,)``; -1 if `reject` rejects it.

        Args:
            X: data.
            covariates: those of the same rows, in the form and with the names that ``fit`` had.
                A model that was fitted with covariates needs them. A cell that is not known may be
                missing; it counts as in `fit`.

        Raises:
            InputError: for data or covariates that do not fit the model, or if rows are to be
                rejected and the model was fitted without ``reject`` on fewer rows than can be held
                out.

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> np.bincount(gmvae.predict(X)).tolist()
        [30, 30]
        """
        data, fitted = self._ready(X, covariates)
        return self._assigned(data, fitted).cluster.numpy()

    def predict_proba(self, X: Any, *, covariates: Any = None) -> np.ndarray:  # noqa: N803
        """Return q(y|x), shape ``(N, K)``, or q(y|x,w) with ``covariates`` as in `predict`.

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> gmvae.predict_proba(X).shape
        (60, 2)
        """
        data, fitted = self._ready(X, covariates)
        return fitted.responsibilities(data.x, data.w).numpy()

    def assign(
        self,
        X: Any,  # noqa: N803
        *,
        reject: float | None = None,
        covariates: Any = None,
    ) -> pandas.DataFrame:
        """Return the clusters of each row, with how likely they are and how typical the row is.

        The columns are those of ``pyro-gmvae predict --density``: ``cluster``, ``probability``,
        ``second_cluster``, ``second_probability``, ``log_p``, in nats in the units of ``X``, by 100
        importance samples, and ``typicality``, the share of rows held out of training that are less
        likely. With ``reject`` a rejected row has cluster -1, and the columns ``rejected_because``
        (``"unlike"`` if no cluster explains the row, ``"torn"`` if it lies between clusters, else
        empty) and ``likeliest_cluster`` are there too. A second cluster of a model of one cluster
        is -1. Typicality is NaN if no rows were held out.

        Args:
            X: data. The frame has the index of a pandas one.
            reject: the share of rows like those of training to reject (see
                `pyro_gmvae.evaluation.Calibration.reject`); None takes the parameter of the
                constructor.
            covariates: as in `predict`.

        Raises:
            InputError: as `predict`, or for a share that is none, or too small for the rows held
                out.

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> list(gmvae.assign(X).columns[:3]), len(gmvae.assign(X))
        (['cluster', 'probability', 'second_cluster'], 60)
        """
        data, fitted = self._ready(X, covariates)
        frame = self._assigned(data, fitted, reject=reject, density=True).to_frame()
        return frame.set_axis(X.index) if hasattr(X, "iloc") else frame

    def _assigned(
        self,
        data: Dataset,
        fitted: FittedModel,
        *,
        reject: float | None = None,
        density: bool = False,
    ) -> ClusterAssignment:
        reject = self._own.reject if reject is None else reject
        if reject is not None and fitted.calibration is None:
            raise InputError(
                "this model knows no rows that were held out of its training, so that it cannot "
                "tell which rows to reject: fit it with reject, or hold out at least 50 rows by "
                "validation_fraction"
            )
        return assign(fitted, data.x, data.w, density=density, reject=reject)
