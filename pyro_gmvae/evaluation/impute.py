"""Fill the missing cells of a table by what the model says of them, given those that are there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.distributions import TableCells
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation._batches import Transform, data_batches, default_batch_size, keys_of
from pyro_gmvae.evaluation._draws import weighed
from pyro_gmvae.likelihoods import Table
from pyro_gmvae.models import GMVAE
from pyro_gmvae.modes import eval_mode
from pyro_gmvae.noise import RowNoise
from pyro_gmvae.process.alone import alone
from pyro_gmvae.ranges import MOST_DRAWS, whole

__all__ = ["impute"]

IMPUTED, FILLED = 2, 3  # streams of `RowNoise`: for samples of z, and for a draw of the cells


@alone
def impute(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    draw: bool = False,
    num_samples: int = 50,
    transform: Transform | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    keys: Sequence[int] | None = None,
) -> Float[Tensor, "N model"]:
    r"""Fill missing cells, on model scale: E[x_A | x_B] for the missing part A given the rest B.

    The expectation is that of :math:`p(x_A | z)` under :math:`p(z | x_B)`, by importance samples
    from q(z|x), self-normalised. Numbers and counts get their mean, levels the likeliest one.

    Args:
        gmvae: a model with the likelihood of a table.
        x: rows with gaps.
        draw: fill with a draw from p(x_A | x_B) instead, by resampling one of the samples.
        num_samples: importance samples of each row.
        transform: maps ``x`` to model scale.
        batch_size: rows at a time.
        seed: fixes every draw.
        keys: a number for each row that decides its draws together with ``seed``, so that a row is
            filled the same whatever rows are beside it; None takes the places.

    Returns:
        The rows on model scale. Cells that are not missing are as they were.

    Raises:
        InputError: for a model that takes no gaps, or data that do not fit the model.
        ValueError: for a number out of range.

    >>> from pyro_gmvae.likelihoods import TableStructure
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> table = TableStructure(("real", "levels:2"))
    >>> gmvae = ExactGMVAE(
    ...     2, n_components=3, latent_dim=2, hidden=(5,), likelihood="table", table=table
    ... )
    >>> x = torch.tensor([[0.5, 1.0], [0.5, float("nan")]])
    >>> filled = impute(gmvae, x)
    >>> filled[0].tolist(), filled[1, 1].item() in (0.0, 1.0)  # one of the two levels
    ([0.5, 1.0], True)
    """
    likelihood = gmvae.model.likelihood
    if not isinstance(likelihood, Table) or likelihood.structure.correlated:
        raise InputError(
            "this model takes no gaps, so it fills none: train it with likelihood table"
        )
    num_samples = whole("num_samples", num_samples, least=1, most=MOST_DRAWS)
    if batch_size is None:
        batch_size = default_batch_size(gmvae, num_samples)
    parts = []
    with eval_mode(gmvae):
        batches = data_batches(gmvae, x, batch_size=batch_size, transform=transform, seed=seed)
        for rows, batch, _ in batches:
            noise = RowNoise(seed, keys_of(rows, keys), 1 + gmvae.latent_dim, stream=IMPUTED)
            uniform = noise.draw(num_samples, gmvae.model.component_loc)
            p_x, log_w = weighed(gmvae, gmvae.posterior(batch), batch, uniform)
            if draw:
                size = 1 + len(likelihood.layout)
                noise = RowNoise(seed, keys_of(rows, keys), size, stream=FILLED)
                cells = _drawn(p_x.base_dist, log_w, noise.draw(1, log_w)[0])
            else:
                cells = _expected(p_x.base_dist, log_w.softmax(0))
            parts.append(torch.where(batch.isnan(), cells, batch).cpu())
    return torch.cat(parts)


def _expected(cells: TableCells, weights: Float[Tensor, "S B"]) -> Float[Tensor, "B D"]:
    """Average means of numbers and probabilities of levels, and take the likeliest level."""
    parts = (cells.loc, cells.log_rate.exp(), cells.probabilities())
    averaged = [(weights.unsqueeze(-1) * part).sum(0) for part in parts]
    return cells.joined(*averaged)


def _drawn(
    cells: TableCells, log_w: Float[Tensor, "S B"], uniform: Float[Tensor, "B size"]
) -> Float[Tensor, "B D"]:
    """Draw a row's cells under one of its samples, chosen by the weights."""
    cdf = log_w.double().softmax(0).cumsum(0)
    # The last entry is 1 after the division, so that the choice is one of the samples.
    chosen = (cdf / cdf[-1] <= uniform[:, 0]).sum(0)
    rows = torch.arange(len(chosen), device=chosen.device)
    return cells.rows(chosen, rows).icdf(uniform[:, 1:])
