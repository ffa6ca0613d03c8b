"""Export a model's posterior of some data to ArviZ."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation._arviz import import_arviz, is_before_1
from pyro_gmvae.evaluation._batches import Transform
from pyro_gmvae.evaluation._groups import posterior_draws, prior_draws
from pyro_gmvae.evaluation.latents import responsibilities
from pyro_gmvae.evaluation.likelihood import log_likelihood
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.alone import alone
from pyro_gmvae.process.memory import check_memory
from pyro_gmvae.ranges import MOST_DRAWS, SEEDS, whole

__all__ = ["to_inference_data"]

_FEATURE_DIMS = {
    1: ("feature",),
    2: ("height", "width"),
    3: ("channel", "height", "width"),
}

_NOTE = (
    "log_p is importance-sampled log p(x_i), z integrated out. It is no group log_likelihood, so "
    "that az.loo refuses: leave-one-out reweights draws of the parameters, and these are a point "
    "estimate. Rank models with pyro_gmvae.evaluation.compare, by data that they have not seen."
)


@alone
def to_inference_data(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    num_draws: int = 100,
    num_samples: int = 500,
    prior: bool = True,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    encode_mean: Transform | None = None,
    feature_names: Sequence[str] | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    keys: Sequence[int] | None = None,
) -> Any:
    """Export to ArviZ: an `InferenceData` (0.x) or a `DataTree` (1.x).

    ====================== =================== ================================================
    group                  variable            dims
    ====================== =================== ================================================
    posterior              z                   chain, draw, datum, latent
    posterior              responsibilities    chain, draw, datum, cluster; q(y|x), every draw alike
    posterior_predictive   x                   chain, draw, datum, features...
    prior                  z                   chain, draw, datum, latent; from p(z)
    prior                  cluster             chain, draw, datum; from p(y)
    prior_predictive       x                   chain, draw, datum, features...
    sample_stats           log_p               chain, draw (one each), datum; log p(x) in nats
    sample_stats           ess, pareto_k       chain, draw (one each), datum
    observed_data          x                   datum, features...; on model scale
    ====================== =================== ================================================

    The posterior is that of each datum's z, and the prior is p(y) p(z|y): the model, before it has
    seen the datum. Both predict x under the same covariates.

    Everything is held in memory, which takes ``num_draws`` times the size of the data for each
    predictive group.

    There is no group ``log_likelihood``, so that ``az.loo`` and ``az.compare`` refuse the export.
    Leave-one-out cross-validation reweights draws of the parameters. Here the parameters are a
    point estimate: there is nothing to reweight, and the sum of log p(x) over training data would
    pass for a figure of new data. To rank models by data they have not seen, use `compare`.

    Args:
        gmvae: a model of any method.
        x: data, shape ``(N, *event)``.
        num_draws: draws of z and x for each datum.
        num_samples: importance samples behind sample_stats.
        prior: whether to draw the groups prior and prior_predictive, which takes as long as the
            posterior ones.
        covariates, transform, encode_mean, batch_size, seed, keys: as in
            `pyro_gmvae.evaluation.evaluate` and `log_likelihood`; another ``batch_size`` gives
            other draws of x.
        feature_names: coordinates of the last dimension of x.

    Raises:
        InputError: for data that do not fit the model, a size below 1 or too large for the memory,
            or a wrong number of feature names.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> data = to_inference_data(gmvae, torch.ones(8, 4), num_draws=6, num_samples=30)
    >>> data.posterior["z"].dims, data.posterior["z"].shape
    (('chain', 'draw', 'datum', 'latent'), (1, 6, 8, 2))
    """
    num_draws = whole("num_draws", num_draws, least=1, most=MOST_DRAWS)
    seed = whole("seed", seed, least=0, below=SEEDS)
    # The draws of x and z, twice while they are joined.
    kinds = 2 if prior else 1
    needed = 8 * kinds * num_draws * len(x) * (prod(gmvae.event_shape) + gmvae.latent_dim)
    what = f"num_draws = {num_draws} draws for each of {len(x)} data"
    check_memory(needed, what, "lower num_draws")
    if feature_names is not None and len(feature_names) != gmvae.event_shape[-1]:
        raise InputError(
            f"There are {len(feature_names)} feature names for {gmvae.event_shape[-1]} features."
        )
    same: dict[str, Any] = {"batch_size": batch_size, "seed": seed}
    figures = log_likelihood(
        gmvae,
        x,
        num_samples=num_samples,
        covariates=covariates,
        transform=transform,
        keys=keys,
        **same,
    )
    q_y = responsibilities(
        gmvae, x, covariates=covariates, transform=encode_mean or transform, **same
    ).numpy()
    observed, z, x_new = posterior_draws(gmvae, x, num_draws, covariates, transform, keys, **same)

    groups = {
        "posterior": {
            "z": z[None],
            "responsibilities": np.broadcast_to(q_y, (1, num_draws, *q_y.shape)),
        },
        "posterior_predictive": {"x": x_new[None]},
        "sample_stats": {
            "log_p": figures.log_p.numpy()[None, None],
            "ess": figures.ess.numpy()[None, None],
            "pareto_k": figures.pareto_k.numpy()[None, None],
        },
        "observed_data": {"x": observed},
    }
    if prior:
        clusters, z, x_new = prior_draws(gmvae, len(x), num_draws, covariates, **same)
        groups["prior"] = {"z": z[None], "cluster": clusters[None]}
        groups["prior_predictive"] = {"x": x_new[None]}
    attrs: dict[str, dict[str, Any]] = {
        "/": {
            "inference_library": "pyro_gmvae",
            "method": gmvae.method,
            "n_components": gmvae.n_components,
            "latent_dim": gmvae.latent_dim,
        },
        "sample_stats": {"num_samples": num_samples, "note": _NOTE},
    }
    return _from_groups(groups, attrs, *_names(gmvae, len(x), feature_names))


def _names(
    gmvae: GMVAE, n: int, feature_names: Sequence[str] | None
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the coordinates, and the dimensions of each variable beyond chain and draw."""
    event = gmvae.event_shape
    features = _FEATURE_DIMS.get(len(event)) or tuple(f"axis_{i}" for i in range(len(event)))
    coords: dict[str, Any] = {
        "datum": np.arange(n),
        "latent": np.arange(gmvae.latent_dim),
        "cluster": np.arange(gmvae.n_components),
    }
    coords |= {dim: np.arange(size) for dim, size in zip(features, event, strict=True)}
    if feature_names is not None:
        coords[features[-1]] = list(feature_names)
    dims = {
        "z": ["datum", "latent"],
        "responsibilities": ["datum", "cluster"],
        "x": ["datum", *features],
        "cluster": ["datum"],
        "log_p": ["datum"],
        "ess": ["datum"],
        "pareto_k": ["datum"],
    }
    return coords, dims


def _from_groups(
    groups: dict[str, dict[str, np.ndarray]],
    attrs: dict[str, dict[str, Any]],
    coords: dict[str, Any],
    dims: dict[str, list[str]],
) -> Any:
    az = import_arviz()
    if is_before_1(az):
        own = {f"{group}_attrs": attrs[group] for group in attrs if group != "/"}
        return az.from_dict(**groups, coords=coords, dims=dims, attrs=attrs["/"], **own)
    return az.from_dict(groups, coords=coords, dims=dims, attrs=attrs)
