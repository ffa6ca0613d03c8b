"""Check each cluster against data that the model draws in its place."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation._batches import (
    Transform,
    data_batches,
    default_batch_size,
    seed_of,
)
from pyro_gmvae.evaluation.generate import sample
from pyro_gmvae.evaluation.latents import responsibilities
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.alone import alone
from pyro_gmvae.process.memory import check_memory
from pyro_gmvae.ranges import MOST_DRAWS, SEEDS, whole

__all__ = ["STATISTICS", "PredictiveCheck", "predictive_checks"]

Statistic = Callable[[np.ndarray], Any]

# Each takes rows (n, D), NaN where a cell is missing, to one number for each column.
STATISTICS: Mapping[str, Statistic] = {
    "mean": partial(np.nanmean, axis=0),
    "standard deviation": partial(np.nanstd, axis=0),
    "5 % quantile": partial(np.nanquantile, q=0.05, axis=0),
    "95 % quantile": partial(np.nanquantile, q=0.95, axis=0),
}
FEWEST_ROWS = 10  # expected in a cluster: figures of fewer say nothing about its law


@dataclass(frozen=True)
class PredictiveCheck:
    """Hold a statistic of a cluster's rows, beside that of rows which the model draws for it.

    Attributes:
        cluster: k.
        statistic: its name.
        place: the feature, by its name or number; the place in the statistic's result otherwise.
        observed: mean of the statistic over draws of the clusters of the data.
        replicated: its mean over the data that were drawn.
        low, high: the interval that holds 90 % of the replicated figures.
        p_value: the share of draws in which the replicated figure is the larger one; equal figures
            count half. Near 0 or 1 the cluster's rows are not as its law says.

    >>> check = PredictiveCheck(0, "mean", "age", 41.0, 40.0, 38.5, 41.5, 0.12)
    >>> check.surprising, check.to_dict()["p_value"]
    (False, 0.12)
    """

    cluster: int
    statistic: str
    place: str
    observed: float
    replicated: float
    low: float
    high: float
    p_value: float

    @property
    def surprising(self) -> bool:
        """Return True if the p-value is below 0.01 or above 0.99."""
        return not 0.01 <= self.p_value <= 0.99

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


@alone
def predictive_checks(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    statistics: Mapping[str, Statistic] = STATISTICS,
    num_draws: int = 200,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    encode_mean: Transform | None = None,
    feature_names: Sequence[str] | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> list[PredictiveCheck]:
    r"""Compare statistics of each cluster with those of data drawn from the model.

    In draw s each datum gets a cluster from q(y|x), and a new datum is drawn in its place:

    .. math::
        y_i^s \sim q(y | x_i), \quad z_i^s \sim p(z | y_i^s), \quad \tilde x_i^s \sim p(x | z_i^s)

    For cluster k the statistic of the data with :math:`y_i^s = k` is compared with that of the new
    ones. If the model is right, and q(y|x) is its posterior, both have one distribution. A new
    datum lacks the cells that its original lacks. The parameters are taken as known, so that
    p-values on training data are too close to 1/2; take rows that the model was not trained on.

    There are many figures: of 500 right ones up to ten are surprising by chance.

    Args:
        gmvae: a model of any method.
        x: data, shape ``(N, *event)``.
        statistics: functions by name, of rows ``(n, *event)`` on model scale as a NumPy array, to a
            number or an array of them. The defaults take rows of one axis.
        num_draws: S.
        covariates, transform, encode_mean, batch_size: as in `pyro_gmvae.evaluation.evaluate`.
        feature_names: names for the entries of a statistic that has one for each feature.
        seed: fixes every draw.

    Returns:
        A check for each cluster, statistic and entry of the statistic, in this order. Clusters of
        fewer than ten expected rows are left out. A figure that no row tells is NaN.

    Raises:
        InputError: for data that do not fit the model or the memory, a size below 1, images without
            statistics of their own, or a wrong number of feature names.

    Reference: Gelman, Meng and Stern 1996, Posterior predictive assessment of model fitness via
    realized discrepancies, Statistica Sinica 6.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=1, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x, _ = sample(gmvae, 50, mean=False)
    >>> checks = predictive_checks(gmvae, x, num_draws=20, feature_names=["a", "b"])
    >>> len(checks), checks[0].statistic, checks[1].place
    (8, 'mean', 'b')
    """
    num_draws = whole("num_draws", num_draws, least=1, most=MOST_DRAWS)
    seed = whole("seed", seed, least=0, below=SEEDS)
    size = gmvae.event_shape[0]
    if len(gmvae.event_shape) > 1 and statistics is STATISTICS:
        raise InputError(
            f"The default statistics are for tables, these are data of shape {gmvae.event_shape}: "
            'give statistics, such as {"ink": lambda x: x.mean((1, 2, 3)).mean()}.'
        )
    if feature_names is not None and len(feature_names) != size:
        raise InputError(f"There are {len(feature_names)} feature names for {size} features.")
    check_memory(24 * len(x) * prod(gmvae.event_shape), f"{len(x)} data", "check fewer rows")
    if batch_size is None:
        batch_size = default_batch_size(gmvae)
    same: dict[str, Any] = {"batch_size": batch_size, "covariates": covariates, "seed": seed}
    batches = data_batches(gmvae, x, transform=transform, **same)
    observed = np.concatenate([batch.cpu().numpy() for _, batch, _ in batches])
    q_y = responsibilities(gmvae, x, transform=encode_mean or transform, **same).double()
    clusters = [int(k) for k in (q_y.sum(0) >= FEWEST_ROWS).nonzero()]

    pairs: dict[tuple[int, str], list[tuple[np.ndarray, np.ndarray]]] = {
        (k, name): [] for k in clusters for name in statistics
    }
    generator = torch.Generator().manual_seed(seed)
    for s in range(num_draws):
        y = q_y.multinomial(1, generator=generator)[:, 0]
        drawn, _ = sample(
            gmvae, len(x), y=y, mean=False, covariates=covariates, seed=seed_of(seed, s)
        )
        replicated = np.where(np.isnan(observed), np.nan, drawn.numpy())
        for k in clusters:
            own = (y == k).numpy()
            for name, statistic in statistics.items():
                both = (_figure(statistic, rows[own]) for rows in (observed, replicated))
                pairs[k, name].append((next(both), next(both)))
    return [
        check
        for (k, name), drawn_pairs in pairs.items()
        for check in _checks(k, name, drawn_pairs, feature_names)
    ]


def _figure(statistic: Statistic, rows: np.ndarray) -> np.ndarray:
    """Compute a statistic; it is NaN where no row has a cell."""
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(statistic(rows), dtype=float).ravel()


def _checks(
    cluster: int,
    name: str,
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    feature_names: Sequence[str] | None,
) -> list[PredictiveCheck]:
    """Sum up the draws of one statistic of one cluster."""
    observed, replicated = (np.stack(side) for side in zip(*pairs, strict=True))
    checks = []
    for i in range(observed.shape[1]):
        told = np.isfinite(observed[:, i]) & np.isfinite(replicated[:, i])
        seen, new = observed[told, i], replicated[told, i]
        named = feature_names is not None and len(feature_names) == observed.shape[1]
        figures = [np.nan] * 5
        if told.any():
            larger = (new > seen) + 0.5 * (new == seen)
            figures = [seen.mean(), new.mean(), *np.quantile(new, [0.05, 0.95]), larger.mean()]
        place = feature_names[i] if feature_names is not None and named else str(i)
        checks.append(PredictiveCheck(cluster, name, place, *map(float, figures)))
    return checks
