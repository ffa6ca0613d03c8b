import math

import numpy as np
import pyro
import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import LogLikelihood, log_likelihood, sample
from pyro_gmvae.evaluation._arviz import pareto_k
from pyro_gmvae.models import METHODS, ConcreteGMVAE, ExactGMVAE
from pyro_gmvae.noise import row_keys
from tests.helpers.linear_gaussian import linear_gaussian


def data(n: int, d: int = 3, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def assert_same(a: LogLikelihood, b: LogLikelihood, tolerance: float = 1e-6) -> None:
    for field in ("log_p", "elbo_per_datum", "ess", "pareto_k"):
        torch.testing.assert_close(
            getattr(a, field), getattr(b, field), atol=tolerance, rtol=tolerance, equal_nan=True
        )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("batch_size", "chunk"), [(1, 5), (7, 1), (100, 26)])
def test_batches_and_chunks_do_not_matter(method: str, batch_size: int, chunk: int) -> None:
    # 11 data are not divided by 7 nor 26 samples by 5: the last batch and chunk are short.
    gmvae, x = linear_gaussian(method), data(11)
    whole = log_likelihood(gmvae, x, num_samples=26)
    parts = log_likelihood(gmvae, x, num_samples=26, batch_size=batch_size, sample_chunk=chunk)
    assert_same(whole, parts)


def test_a_random_transform_does_not_see_the_batches() -> None:
    gmvae = ExactGMVAE(5, 2, 2, hidden=(8,))
    x = torch.rand(150, 5)
    figures = [
        log_likelihood(gmvae, x, num_samples=3, transform=torch.bernoulli, batch_size=size, seed=s)
        for size, s in [(150, 0), (1, 0), (64, 0), (47, 0), (150, 1)]
    ]
    for other in figures[1:4]:
        torch.testing.assert_close(figures[0].log_p, other.log_p, atol=1e-5, rtol=0)
    assert not torch.allclose(figures[0].log_p, figures[4].log_p)


def test_seed_fixes_the_figures() -> None:
    gmvae, x = linear_gaussian("concrete"), data(5)
    first, again, other = (log_likelihood(gmvae, x, num_samples=30, seed=s) for s in (3, 3, 4))
    assert torch.equal(first.log_p, again.log_p)
    assert not torch.equal(first.log_p, other.log_p)
    log_likelihood(gmvae, x, num_samples=2, seed=-1)  # any integer is a seed


def test_each_datum_has_its_own_draws() -> None:
    gmvae = linear_gaussian("exact")
    result = log_likelihood(gmvae, data(1).expand(4, 3), num_samples=10)
    assert len(result.log_p.unique()) == 4


@pytest.mark.parametrize("batch_size", [None, 3])
def test_draws_by_a_key_do_not_depend_on_the_rows_beside_it(batch_size: int | None) -> None:
    gmvae, x = linear_gaussian("sparse"), data(7)

    def figures(rows: list[int], seed: int = 0) -> LogLikelihood:
        given = x[rows]
        keys = row_keys(given)
        return log_likelihood(
            gmvae, given, num_samples=30, keys=keys, seed=seed, batch_size=batch_size
        )

    whole = figures(list(range(7)))
    for rows in ([6, 2], [3], [5, 5, 0, 1]):
        some = figures(rows)
        for field in ("log_p", "elbo_per_datum", "ess", "pareto_k"):
            torch.testing.assert_close(getattr(some, field), getattr(whole, field)[rows])
    assert not torch.allclose(figures([0], seed=1).log_p, whole.log_p[:1])
    same = log_likelihood(gmvae, data(1).expand(4, 3), num_samples=10, keys=[5, 5, 5, 6])
    assert len(same.log_p.unique()) == 2


def test_leaves_no_trace() -> None:
    gmvae = ConcreteGMVAE(5, 2, 2, hidden=(8,))
    gmvae.train()
    gmvae.guide.eval()
    modes = [m.training for m in gmvae.modules()]
    state, params = torch.get_rng_state(), dict(pyro.get_param_store())
    validation = pyro.settings.get("validate_distributions_pyro")
    result = log_likelihood(gmvae, torch.rand(4, 5), num_samples=3, transform=torch.bernoulli)
    # torch.rand, evaluated before the call, is the one draw that counts.
    torch.set_rng_state(state)
    torch.rand(4, 5)
    expected = torch.get_rng_state()
    torch.set_rng_state(state)
    log_likelihood(gmvae, torch.rand(4, 5), num_samples=3, transform=torch.bernoulli)
    assert torch.equal(torch.get_rng_state(), expected)
    assert [m.training for m in gmvae.modules()] == modes
    assert dict(pyro.get_param_store()) == params
    assert pyro.settings.get("validate_distributions_pyro") == validation
    assert torch.is_grad_enabled()
    assert not result.log_p.requires_grad


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n_components", "latent_dim", "n"), [(1, 1, 1), (1, 2, 3), (5, 1, 1)])
def test_smallest_sizes(method: str, n_components: int, latent_dim: int, n: int) -> None:
    gmvae = linear_gaussian(method, n_components, latent_dim)
    result = log_likelihood(gmvae, data(n), num_samples=1)
    assert result.log_p.shape == (n,)
    torch.testing.assert_close(result.log_p, result.elbo_per_datum)
    torch.testing.assert_close(result.ess, torch.ones(n, dtype=torch.float64))
    assert result.pareto_k.isnan().all()
    assert not result.trustworthy
    assert "too few" in str(result.warning)


def test_images_and_covariates() -> None:
    class Shifted(ExactGMVAE.model_class):
        def p_x(self, z: torch.Tensor, shift: torch.Tensor):
            return self.likelihood(self.decoder(z) + shift[..., None, None, None])

    class ShiftedGMVAE(ExactGMVAE):
        model_class = Shifted

    gmvae = ShiftedGMVAE((1, 3, 2), 2, 2, hidden=(8,))
    x, shift = torch.ones(7, 1, 3, 2), torch.tensor([0.0, 5, 0, 5, 0, 5, 0])
    whole = log_likelihood(gmvae, x, num_samples=40, covariates=(shift,))
    parts = log_likelihood(gmvae, x, num_samples=40, covariates=(shift,), batch_size=2)
    assert_same(whole, parts, tolerance=1e-4)  # single precision
    assert whole.log_p[1::2].min() > whole.log_p[::2].max()


def test_light_tails_are_reported() -> None:
    x, _ = sample(linear_gaussian("exact"), 30, mean=False, seed=1)
    result = log_likelihood(linear_gaussian("exact", width=0.1), x, num_samples=500)
    assert result.pareto_k_bad_fraction > 0.5
    assert not result.trustworthy
    assert "k-hat" in str(result.warning)
    good = log_likelihood(linear_gaussian("exact", latent_dim=1), data(30), num_samples=500)
    assert good.trustworthy
    assert good.warning is None


def test_summary_figures() -> None:
    result = log_likelihood(linear_gaussian("exact"), data(9), num_samples=25)
    assert result.mean == pytest.approx(result.log_p.mean().item())
    assert result.standard_error == pytest.approx(result.log_p.std().item() / 3)
    assert result.elbo <= result.mean
    assert (result.ess >= 1).all()
    assert (result.ess <= 25).all()


@pytest.mark.parametrize("num_samples", [1, 5, 20, 21, 24, 25, 29])
def test_few_weights_have_no_pareto_k(num_samples: int) -> None:
    """ArviZ 1 raises an error for some of these numbers, ArviZ 0.23 gives a figure."""
    log_weights = np.random.default_rng(0).normal(size=(3, num_samples))
    assert np.isnan(pareto_k(log_weights)).all()


def test_each_row_has_its_pareto_k_beside_a_tail_of_equal_weights() -> None:
    log_weights = np.random.default_rng(0).normal(size=(3, 30))
    usual = pareto_k(log_weights)
    assert np.isfinite(usual).all()
    log_weights[1, 10:] = log_weights.max()
    k = pareto_k(log_weights)
    np.testing.assert_array_equal(k[[0, 2]], usual[[0, 2]])
    assert k[1] == np.inf


def test_pareto_k_of_odd_weights() -> None:
    heavy = torch.distributions.Pareto(1.0, 1.0).icdf(torch.linspace(0.001, 0.999, 999)).log()
    light = torch.rand(999, generator=torch.Generator().manual_seed(0)).log()
    rows = torch.stack([heavy, light, torch.zeros(999), torch.full((999,), -torch.inf)])
    k = pareto_k(rows.double().numpy())
    assert k[0] == pytest.approx(1.0, abs=0.3)
    assert k[1] < 0
    assert k[2] == 0
    assert k[3] == float("inf")


@pytest.mark.parametrize(
    ("x", "options", "error", "words"),
    [
        (torch.zeros(0, 3), {}, InputError, "no data"),
        (torch.zeros(4, 2), {}, InputError, r"shape \(3,\)"),
        (torch.zeros(4, 3), {"covariates": (torch.zeros(3),)}, InputError, "covariate"),
        (torch.zeros(4, 3), {"num_samples": 0}, ValueError, "num_samples"),
        (torch.zeros(4, 3), {"batch_size": 0}, ValueError, "batch_size"),
        (torch.zeros(4, 3), {"sample_chunk": 0}, ValueError, "sample_chunk"),
    ],
)
def test_bad_arguments(x: torch.Tensor, options: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        log_likelihood(linear_gaussian("exact"), x, **options)


def test_another_family_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    gmvae = linear_gaussian("exact")
    laplace = pyro.distributions.Laplace(torch.zeros(2, 2), 1.0).to_event(1)
    monkeypatch.setattr(type(gmvae), "posterior", lambda self, x: laplace)
    with pytest.raises(TypeError, match="diagonal normal"):
        log_likelihood(gmvae, data(2), num_samples=1)


def test_without_diagnostics_nothing_is_said_of_the_samples() -> None:
    figures = log_likelihood(linear_gaussian("exact"), data(5), num_samples=50, diagnostics=False)
    assert figures.pareto_k.isnan().all()
    assert math.isnan(figures.pareto_k_bad_fraction)
    assert not figures.trustworthy
    assert figures.warning is not None
    assert "k-hat was not computed" in figures.warning
