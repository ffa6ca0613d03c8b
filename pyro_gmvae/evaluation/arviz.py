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
from pyro_gmvae.evaluation._batches import (
    Transform,
    data_batches,
    default_batch_size,
    keys_of,
    seed_of,
)
from pyro_gmvae.evaluation._draws import draw_z
from pyro_gmvae.evaluation.latents import responsibilities
from pyro_gmvae.evaluation.likelihood import log_likelihood
from pyro_gmvae.models import GMVAE
from pyro_gmvae.modes import eval_mode
from pyro_gmvae.noise import RowNoise
from pyro_gmvae.process.alone import alone
from pyro_gmvae.process.memory import check_memory
from pyro_gmvae.ranges import MOST_DRAWS, SEEDS, whole
from pyro_gmvae.rng import forked_rng

__all__ = ["to_inference_data"]

_FEATURE_DIMS = {
    1: ("feature",),
    2: ("height", "width"),
    3: ("channel", "height", "width"),
}

_NOTE = (
    "importance-sampled log p(x_i), z integrated out. The parameters are a point estimate, so that "
    "every draw has the same number. az.loo leaves nothing out: its elpd is the sum of log p(x_i), "
    "p_loo is 0, and no Pareto k can be fitted. The sum is an elpd for data that the model was not "
    "trained on; rank models with pyro_gmvae.evaluation.compare."
)
_LEAST_DRAWS = 2  # with a single draw az.loo and az.compare end in an IndexError


@alone
def to_inference_data(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    num_draws: int = 100,
    num_samples: int = 500,
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
    log_likelihood         x                   chain, draw, datum; log p(x), every draw alike
    sample_stats           ess, pareto_k       chain, draw (one each), datum
    observed_data          x                   datum, features...; on model scale
    ====================== =================== ================================================

    Everything is held in memory, which takes ``num_draws`` times the size of the data.

    The parameters are a point estimate, so that ``az.loo`` leaves nothing out: its elpd is the sum
    of log p(x), and an estimate for new data only if ``x`` was not trained on. ArviZ warns of it,
    because no Pareto k can be fitted. To rank models by data they have not seen, use `compare`.

    Args:
        gmvae: a model of any method.
        x: data, shape ``(N, *event)``.
        num_draws: draws of z and x for each datum.
        num_samples: importance samples behind log_likelihood and sample_stats.
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
    needed = 8 * num_draws * len(x) * (prod(gmvae.event_shape) + gmvae.latent_dim)
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
    observed, z, x_new = _draws(gmvae, x, num_draws, covariates, transform, keys, **same)

    log_p = figures.log_p.numpy()
    groups = {
        "posterior": {
            "z": z[None],
            "responsibilities": np.broadcast_to(q_y, (1, num_draws, *q_y.shape)),
        },
        "posterior_predictive": {"x": x_new[None]},
        "log_likelihood": {"x": np.broadcast_to(log_p, (1, max(num_draws, _LEAST_DRAWS), len(x)))},
        "sample_stats": {
            "ess": figures.ess.numpy()[None, None],
            "pareto_k": figures.pareto_k.numpy()[None, None],
        },
        "observed_data": {"x": observed},
    }
    attrs: dict[str, dict[str, Any]] = {
        "/": {
            "inference_library": "pyro_gmvae",
            "method": gmvae.method,
            "n_components": gmvae.n_components,
            "latent_dim": gmvae.latent_dim,
        },
        "log_likelihood": {"num_samples": num_samples, "note": _NOTE},
        "sample_stats": {"num_samples": num_samples},
    }
    return _from_groups(groups, attrs, *_names(gmvae, len(x), feature_names))


def _draws(
    gmvae: GMVAE,
    x: Tensor,
    num_draws: int,
    covariates: Sequence[Tensor],
    transform: Transform | None,
    keys: Sequence[int] | None,
    batch_size: int | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the data on model scale, draws of z from q(z|x), and a draw of x for each z."""
    if batch_size is None:
        batch_size = default_batch_size(gmvae, num_draws * gmvae.latent_dim)
    like = gmvae.model.component_loc
    parts = []
    with eval_mode(gmvae):
        for rows, batch, given in data_batches(
            gmvae, x, batch_size=batch_size, covariates=covariates, transform=transform, seed=seed
        ):
            noise = RowNoise(seed, keys_of(rows, keys), 1 + gmvae.latent_dim)
            z = draw_z(gmvae.posterior(batch, *given), noise.draw(num_draws, like))
            # A negative place gives another seed than those of the transform.
            with forked_rng(like.device, seed=seed_of(seed, -2 - rows.start)):
                x_new = gmvae.model.p_x(z, *gmvae.model.covariates_of_x(given)).sample()
            parts.append([t.cpu().numpy() for t in (batch, z, x_new)])
    observed, z_parts, x_parts = zip(*parts, strict=True)
    return np.concatenate(observed), np.concatenate(z_parts, 1), np.concatenate(x_parts, 1)


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
