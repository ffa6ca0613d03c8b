"""Gather what the decisions of a training are made from: settings, rows, what both imply."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from pyro_gmvae.data import Dataset, Encoding, KindDefaults, Splits
from pyro_gmvae.data.covariates import CovariateDesign
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.covariates import covariates_of
from pyro_gmvae.fitting.regularizers import make_regularizer
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.likelihoods import Support, likelihood_class
from pyro_gmvae.models import Regularizer
from pyro_gmvae.models.labels import check_labels
from pyro_gmvae.models.must_link import check_must_link

__all__ = ["Case", "as_input_error"]


@dataclass(frozen=True, eq=False)
class Case:
    """Hold the settings and the rows of a training, and what follows from them alone.

    Attributes:
        settings: the settings of the user.
        splits: the rows in their parts, of one kind, without training rows whose weight is zero.
        before: the model that training goes on from, or None.
        covariates: the map from covariates to those of p(y|w), or None.
        likelihood: the name of the likelihood.
        support: the support of the likelihood.
        encoding: from raw rows to model scale.
        regularizer: the regulariser of the model, or None.
        device: where the training runs.
        laws: whether each column of a table has a law of its own, at whose mixture a training can
            begin.
        usual: the settings that a training on such rows has by default.

    >>> from pyro_gmvae.data import load_splits
    >>> splits = load_splits("digits", seed=0)
    >>> case = Case.of(Settings.of("digits", device="cpu"), splits, None)
    >>> case.likelihood, case.regularized, case.known, case.laws
    ('continuous_bernoulli', True, False, False)
    """

    settings: Settings
    splits: Splits
    before: FittedModel | None
    covariates: CovariateDesign | None
    likelihood: str
    support: Support
    encoding: Encoding
    regularizer: Regularizer | None
    device: Literal["cpu", "cuda"]
    laws: bool
    usual: KindDefaults

    @classmethod
    def of(cls, settings: Settings, splits: Splits, before: FittedModel | None) -> Case:
        """Look at the rows, fit their encoding, and refuse rows that do not fit the settings.

        Args:
            settings: the settings of the user.
            splits: the rows in their parts.
            before: a model to go on from, whose encoding and likelihood are kept, or None.

        Raises:
            InputError: for rows that do not fit the settings.
        """
        if splits.train.weights is not None:
            splits = splits.counted()
        if before is None:
            splits = splits.of_kind(defaults.kind(settings.data.kind, splits.train))
        train, kind, model = splits.train, splits.train.kind, settings.model
        _check_rows(settings, splits)
        covariates = covariates_of(settings, splits, before)

        if before is None:
            likelihood = defaults.likelihood(model.likelihood, model.binarize, train)
        else:
            likelihood = str(before.gmvae.options["likelihood"])
        with as_input_error():
            support = likelihood_class(likelihood).support
        if before is None:
            binarize = defaults.binarize(model.binarize)
            encoding = kind.fit(train, support, likelihood=likelihood, binarize=binarize)
        else:
            encoding = before.encoding
        if splits.stream is not None and splits.stream.extremes is not None:
            encoding.check(splits.stream.extremes, support, likelihood)

        regularizer = make_regularizer(
            defaults.regularize(settings.start.regularize, kind, train.event_shape),
            train.x,
            encoding,
            strength=settings.start.regularizer_strength,
            seed=settings.training.seed,
        )
        device = defaults.device(settings.hardware.device)
        if before is None:
            regularized = regularizer is not None
            laws = defaults.laws(model, likelihood, support, train, regularized=regularized)
        else:
            laws = before.gmvae.options["table"] is not None
        usual = kind.usual(support, splits.n_trained, laws=laws)
        return cls(
            settings=settings,
            splits=splits,
            before=before,
            covariates=covariates,
            likelihood=likelihood,
            support=support,
            encoding=encoding,
            regularizer=regularizer,
            device=device,
            laws=laws,
            usual=usual,
        )

    @property
    def train(self) -> Dataset:
        """Return the training rows."""
        return self.splits.train

    @property
    def regularized(self) -> bool:
        """Return True if the model has a regulariser."""
        return self.regularizer is not None

    @property
    def known(self) -> bool:
        """Return True if labels or groups of some rows are known."""
        return self.train.labels is not None or self.train.must_link is not None


@contextmanager
def as_input_error() -> Iterator[None]:
    """Turn a constructor's refusal of what the user asked for into an `InputError`.

    >>> with as_input_error():
    ...     raise ValueError("epochs must be at least 1")
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: epochs must be at least 1
    """
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from error


def _check_rows(settings: Settings, splits: Splits) -> None:
    train, clusters = splits.train, settings.model.clusters
    if clusters > len(train):
        held_out = sum(map(len, splits)) - len(train)
        less = ", or hold out fewer rows than validation_fraction does" if held_out else ""
        raise InputError(
            f"{clusters} clusters are more than the {len(train)} training rows of {train.name}: "
            f"use fewer clusters, or more data{less}"
        )
    if train.labels is not None:
        check_labels(train.labels, clusters)
        if not (train.labels >= 0).any():
            raise InputError(
                "every row with a label is held out: label more rows, or hold out fewer"
            )
    if train.must_link is not None:
        check_must_link(train.must_link, len(train))
