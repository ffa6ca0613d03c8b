"""Run a model on data batch by batch, without changing its mode or global random state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod

import torch
from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.models import GMVAE
from pyro_gmvae.modes import eval_mode
from pyro_gmvae.ranges import MOST_ROWS, whole
from pyro_gmvae.rng import forked_rng

__all__ = [
    "ENTRIES",
    "Transform",
    "data_batches",
    "default_batch_size",
    "each_batch",
    "keys_of",
    "seed_of",
]

Transform = Callable[[Tensor], Tensor]

ENTRIES = 2**22  # numbers in the largest intermediate tensor, unless the caller sets the batch size
_BLOCK = 64  # number of consecutive data whose transform shares one seed


def default_batch_size(gmvae: GMVAE, num_samples: int = 1) -> int:
    """Choose a batch size for which the posterior and S x B log weights fit in memory.

    Args:
        gmvae: a model of any method.
        num_samples: S, importance samples for each datum.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> default_batch_size(ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)))
    1024
    """
    # For each datum the posterior needs a hidden layer per cluster, the marginal method's
    # responsibilities need a density in Z dimensions per cluster, and a decoded datum needs the
    # decoder's output.
    decoded = prod(gmvae.model.likelihood.output_shape)
    per_datum = max(gmvae.n_components * max(512, gmvae.latent_dim), decoded)
    return max(1, min(ENTRIES // per_datum, ENTRIES // 4 // num_samples, 1024))


def data_batches(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    batch_size: int,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    seed: int = 0,
) -> Iterator[tuple[slice, Tensor, tuple[Tensor, ...]]]:
    """Iterate over the rows, the model-scale data and the covariates of each batch.

    The last, smaller batch is included. Data are moved to the model's device and precision. The
    draws of a random ``transform`` from torch's generators depend on ``seed`` and a datum's place
    in ``x``, not on ``batch_size``.

    Raises:
        InputError: for no data, data of another shape than the model's, or covariates of another
            length than ``x``.
        ValueError: if ``batch_size`` is below 1.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> [len(batch) for _, batch, _ in data_batches(gmvae, torch.zeros(8, 4), batch_size=5)]
    [5, 3]
    """
    batch_size = whole("batch_size", batch_size, least=1, most=MOST_ROWS)
    if len(x) == 0:
        raise InputError("There are no data to evaluate.")
    if any(len(c) != len(x) for c in covariates):
        raise InputError(f"Every covariate needs one row for each of the {len(x)} data.")
    like = gmvae.model.component_loc
    for start in range(0, len(x), batch_size):
        rows = slice(start, min(start + batch_size, len(x)))
        if transform is None:
            batch = x[rows].to(like.device)
        else:
            batch = _transformed(x, rows, transform, seed, like.device)
        if batch.shape[1:] != gmvae.event_shape:
            raise InputError(
                f"The model is for data of shape {gmvae.event_shape}, "
                f"these have {tuple(batch.shape[1:])}."
            )
        yield rows, batch.to(like.dtype), tuple(c[rows].to(like.device) for c in covariates)


def _transformed(
    x: Tensor, rows: slice, transform: Transform, seed: int, device: torch.device
) -> Tensor:
    """Apply ``transform`` to whole blocks of data, each with its own seed, and return some rows."""
    parts = []
    for start in range(rows.start - rows.start % _BLOCK, rows.stop, _BLOCK):
        with forked_rng(device, seed=seed_of(seed, start)):
            block = transform(x[start : start + _BLOCK].to(device))
        parts.append(block[max(rows.start - start, 0) : rows.stop - start])
    return torch.cat(parts)


def seed_of(seed: int, place: int) -> int:
    """Derive a seed for the draws at a place in the data, different for every seed and place.

    >>> seed_of(7, 0) == seed_of(7, 0), seed_of(7, 0) == seed_of(7, 1)
    (True, False)
    """
    return (seed + 0x9E3779B97F4A7C15 * (place + 1)) % 2**63


def keys_of(rows: slice, keys: Sequence[int] | None) -> Sequence[int]:
    """Return the keys of some rows, or their places where there are no keys.

    >>> list(keys_of(slice(2, 4), None)), keys_of(slice(2, 4), [90, 80, 70, 60])
    ([2, 3], [70, 60])
    """
    return range(rows.start, rows.stop) if keys is None else keys[rows]


def each_batch(
    function: Callable[..., Tensor],
    gmvae: GMVAE,
    x: Tensor,
    covariates: Sequence[Tensor],
    transform: Transform | None,
    batch_size: int | None,
    seed: int,
) -> Tensor:
    """Compute ``function(batch, *covariates)`` for every batch and join the results on the CPU.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> x = torch.ones(5, 4)
    >>> each_batch(lambda batch: batch.sum(-1), gmvae, x, (), None, batch_size=2, seed=0)
    tensor([4., 4., 4., 4., 4.])
    """
    if batch_size is None:
        batch_size = default_batch_size(gmvae)
    with eval_mode(gmvae):
        batches = data_batches(
            gmvae,
            x,
            batch_size=batch_size,
            covariates=covariates,
            transform=transform,
            seed=seed,
        )
        return torch.cat([function(batch, *given).cpu() for _, batch, given in batches])
