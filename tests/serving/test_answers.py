"""What tensor operations alone say of rows is what the model says, and the bound holds."""

from __future__ import annotations

import pyro.distributions as dist
import pytest
import torch

from pyro_gmvae.data import ImageEncoding, TableEncoding
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.starts.exact import begin_at_mixture
from pyro_gmvae.fitting.starts.gaussian_table import begin_at_gaussians
from pyro_gmvae.fitting.starts.gaussians import Gaussians
from pyro_gmvae.fitting.starts.mixture_fit import table_features
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models import METHODS
from pyro_gmvae.serving.answers import AnswersOfRows, _by_cluster, balanced_signs
from tests.helpers.small import small_gmvae
from tests.helpers.tables import (
    WORDS,
    drawn_rows,
    log_joint,
    random_mixture,
    table_gmvae,
    with_gaps,
)

N, K, Z, D = 40, 3, 4, 4


def answers(fitted: FittedModel, x: torch.Tensor, **options: str) -> AnswersOfRows:
    with torch.no_grad():
        return AnswersOfRows(fitted, **options)(x)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 20])
def test_the_mean_of_a_quadratic_over_the_points_is_its_expectation(n: int) -> None:
    generator = torch.Generator().manual_seed(n)
    a, b = (torch.randn(n, k, generator=generator, dtype=torch.float64) for k in (n, 1))
    points = balanced_signs(n).double()
    assert len(points) <= 2 * n and len(points) > n
    values = (points @ a * points).sum(-1) + (points @ b).squeeze(-1) + 3
    torch.testing.assert_close(values.mean(), a.trace() + 3)


@pytest.mark.parametrize("method", METHODS)
def test_clusters_and_latents_are_those_of_the_fitted_model(method: str) -> None:
    fitted = FittedModel(small_gmvae(method).eval(), TableEncoding((6,)))
    x = torch.rand(N, 6).double()
    found = answers(fitted, x)
    torch.testing.assert_close(found.responsibilities, fitted.responsibilities(x))
    torch.testing.assert_close(found.latent, fitted.embed(x))
    assert torch.equal(found.cluster, fitted.responsibilities(x).argmax(-1))


def gaussian_model() -> tuple[FittedModel, Gaussians, torch.Tensor]:
    """A model that begins exactly at Gaussians, and rows in raw units."""
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(K, D, D, generator=generator, dtype=torch.float64) / 2
    mixture = Gaussians(
        "full",
        torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64).log(),
        2 * torch.randn(K, D, generator=generator, dtype=torch.float64),
        root @ root.mT + 0.1 * torch.eye(D, dtype=torch.float64),
    )
    structure = TableStructure(("real",) * D, correlated=True)
    gmvae = table_gmvae(structure, K, latent_dim=Z).double().eval()
    begin_at_gaussians(gmvae, mixture)
    encoding = TableEncoding((D,))
    encoding.shift.copy_(torch.arange(D).double())
    encoding.scale.copy_(torch.tensor([1.0, 2.0, 0.5, 4.0]))
    noise = torch.randn(N, D, 1, generator=generator, dtype=torch.float64)
    y = torch.arange(N) % K
    x = mixture.loc[y] + (torch.linalg.cholesky(mixture.covariance)[y] @ noise).squeeze(-1)
    raw = encoding.decode(x)
    return FittedModel(gmvae, encoding), mixture, raw


def test_the_bound_of_a_mixture_of_gaussians_is_its_log_likelihood() -> None:
    """There q is the exact posterior and log p(x|z) is quadratic within a cluster."""
    fitted, mixture, raw = gaussian_model()
    x = (raw - fitted.encoding.shift) / fitted.encoding.scale
    law = dist.MultivariateNormal(mixture.loc, mixture.covariance)
    log_p = (mixture.log_p_y + law.log_prob(x.unsqueeze(-2))).logsumexp(-1)
    in_raw_units = log_p - fitted.encoding.scale.double().log().sum()
    found = answers(fitted, raw)
    torch.testing.assert_close(found.elbo, in_raw_units, atol=1e-6, rtol=1e-6)
    # At the mean alone the figure is no bound.
    assert (answers(fitted, raw, elbo_at="mean").elbo > in_raw_units + 0.5).all()


def test_the_bound_of_mixed_columns_lacks_only_what_the_style_costs() -> None:
    """At the start the decoder does not know the style, and q(y|x) is the exact posterior."""
    structure = TableStructure(WORDS)
    mixture = random_mixture(structure, K)
    rows, _ = drawn_rows(mixture, 200)
    x = with_gaps(rows)
    gmvae = table_gmvae(structure, K).double().eval()
    begin_at_mixture(gmvae, mixture, table_features(structure, x))
    found = answers(FittedModel(gmvae, TableEncoding((len(WORDS),))), x.double())
    with torch.no_grad():
        q_z = gmvae.posterior(x.double()).component_distribution.base_dist
        prior = dist.Normal(*gmvae.model.components())
        cost = found.responsibilities * torch.distributions.kl_divergence(q_z, prior).sum(-1)
    log_p = log_joint(mixture, x).logsumexp(-1)
    torch.testing.assert_close(found.elbo + cost.sum(-1), log_p, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("method", ["exact", "marginal"])
def test_the_bound_of_a_linear_decoder_is_the_mean_of_many_draws(method: str) -> None:
    decoder = torch.nn.Linear(2, 6)
    gmvae = small_gmvae(method, likelihood="gaussian", decoder=decoder).double().eval()
    x = torch.rand(N, 6).double()
    found = answers(FittedModel(gmvae, TableEncoding((6,))), x)
    with torch.no_grad():
        r, q_z, model = gmvae.responsibilities(x), gmvae.posterior(x), gmvae.model
        normal = dist.Normal(*_by_cluster(q_z))
        z = normal.sample((4_000,))
        prior = dist.Normal(*model.components())
        kl_z = torch.distributions.kl_divergence(normal, prior).sum(-1)
        draws = model.p_x(z).log_prob(x.unsqueeze(-2)) - kl_z - r.log() + model.log_p_y()
        each = (r * draws).sum(-1)
    standard_error = each.std(0) / 4_000**0.5
    assert ((found.elbo - each.mean(0)).abs() < 5 * standard_error).all()


def test_the_bound_of_grey_pixels_is_the_mean_over_their_binarisations() -> None:
    gmvae = small_gmvae("exact", input_dim=(1, 2, 3)).eval()
    raw = torch.randint(0, 256, (1, 1, 2, 3), dtype=torch.uint8)
    encoding = ImageEncoding((1, 2, 3), binarize="dynamic")
    found = answers(FittedModel(gmvae, encoding), raw).elbo
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 6).view(64, 1, 2, 3)
    grey = raw / 255
    share = (every * grey + (1 - every) * (1 - grey)).flatten(1).prod(-1)
    with torch.no_grad():  # the clusters and latents are those of the grey image
        module = AnswersOfRows(FittedModel(gmvae, encoding))
        r, q_z = gmvae.responsibilities(grey), gmvae.posterior(grey)
        loc, scale = (
            getattr(q_z.component_distribution.base_dist, name) for name in ("loc", "scale")
        )
        each = torch.cat([module._elbo(x[None], r, loc, scale) for x in every])
    torch.testing.assert_close(found, (share * each).sum()[None])
