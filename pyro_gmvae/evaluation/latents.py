"""Infer the cluster of each datum and its place in the latent space."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.evaluation._batches import Transform, each_batch
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.alone import alone

__all__ = ["embed", "responsibilities"]


@alone
def responsibilities(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Float[Tensor, "N K"]:
    """Compute q(y|x), on the CPU.

    Args:
        gmvae: a model of any method.
        x: data, shape ``(N, *event)``.
        covariates: further arguments of the guide, N rows each.
        transform: maps ``x`` to model scale. Choose one that does not binarise at random, because
            the cluster of a datum should depend on the clean input.
        batch_size: data at a time.
        seed: seed of a random ``transform``.

    Raises:
        InputError: for data that do not fit the model.
        ValueError: if ``batch_size`` is below 1.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> responsibilities(gmvae, torch.zeros(8, 4)).shape
    torch.Size([8, 3])
    """
    return each_batch(gmvae.responsibilities, gmvae, x, covariates, transform, batch_size, seed)


@alone
def embed(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Float[Tensor, "N Z"]:
    """Compute E[z] under q(z|x), on the CPU.

    Args:
        gmvae, x, covariates, transform, batch_size, seed: as in `responsibilities`.

    Raises:
        InputError: for data that do not fit the model.
        ValueError: if ``batch_size`` is below 1.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> embed(gmvae, torch.zeros(8, 4)).shape
    torch.Size([8, 2])
    """

    def mean(*batch: Tensor) -> Tensor:
        return gmvae.posterior(*batch).mean

    return each_batch(mean, gmvae, x, covariates, transform, batch_size, seed)
