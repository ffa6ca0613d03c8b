"""Offer what a fitted estimator says of its clusters as segments: outcomes, rules, covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyro_gmvae.data import Dataset
from pyro_gmvae.data.weights import weights_of_rows
from pyro_gmvae.estimator.room import Room
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.segments import (
    RESAMPLES,
    RuleList,
    SegmentDescription,
    SegmentLogit,
    covariates_of_run,
    describe_run,
    effects_of_run,
    rules_of_run,
)

__all__ = ["DescribedMixin"]


class DescribedMixin(Room):
    """Add outcomes, covariates and rules of clusters to an estimator with a `FittedModel`.

    >>> import numpy as np
    >>> from pyro_gmvae import GMVAE
    >>> rng = np.random.default_rng(0)
    >>> segment = np.repeat([0, 1], 100)
    >>> X = rng.normal(6.0 * segment[:, None], 1.0, (200, 2))
    >>> model = GMVAE(2, max_iter=3, random_state=0).fit(X)
    >>> spend = rng.normal(100.0 + 50.0 * segment, 5.0)
    >>> found = model.describe(X, {"spend": spend})["spend"]
    >>> sorted(round(s.estimates[0].value, -1) for s in found.segments)
    [100.0, 150.0]
    >>> len(model.rules(X, max_depth=1).rules)
    2
    """

    def describe(
        self,
        X: Any,  # noqa: N803
        outcomes: Any,
        *,
        sample_weight: Any = None,
        correction: str = "bch",
        assignment: str = "proportional",
        confidence: float = 0.95,
        kinds: Mapping[str, str] | None = None,
        resamples: int = RESAMPLES,
        covariates: Any = None,
    ) -> SegmentDescription:
        """Describe columns that were not clustered on, such as revenue or churn, by cluster.

        Means and shares are corrected for rows that are in a cluster that is not theirs; intervals
        and tests come with them (see `pyro_gmvae.segments.describe_outcomes`). ``print`` shows the
        result as tables.

        Args:
            X: rows, such as those of ``fit``.
            outcomes: a data frame, a named column, a dict from names to columns, or an array
                ``(N,)``, of the same rows in the same order. Gaps are left out.
            sample_weight: as in ``fit``; None counts all rows alike.
            correction: ``"bch"``, which assumes no law of the outcome, or ``"ml"``, the likelihood.
            assignment: ``"proportional"`` or ``"modal"``.
            confidence: the probability of the intervals.
            kinds: kinds of outcomes by name, where a guess is wrong, such as
                ``{"region": "category"}``.
            resamples: fits of the segments of a table to resamples of the rows, by which the
                intervals count that the segments were estimated; 0 takes them as known.
            covariates: those of the same rows, if the model was fitted with covariates.

        Raises:
            InputError: for rows or outcomes that do not fit, or an outcome that was clustered on.

        Warns:
            DataWarning: for clusters of which few rows tell.

        >>> import numpy as np
        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> churn = np.repeat(["no", "yes"], 30)
        >>> found = gmvae.describe(X, {"churn": churn}, resamples=0)
        >>> sorted(round(abs(s.estimates[1].value), 2) for s in found["churn"].segments)
        [0.0, 1.0]
        """
        data, fitted = self._weighted(X, sample_weight, covariates)
        return describe_run(
            fitted,
            data,
            outcomes,
            correction=correction,
            assignment=assignment,
            confidence=confidence,
            kinds=kinds,
            resamples=resamples,
        )

    def covariates(
        self,
        X: Any,  # noqa: N803
        covariates: Any,
        *,
        sample_weight: Any = None,
        assignment: str = "proportional",
        confidence: float = 0.95,
        kinds: Mapping[str, str] | None = None,
        bootstrap: int = 0,
        resamples: int = RESAMPLES,
    ) -> SegmentLogit:
        """Say who is likely to be in which cluster, by a multinomial logit of other columns.

        It is for a model without covariates; `covariate_effects` is for one that was fitted with
        covariates. The coefficients are corrected for rows that are in a cluster that is not theirs
        (see `pyro_gmvae.segments.segment_logit`). ``print`` shows them as a table.

        Args:
            X: rows, such as those of ``fit``.
            covariates: columns of the same rows that were not clustered on, as the outcomes of
                `describe`. Rows with a gap are left out.
            sample_weight, assignment, confidence, kinds, resamples: as in `describe`.
            bootstrap: number of resamples of the rows for a second standard error; 0 for none.

        Raises:
            InputError: for rows or covariates that do not fit, or one that was clustered on.

        >>> import numpy as np
        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> age = np.random.default_rng(1).normal(size=60) + np.repeat([40.0, 41.0], 30)
        >>> logit = gmvae.covariates(X, {"age": age}, resamples=0)
        >>> [c.covariate for c in logit.coefficients]
        [None, 'age']
        """
        data, fitted = self._weighted(X, sample_weight)
        return covariates_of_run(
            fitted,
            data,
            covariates,
            assignment=assignment,
            confidence=confidence,
            kinds=kinds,
            bootstrap=bootstrap,
            resamples=resamples,
        )

    def covariate_effects(
        self,
        X: Any,  # noqa: N803
        covariates: Any,
        *,
        sample_weight: Any = None,
        confidence: float = 0.95,
        resamples: int = RESAMPLES,
    ) -> SegmentLogit:
        """Say what the covariates that the model was fitted with tell of the cluster.

        They are the coefficients of p(y|w), in the units of ``covariates``, with errors by fits of
        the clusters to resamples of the rows (see `pyro_gmvae.segments.effects_of_run`). ``print``
        shows them as a table.

        Args:
            X: rows, such as those of ``fit``.
            covariates: those of the same rows, as in ``fit``.
            sample_weight, confidence: as in `describe`.
            resamples: the number of resamples, two or more.

        Raises:
            InputError: for rows that do not fit, or a model that was fitted without covariates.

        >>> import numpy as np
        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> w = {"age": np.random.default_rng(1).normal(size=60) + np.repeat([40.0, 41.0], 30)}
        >>> gmvae = GMVAE(2, max_iter=1, random_state=0).fit(X, covariates=w)
        >>> effects = gmvae.covariate_effects(X, w, resamples=2)
        >>> [c.covariate for c in effects.coefficients]
        [None, 'age']
        """
        data, fitted = self._weighted(X, sample_weight, covariates)
        return effects_of_run(fitted, data, confidence=confidence, resamples=resamples)

    def rules(
        self,
        X: Any,  # noqa: N803
        max_depth: int = 3,
        *,
        sample_weight: Any = None,
        covariates: Any = None,
    ) -> RuleList:
        """Say the clusters by a few rules of the columns, as text and as SQL.

        The rules are those of one shallow tree, of which every row meets one. They are only near
        the model: ``fidelity`` says how near, on rows that were held out. ``print`` shows the
        rules, ``to_sql()`` is a ``CASE`` expression for a database.

        Args:
            X: rows of a table, such as those of ``fit``.
            max_depth: the most questions for a row.
            sample_weight: as in ``fit``; None counts all rows alike.
            covariates: as in `describe`; the rules are of the columns of X alone.

        Raises:
            InputError: for rows that do not fit, fewer than 20 of them, or images.

        >>> import numpy as np
        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> gmvae.rules(X, max_depth=1).fidelity
        1.0
        """
        data, fitted = self._weighted(X, sample_weight, covariates)
        return rules_of_run(fitted, data, max_depth=max_depth)

    def _weighted(
        self,
        X: Any,  # noqa: N803
        sample_weight: Any,
        covariates: Any = None,
    ) -> tuple[Dataset, FittedModel]:
        data, fitted = self._ready(X, covariates)
        if sample_weight is not None:
            data = replace(data, weights=weights_of_rows(sample_weight, len(data)))
        return data, fitted
