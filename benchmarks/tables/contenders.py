"""List the methods that cluster a table, and run each on one.

All methods but ours are told the kinds of the columns; ours infers them from the data frame, unless
``told``.
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from benchmarks.tables.encoding import Encoded, Scale
from benchmarks.tables.mixture import Mixture
from benchmarks.tables.our_start import StartingMixture
from benchmarks.tables.rivals import fitted_stepmix, k_prototypes
from pyro_gmvae import GMVAE
from pyro_gmvae.errors import InputError

__all__ = ["CONTENDERS", "OURS", "Case", "our_model", "timed_labels"]

MOST_ROWS = 10_000  # that the reference mixture is fitted to


@dataclass(frozen=True)
class Case:
    """Describe a table to cluster.

    Attributes:
        frame: the table.
        kinds: of its columns.
        clusters: K.
        seed: of the method.
        labels: the true clusters, for the start at the truth alone.
        told: whether our model is told the kinds.
        options: parameters of our model beside the clusters, the seed and the schema.
    """

    frame: pd.DataFrame
    kinds: Mapping[str, str]
    clusters: int
    seed: int
    labels: np.ndarray | None = None
    told: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def encoded(self) -> Encoded:
        """Return the arrays that classical methods take."""
        return Scale.of(self.frame, self.kinds)(self.frame)


def options_of(arguments: Namespace) -> dict[str, Any]:
    """Return the options of our model that a study's command line names."""
    epochs = {} if arguments.epochs is None else {"max_iter": arguments.epochs}
    return {"device": arguments.device, **epochs}


def our_model(case: Case, clusters_are: str) -> GMVAE:
    """Train our model on the data frame."""
    options: dict[str, Any] = {"clusters_are": clusters_are, **case.options}
    if case.told:
        options["schema"] = dict(case.kinds)
    model = GMVAE(case.clusters, random_state=case.seed, **options)
    with warnings.catch_warnings():
        # The figures show what warnings of too few epochs and of bad clusters would say.
        warnings.simplefilter("ignore")
        return model.fit(case.frame)


def ours(clusters_are: str, case: Case) -> np.ndarray:
    """Cluster by our model."""
    return np.asarray(our_model(case, clusters_are).labels_)


def em(case: Case) -> np.ndarray:
    """Cluster by the mixture of per-column laws, the best of ten starts by its likelihood.

    It is fitted to at most 10,000 rows, drawn at random.
    """
    table = case.encoded
    some = np.random.default_rng(case.seed).permutation(len(table))[:MOST_ROWS]
    return Mixture(case.clusters, seed=case.seed).fit(table.rows(np.sort(some))).predict(table)


def em_from_truth(case: Case) -> np.ndarray:
    """Cluster by the mixture begun at the true clusters: the ceiling of independent columns."""
    if case.labels is None:
        raise InputError("em-from-truth needs a table whose clusters are known: leave it out")
    table = case.encoded
    return Mixture(case.clusters, seed=case.seed).fit_from(table, case.labels).predict(table)


def start(case: Case) -> np.ndarray:
    """Cluster by the mixture that our training begins at."""
    kinds = case.kinds if case.told else None
    fitted = StartingMixture(
        case.frame, len(case.frame), case.clusters, seed=case.seed, kinds=kinds
    )
    return fitted.predict()


def kmeans(case: Case) -> np.ndarray:
    """Cluster by k-means of one-hot columns, with means in the gaps."""
    fitted = KMeans(case.clusters, n_init=10, random_state=case.seed)
    return np.asarray(fitted.fit_predict(case.encoded.completed))


def gaussian(covariance: str, case: Case) -> np.ndarray:
    """Cluster by a Gaussian mixture of the columns that k-means takes."""
    fitted = GaussianMixture(
        case.clusters,
        covariance_type=covariance,
        n_init=1 if covariance == "full" else 3,
        reg_covar=1e-3,
        random_state=case.seed,
    )
    return np.asarray(fitted.fit_predict(case.encoded.completed))


def stepmix(case: Case) -> np.ndarray:
    """Cluster by StepMix, with its own laws for gaps."""
    return fitted_stepmix(case.encoded, case.clusters, seed=case.seed, starts=3).predict()


def kprototypes(case: Case) -> np.ndarray:
    """Cluster by k-prototypes, with means and modes in the gaps."""
    return k_prototypes(case.encoded, case.clusters, seed=case.seed)


def timed_labels(contender: Contender, case: Case) -> tuple[np.ndarray, float]:
    """Return the clusters that a contender finds, and its seconds."""
    began = time.perf_counter()
    return contender(case), time.perf_counter() - began


Contender = Callable[[Case], np.ndarray]
OURS = ("held", "free", "auto")
CONTENDERS: dict[str, Contender] = {
    "em-from-truth": em_from_truth,
    "em": em,
    "start": start,
    **{name: partial(ours, name) for name in OURS},
    "kmeans": kmeans,
    "gmm-full": partial(gaussian, "full"),
    "gmm-diag": partial(gaussian, "diag"),
    "stepmix": stepmix,
    "kprototypes": kprototypes,
}
