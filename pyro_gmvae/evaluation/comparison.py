"""Rank models by how well they predict data that they have not seen."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation._arviz import import_arviz, is_before_1
from pyro_gmvae.evaluation._batches import Transform
from pyro_gmvae.evaluation.likelihood import MAX_PARETO_K, LogLikelihood, log_likelihood
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.alone import alone

if TYPE_CHECKING:
    import pandas

__all__ = ["compare", "compare_likelihoods"]


@alone
def compare(
    models: Mapping[str, GMVAE],
    x: Shaped[Tensor, "N *event"],
    *,
    num_samples: int = 500,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> "pandas.DataFrame":
    """Rank models by held-out expected log predictive density, through `arviz.compare`.

    Each model's elpd is the sum of log p(x_i) over held-out data, estimated by importance sampling.
    The weights come from stacking. All models must be of the same x: a Bernoulli's probability and
    a Gaussian's density cannot be compared.

    Args:
        models: two or more models by name.
        x: data that no model was trained on, shape ``(N, *event)``.
        num_samples, covariates, transform, batch_size, seed: as in
            `pyro_gmvae.evaluation.log_likelihood`, the same for all models.

    Returns:
        ArviZ's table, best model first. ``dse`` is the standard error of ``elpd_diff``, of paired
        rows. ArviZ 0.x calls the column of the elpd ``elpd_loo``, but nothing here is
        leave-one-out; its ``warning`` is True if Pareto k-hat makes the figure untrustworthy. ArviZ
        1.x counts the rows of a bad k-hat in ``diag_elpd``, and says in ``p_worse`` how probably a
        model is worse than the best.

    Raises:
        ValueError: for fewer than two models.
        InputError: for data that do not fit a model.

    Reference: Yao et al. 2018, Using stacking to average Bayesian predictive distributions.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> models = {
    ...     name: ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(3,), likelihood="gaussian")
    ...     for name in ("one", "other")
    ... }
    >>> table = compare(models, torch.zeros(30, 2), num_samples=30)
    >>> sorted(table.index), sorted(table["rank"])
    (['one', 'other'], [0, 1])
    """
    if len(models) < 2:
        raise ValueError(f"a comparison takes two models or more, got {len(models)}")
    results = {
        name: log_likelihood(
            gmvae,
            x,
            num_samples=num_samples,
            covariates=covariates,
            transform=transform,
            batch_size=batch_size,
            seed=seed,
        )
        for name, gmvae in models.items()
    }
    return compare_likelihoods(results)


def compare_likelihoods(results: Mapping[str, LogLikelihood]) -> "pandas.DataFrame":
    """Rank models by log p(x) of the same held-out rows, estimated by each on its own.

    Take it where models were not trained on one scale, or see other covariates:
    `pyro_gmvae.fitted.FittedModel.log_likelihood` gives log p(x) in the units of the data, in which
    models of one table can be compared.

    Args:
        results: two or more figures by name, of the same rows in the same order.

    Returns:
        ArviZ's table, as `compare` does.

    Raises:
        ValueError: for fewer than two models.
        InputError: if they are of different numbers of rows, or k-hat was not computed.

    >>> import torch
    >>> log_p, k = -torch.arange(30.0), torch.zeros(30)
    >>> results = {
    ...     name: LogLikelihood(log_p - worse, log_p, 50 + k, k, num_samples=100)
    ...     for name, worse in (("a", 0.5), ("b", 0.0))
    ... }
    >>> list(compare_likelihoods(results).index)
    ['b', 'a']
    """
    if len(results) < 2:
        raise ValueError(f"a comparison takes two models or more, got {len(results)}")
    if len({len(result.log_p) for result in results.values()}) > 1:
        raise InputError("The figures are of different numbers of rows: give all models the same.")
    if not all(result.diagnosed for result in results.values()):
        raise InputError("A comparison needs Pareto k-hat: ask for it by diagnostics=True.")
    # ArviZ exponentiates the pointwise figures, which gives 0 for images. It uses only differences
    # between models, so each datum's best figure may be set to 0.
    best = np.max([r.log_p.numpy() for r in results.values()], 0)
    elpds = {name: _elpd_data(result, best) for name, result in results.items()}
    az = import_arviz()
    unrounded = {} if is_before_1(az) else {"round_to": "none"}
    return az.compare(elpds, method="stacking", **unrounded)


def _elpd_data(result: LogLikelihood, best: Float[np.ndarray, " N"]) -> object:
    """Put held-out log p(x_i) into ArviZ's own container."""
    import xarray as xr

    az = import_arviz()
    log_p = result.log_p.numpy()
    fields = {
        "elpd": log_p.sum(),
        "se": result.standard_error * len(log_p),
        "p": np.nan,  # held-out data pay no penalty for parameters
        "n_samples": result.num_samples,
        "n_data_points": len(log_p),
        "warning": not result.trustworthy,
        "elpd_i": xr.DataArray(log_p - best, dims=["datum"]),
        "pareto_k": xr.DataArray(result.pareto_k.numpy(), dims=["datum"]),
        "good_k": MAX_PARETO_K,
        "scale": "log",
    }
    if is_before_1(az):
        # In 0.x it is a labelled series that must be named after one of ArviZ's criteria.
        renamed = {"elpd": "elpd_loo", "p": "p_loo", "elpd_i": "loo_i"}
        fields = {renamed.get(name, name): value for name, value in fields.items()}
        return az.ELPDData(data=list(fields.values()), index=list(fields))
    return az.ELPDData(**fields)
