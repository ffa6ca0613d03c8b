"""Missing cells are filled by their exact conditional means and draws."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import impute
from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture
from pyro_gmvae.fitting.starts.exact import begin_at_mixture
from pyro_gmvae.fitting.starts.mixture_fit import table_features
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import GMVAE
from tests.helpers.tables import (
    WORDS,
    cells_of,
    drawn_rows,
    log_joint,
    random_mixture,
    table_gmvae,
    with_gaps,
)
from tests.helpers.tiny import tiny

SIGMAS = 4.5


def at_mixture(
    structure: TableStructure, k: int = 3, n: int = 40
) -> tuple[GMVAE, ColumnMixture, Tensor]:
    """A model that is a mixture of per-column laws, with rows that have gaps."""
    mixture = random_mixture(structure, k, apart=1.0)
    x = with_gaps(drawn_rows(mixture, n)[0], 0.4)
    x[0] = torch.nan  # nothing is known of this row
    gmvae = table_gmvae(structure, k)
    begin_at_mixture(gmvae, mixture, table_features(structure, x))
    with torch.no_grad():
        gmvae.guide.z_head.output.weight.zero_()  # q(z|x,y) = p(z|y)
    return gmvae, mixture, x


def test_means_are_those_of_the_mixture() -> None:
    structure = TableStructure(WORDS)
    gmvae, mixture, x = at_mixture(structure)
    filled = impute(gmvae, x, num_samples=4_000)
    r = log_joint(mixture, x).softmax(-1).float()
    cells, layout = cells_of(mixture), structure.layout
    gone = x.isnan()
    for family, means in ((layout.real, mixture.loc), (layout.count, mixture.rate)):
        for i, place in enumerate(family):
            own = means[:, i].float()
            mean = r @ own
            spread = (r @ own**2 - mean**2).clamp(min=0).sqrt()  # of the means between clusters
            error = (filled[:, place] - mean).abs()
            assert (error <= SIGMAS * spread / 4_000**0.5 + 0.01 * (1 + mean.abs()))[
                gone[:, place]
            ].all()
    shares = (r.double() @ cells.probabilities()).split(layout.sizes, -1)
    for place, share in zip(layout.levels, shares, strict=True):
        top = share.topk(2, -1).values
        clear = gone[:, place] & (top[:, 0] - top[:, 1] > 0.1)
        assert clear.any()
        assert (filled[:, place] == share.argmax(-1))[clear].all()


def test_draws_have_the_frequencies_of_the_mixture() -> None:
    structure = TableStructure(("levels:3", "levels:2", "count"))
    gmvae, mixture, x = at_mixture(structure, k=2)
    row = torch.tensor([[torch.nan, 1.0, torch.nan]])
    n = 4_000
    drawn = impute(gmvae, row.expand(n, 3).contiguous(), draw=True, num_samples=50)
    r = log_joint(mixture, row).softmax(-1)[0]
    wanted = r @ mixture.log_p[:, :3].exp()
    shares = drawn[:, 0].long().bincount(minlength=3) / n
    error = (shares - wanted).abs()
    assert (error < SIGMAS * (wanted * (1 - wanted) / n).sqrt() + 0.005).all()
    mean = r @ mixture.rate[:, 0]
    assert (drawn[:, 2].mean() - mean).abs() < SIGMAS * drawn[:, 2].std() / n**0.5 + 0.02 * mean
    assert (drawn[:, 1] == 1).all()
    # The cells of a row are drawn together, from one cluster.
    together = (drawn[:, 0] == 0).double() @ (drawn[:, 2].double()) / n
    wanted_together = (r * mixture.log_p[:, 0].exp() * mixture.rate[:, 0]).sum()
    assert together.item() == pytest.approx(wanted_together.item(), abs=0.3, rel=0.15)


def linear_gaussian_table() -> tuple[GMVAE, MultivariateNormal]:
    """One cluster whose style acts linearly: x is a normal with a covariance."""
    structure = TableStructure(("real",) * 3)
    gmvae = table_gmvae(structure, 1, latent_dim=2).eval()
    loc, scale = torch.tensor([1.0, -1.0, 0.5]), torch.tensor([0.4, 0.5, 0.6])
    loading = torch.tensor([[1.0, 0.8, -0.5], [0.0, 0.5, 1.0]])
    zero = torch.zeros(1, 0)
    decoder = gmvae.model.decoder
    decoder.begin_at(gmvae.model.likelihood.output_of(loc[None], scale[None], zero, zero, zero))
    with torch.no_grad():
        decoder.loading.copy_(loading[None] / 5)  # its gain
        head = gmvae.guide.z_head.output
        head.weight.zero_()
        head.bias.copy_(torch.tensor([0, 0, 1.3, 1.3]).expm1().log().nan_to_num(neginf=0.0))
    sigma = gmvae.model.component_scale[0].detach()
    assert torch.allclose(sigma, torch.ones(2), atol=1e-3)
    return gmvae, MultivariateNormal(loc, loading.T @ loading + scale.square().diag())


def test_a_linear_gaussian_is_regressed() -> None:
    gmvae, p = linear_gaussian_table()
    x = p.sample((20,))
    x[:, 0] = torch.nan
    x[10:, 1] = torch.nan
    filled = impute(gmvae, x, num_samples=20_000)
    for rows, a, b in ((slice(0, 10), [0], [1, 2]), (slice(10, 20), [0, 1], [2])):
        cov = p.covariance_matrix
        slope = cov[a][:, b] @ cov[b][:, b].inverse()
        wanted = p.loc[a] + (x[rows][:, b] - p.loc[b]) @ slope.T
        torch.testing.assert_close(filled[rows][:, a], wanted, atol=0.06, rtol=0)


def test_draws_of_a_linear_gaussian_vary_as_they_should() -> None:
    gmvae, p = linear_gaussian_table()
    row, n = torch.tensor([[torch.nan, -0.5, torch.nan]]), 3_000
    drawn = impute(gmvae, row.expand(n, 3).contiguous(), draw=True, num_samples=300)
    a, cov = [0, 2], p.covariance_matrix
    slope = cov[a][:, [1]] / cov[1, 1]
    mean = p.loc[a] + slope[:, 0] * (-0.5 - p.loc[1])
    left = cov[a][:, a] - slope @ cov[[1]][:, a]
    own = drawn[:, a]
    assert ((own.mean(0) - mean).abs() < SIGMAS * (left.diag() / n).sqrt() + 0.01).all()
    torch.testing.assert_close(own.T.cov(), left, atol=0.12, rtol=0)


@pytest.mark.parametrize("draw", [False, True])
def test_seen_cells_stay_and_seeds_decide(draw: bool) -> None:
    gmvae, _, x = at_mixture(TableStructure(WORDS))
    x[3] = x[3].nan_to_num(nan=1.0)
    filled = impute(gmvae, x, draw=draw, num_samples=10)
    assert filled.isfinite().all()
    assert torch.equal(filled[~x.isnan()], x[~x.isnan()])
    assert torch.equal(filled[3], x[3])
    assert torch.equal(filled, impute(gmvae, x, draw=draw, num_samples=10))
    assert not torch.equal(filled, impute(gmvae, x, draw=draw, num_samples=10, seed=1))


@pytest.mark.parametrize("draw", [False, True])
def test_a_row_is_filled_as_it_is_alone(draw: bool) -> None:
    gmvae, _, x = at_mixture(TableStructure(WORDS))
    keys = list(range(100, 100 + len(x)))
    filled = impute(gmvae, x, draw=draw, num_samples=20, keys=keys)
    some = torch.tensor([7, 2, 30])
    alone = impute(gmvae, x[some], draw=draw, num_samples=20, keys=[keys[i] for i in some])
    torch.testing.assert_close(alone, filled[some])
    torch.testing.assert_close(
        impute(gmvae, x, draw=draw, num_samples=20, keys=keys, batch_size=7), filled
    )


def test_other_models_take_no_gaps() -> None:
    with pytest.raises(InputError, match="train it with likelihood table"):
        impute(tiny(), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="num_samples"):
        impute(table_gmvae(TableStructure(WORDS)), torch.zeros(2, 7), num_samples=0)
