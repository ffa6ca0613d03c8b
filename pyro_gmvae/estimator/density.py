"""Offer what a fitted estimator says of the density of rows: scores, criteria, draws, gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from pyro_gmvae.data import Dataset, Encoding
from pyro_gmvae.data.weights import weights_of_rows
from pyro_gmvae.estimator.given_rows import filled_as_given
from pyro_gmvae.estimator.parameters import generator_of
from pyro_gmvae.estimator.room import Room
from pyro_gmvae.evaluation import LogLikelihood, aic, bic, free_parameters
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.ranges import MOST_ROWS, whole

__all__ = ["DensityMixin"]


class DensityMixin(Room):
    """Add scores, criteria, draws and filled gaps to an estimator that holds a `FittedModel`.

    >>> from pyro_gmvae import GMVAE
    >>> X = np.arange(20.0).reshape(10, 2)
    >>> X[3, 1] = np.nan
    >>> options = {"max_iter": 1, "hidden": (4,), "clusters_are": "held", "random_state": 0}
    >>> model = GMVAE(2, **options).fit(X, sample_weight=[2] * 5 + [1] * 5)
    >>> bool(np.isnan(model.impute(X)).any()), model.sample(3)[0].shape
    (False, (3, 2))
    >>> model.bic(X) > -2 * len(X) * model.score(X)
    True
    """

    encoding_: Encoding
    random_state: Any

    def score_samples(self, X: Any, *, covariates: Any = None) -> np.ndarray:  # noqa: N803
        """Estimate log p(x) in the units of ``X``, in nats, shape ``(N,)``, by importance sampling.

        It is a lower bound in expectation, tighter with more ``num_samples``. A row's figure does
        not depend on the other rows. Missing cells are left out, so that it is log p of the others.
        ``pyro-gmvae evaluate`` gives their mean for the same rows. Images are scored on [0, 1],
        under a discretised logistic by the probability of their levels.

        With ``covariates``, as in `predict`, it is log p(x|w).

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> log_p = gmvae.score_samples([[0.0, 0.0], [90.0, 90.0]])
        >>> bool(log_p[0] > log_p[1])  # the second row is far from all others
        True
        """
        data, fitted = self._ready(X, covariates)
        figures = self._figures(data, fitted)
        return figures.log_p.to(fitted.gmvae.model.component_loc.dtype).numpy()

    def score(
        self,
        X: Any,  # noqa: N803
        y: Any = None,
        sample_weight: Any = None,
        *,
        covariates: Any = None,
    ) -> float:
        """Return the mean of `score_samples`, of rows that count by their weights.

        Args:
            X: data.
            y: ignored.
            sample_weight: as in ``fit``; None counts all rows alike.
            covariates: as in `predict`.

        Raises:
            InputError: for data that do not fit the model, or weights that are none.

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> bool(abs(gmvae.score(X) - gmvae.score_samples(X).mean()) < 1e-6)
        True
        """
        return self._figures(*self._ready(X, covariates), sample_weight).mean

    def bic(self, X: Any, sample_weight: Any = None) -> float:  # noqa: N803
        r"""Return the Bayesian information criterion on ``X``; lower is better.

        It is :math:`-2 \sum_i w_i \log p(x_i) + P \log \sum_i w_i`. P counts the free parameters of
        the generative model: p(y), if it is learned (K - 1), p(z|y) (2 K Z), and all weights of
        p(x|z), the decoder. The networks of q count for nothing. The importance-sampled bound of
        `score_samples` stands for log p(x), so that the criterion is too high rather than too low.
        A decoder of many weights is regularised by its training, which P does not know: compare
        models of the same ``hidden``, and see ``pyro-gmvae select`` for a choice by held-out rows.

        Args:
            X: data.
            sample_weight: as in ``fit``; None counts all rows alike.

        Raises:
            InputError: for data that do not fit the model, or weights that are none.

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> one = GMVAE(1, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> gmvae.bic(X) < one.bic(X)
        True
        """
        figures = self._figures(*self._ready(X), sample_weight)
        return bic(figures, free_parameters(self.fitted_.gmvae))

    def aic(self, X: Any, sample_weight: Any = None) -> float:  # noqa: N803
        r"""Return Akaike's information criterion on ``X``; lower is better.

        It is :math:`-2 \sum_i w_i \log p(x_i) + 2 P`, with the log-likelihood and the number of
        parameters of `bic`, and its limits.

        Args and errors: as in `bic`.

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> one = GMVAE(1, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> gmvae.aic(X) < one.aic(X)
        True
        """
        figures = self._figures(*self._ready(X), sample_weight)
        return aic(figures, free_parameters(self.fitted_.gmvae))

    def sample(self, n_samples: int = 1, *, given: Any = None) -> tuple[Any, np.ndarray]:
        """Draw data from the model, in the units of ``X``; the same for the same ``random_state``.

        Args:
            n_samples: number of draws; with ``given``, of draws for each of its rows.
            given: rows with missing cells, which are drawn given the other cells, from
                p(x_A | x_B); None draws whole rows.

        Returns:
            The data, shape ``(n_samples, D)`` or ``(n_samples, C, H, W)``, and their clusters,
            shape ``(n_samples,)``, in ascending order. The data are a pandas data frame if `fit`
            had one with columns of text, dates or truth values, else an array. With ``given`` there
            are ``n_samples`` rows for each of its rows, in its order and form, and the likeliest
            cluster of each.

        Raises:
            InputError: if ``n_samples`` is no whole number from 1 on, if so many rows do not fit
                into memory, or if ``given`` does not fit the model, or the model takes no gaps.

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> drawn, clusters = gmvae.sample(100)
        >>> drawn.shape, np.unique(clusters).tolist()
        ((100, 2), [0, 1])
        """
        check_is_fitted(self)
        number = whole("n_samples", n_samples, least=1, most=MOST_ROWS)
        seed = int(generator_of(self.random_state).randint(2**31 - 1))
        if given is not None:
            data, fitted = self._ready(given)
            rows, clusters = fitted.sample_given(number, data.x, seed=seed)
            return filled_as_given(self, given, rows, self.encoding_, number), clusters.numpy()
        x, y = self.fitted_.sample(number, seed=seed)
        order = y.argsort(stable=True)
        return self.encoding_.as_given(x[order]), y[order].numpy()

    def impute(self, X: Any, *, draw: bool = False) -> Any:  # noqa: N803
        """Fill the missing cells of ``X`` by what the model says of them given the other cells.

        Args:
            X: a table; cells that are not missing are kept as they are.
            draw: fill with a draw from p(x_A | x_B), the same for the same ``random_state``;
                otherwise numbers get their mean on model scale, counts theirs, rounded, and levels
                the likeliest one.

        Returns:
            A data frame of the columns of ``X`` if it is one, else an array ``(N, D)``.

        Raises:
            InputError: for data that do not fit the model, or a model that takes no gaps.

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> X[0, 0] = np.nan
        >>> filled = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X).impute(X)
        >>> int(np.isnan(X).sum()), int(np.isnan(filled).sum())
        (1, 0)
        """
        data, fitted = self._ready(X)
        seed = int(generator_of(self.random_state).randint(2**31 - 1)) if draw else 0
        number = self._own.num_samples
        filled = fitted.impute(data.x, draw=bool(draw), num_samples=number, seed=seed)
        return filled_as_given(self, X, filled, self.encoding_)

    def to_inference_data(
        self,
        X: Any,  # noqa: N803
        *,
        num_draws: int = 100,
        num_samples: int | None = None,
        prior: bool = True,
        feature_names: Sequence[str] | None = None,
        batch_size: int | None = None,
        seed: int = 0,
    ) -> Any:
        """Export what the model says of ``X``, for ArviZ.

        Args:
            X: data.
            num_draws: draws of z and x for each row.
            num_samples: importance samples for each row; None is the estimator's parameter.
            prior: whether to draw from the model without ``X`` too.
            feature_names: coordinates of the last dimension of x; None takes the names of the
                columns.
            batch_size, seed: as in `pyro_gmvae.evaluation.to_inference_data`.

        Raises:
            InputError: for data that do not fit the model, a size out of range, or a wrong number
                of feature names.

        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> data = gmvae.to_inference_data(X, num_draws=5, num_samples=20)
        >>> data.posterior["responsibilities"].shape  # a chain, draws, rows, clusters
        (1, 5, 60, 2)
        """
        data, _ = self._ready(X)
        if feature_names is None:
            feature_names = self.encoding_.model_names
        return self.fitted_.to_inference_data(
            data.x,
            num_draws=num_draws,
            num_samples=self._own.num_samples if num_samples is None else num_samples,
            prior=prior,
            feature_names=feature_names,
            batch_size=batch_size,
            seed=seed,
        )

    def _figures(
        self, data: Dataset, fitted: FittedModel, sample_weight: Any = None
    ) -> LogLikelihood:
        weights = None if sample_weight is None else weights_of_rows(sample_weight, len(data))
        return fitted.log_likelihood(
            data.x, data.w, num_samples=self._own.num_samples, diagnostics=False, weights=weights
        )
