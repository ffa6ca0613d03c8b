"""Score each cell of a table by itself, given the latents of its row."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.evaluation._batches import Transform, each_batch
from pyro_gmvae.evaluation.generate import likeliest_mean
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.alone import alone

__all__ = ["cell_log_p"]


@alone
def cell_log_p(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N columns"],
    *,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Float[Tensor, "N model"]:
    """Compute log p(x_j|z) of each cell at the mean of q(z|x,y) for the likeliest y, on the CPU.

    It is in nats, on model scale, and 0 where a cell is missing.

    Args:
        gmvae: a model whose p(x|z) is independent over the cells.
        x, covariates, transform, batch_size, seed: as in `pyro_gmvae.evaluation.responsibilities`.

    Raises:
        InputError: for data that do not fit the model.
        ValueError: if ``batch_size`` is below 1.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,), likelihood="gaussian")
    >>> cell_log_p(gmvae, torch.ones(8, 4)).shape
    torch.Size([8, 4])
    """

    def scored(batch: Tensor, *given: Tensor) -> Tensor:
        z = likeliest_mean(gmvae.posterior(batch, *given))
        p_x = gmvae.model.p_x(z, *gmvae.model.covariates_of_x(given))
        return p_x.base_dist.log_prob(batch)

    return each_batch(scored, gmvae, x, covariates, transform, batch_size, seed)
