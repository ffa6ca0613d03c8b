"""What a model says of each datum: its cluster and its place in the latent space."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.evaluation._batches import Transform, each_batch
from pyro_gmvae.models import GMVAE

__all__ = ["embed", "responsibilities"]


def responsibilities(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Float[Tensor, "N K"]:
    """q(y|x), on the CPU.

    Args:
        gmvae: any of the four.
        x: data, shape ``(N, *event)``.
        covariates: what the guide may look at beside x, N rows each.
        transform: from ``x`` to model scale. Take one that does not binarise at random: the clean
            input is what a datum's cluster should depend on.
        batch_size: data at a time.
        seed: of a random ``transform``.

    Raises:
        InputError: for data that do not fit the model.
        ValueError: if ``batch_size`` is below 1.
    """
    return each_batch(gmvae.responsibilities, gmvae, x, covariates, transform, batch_size, seed)


def embed(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Float[Tensor, "N Z"]:
    """E[z] under q(z|x), on the CPU; arguments and errors as `responsibilities`."""

    def mean(*batch: Tensor) -> Tensor:
        return gmvae.posterior(*batch).mean

    return each_batch(mean, gmvae, x, covariates, transform, batch_size, seed)
