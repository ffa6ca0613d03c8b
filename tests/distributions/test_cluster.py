from __future__ import annotations

import pyro.distributions as dist
import pytest
import torch
from torch.distributions import kl_divergence

from pyro_gmvae.distributions import (
    Concrete,
    ConcreteCategorical,
    RelaxableOneHotCategorical,
    SparseOneHotCategorical,
    expected_value,
)

LOGITS = torch.tensor([1.0, -0.5, 0.3], dtype=torch.float64)
TAU = torch.tensor(0.7, dtype=torch.float64)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("temperature", [0.4, 1.5])
def test_concrete_density_integrates_to_one(n: int, temperature: float) -> None:
    # With y = softmax(u, 0) the volume element dy is prod(y) du.
    axis = torch.linspace(-60.0, 60.0, 1201, dtype=torch.float64)
    u = torch.cartesian_prod(*[axis] * (n - 1)).view(-1, n - 1)
    y = torch.cat([u, torch.zeros(len(u), 1, dtype=u.dtype)], -1).softmax(-1)
    q = Concrete(torch.tensor(temperature, dtype=u.dtype), logits=LOGITS[:n])
    density = (q.log_prob(y) + y.log().sum(-1)).exp()
    assert (density.sum() * (axis[1] - axis[0]) ** (n - 1)).item() == pytest.approx(1, abs=1e-6)


def test_concrete_equals_torch_where_that_is_finite() -> None:
    q = Concrete(TAU, logits=LOGITS)
    y = q.sample(torch.Size([100]))
    expected = torch.distributions.RelaxedOneHotCategorical(TAU, logits=LOGITS).log_prob(y)
    assert expected.isfinite().all()
    torch.testing.assert_close(q.log_prob(y), expected)


def test_concrete_is_finite_at_low_temperature() -> None:
    logits = (5 * torch.randn(500, 10)).requires_grad_()
    q = Concrete(torch.tensor(0.05), logits=logits)
    y = q.rsample()
    assert (y > 0).all()
    log_q = q.log_prob(y)
    log_q.sum().backward()
    assert log_q.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_concrete_draws_fall_to_the_clusters_with_their_probabilities() -> None:
    n = 20_000
    largest = Concrete(TAU, logits=LOGITS).sample(torch.Size([n])).argmax(-1)
    frequency = largest.bincount(minlength=3) / n
    probs = LOGITS.softmax(-1)
    z = (frequency - probs) / (probs * (1 - probs) / n).sqrt()
    assert z.abs().max() < 4


def test_concrete_density_is_that_of_its_draws() -> None:
    p = Concrete(TAU, logits=LOGITS)
    other = Concrete(TAU, logits=LOGITS + torch.tensor([0.3, 0.0, -0.4]))
    y = p.sample(torch.Size([20_000]))
    weights = (other.log_prob(y) - p.log_prob(y)).exp()
    assert abs(weights.mean() - 1) < 4 * weights.std() / len(weights) ** 0.5


@pytest.mark.parametrize("family", [ConcreteCategorical, RelaxableOneHotCategorical])
def test_mass_is_the_categorical_one_and_linear_between(family: type) -> None:
    args = (TAU,) if family is ConcreteCategorical else ()
    q = family(*args, logits=LOGITS)
    log_probs = LOGITS.log_softmax(-1)
    torch.testing.assert_close(q.log_prob(torch.eye(3).double()), log_probs)
    inside = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    torch.testing.assert_close(q.log_prob(inside), inside @ log_probs)
    with pytest.raises(ValueError, match="support"):
        q.log_prob(torch.tensor([0.5, 0.6, 0.3], dtype=torch.float64))


def test_mass_of_a_vertex_beside_an_impossible_one() -> None:
    q = RelaxableOneHotCategorical(logits=torch.tensor([0.0, -torch.inf]))
    assert q.log_prob(torch.tensor([1.0, 0.0])) == 0


@pytest.mark.parametrize(
    "prior",
    [
        RelaxableOneHotCategorical(logits=-LOGITS),
        dist.OneHotCategorical(logits=-LOGITS),
        ConcreteCategorical(TAU, logits=-LOGITS),
    ],
)
def test_kl_of_the_concrete_is_categorical(prior: dist.TorchDistribution) -> None:
    q = ConcreteCategorical(TAU, logits=LOGITS).expand([4])
    log_q, log_p = LOGITS.log_softmax(-1), (-LOGITS).log_softmax(-1)
    expected = (log_q.exp() * (log_q - log_p)).sum()
    torch.testing.assert_close(kl_divergence(q, prior.expand([4])), expected.expand(4))


@pytest.mark.parametrize("family", [RelaxableOneHotCategorical, ConcreteCategorical])
def test_kl_to_a_cluster_too_rare_for_a_float(family: type[dist.TorchDistribution]) -> None:
    given = (torch.tensor(0.5),) if family is ConcreteCategorical else ()
    q = family(*given, logits=torch.tensor([0.0, 1.0, -300.0]))
    prior = RelaxableOneHotCategorical(logits=torch.tensor([0.0, 0.0, -200.0]))
    truth = [d.logits.double().log_softmax(-1) for d in (q, prior)]
    expected = (truth[0].exp() * (truth[0] - truth[1])).sum().float()
    torch.testing.assert_close(kl_divergence(q, prior), expected)


def test_kl_where_a_cluster_is_impossible() -> None:
    logits = torch.tensor([0.0, -torch.inf])
    q, prior = (RelaxableOneHotCategorical(logits=at) for at in (logits, torch.zeros(2)))
    torch.testing.assert_close(kl_divergence(q, prior), torch.tensor(2.0).log())
    assert kl_divergence(prior, q) == torch.inf


@pytest.mark.parametrize("temperature", [0.3, 0.05])
def test_relaxed_densities_of_draws_are_as_exact_in_float32(temperature: float) -> None:
    logits, n = 5 * torch.randn(10, generator=torch.Generator().manual_seed(1)), 20_000
    means = []
    for dtype in (torch.float32, torch.float64):
        q, p = (
            Concrete(torch.tensor(temperature, dtype=dtype), logits=at.to(dtype))
            for at in (logits, torch.zeros(10))
        )
        y = q.rsample(torch.Size([n]))
        kl = (q.log_prob(y) - p.log_prob(y)).double()
        means.append((kl.mean(), kl.std() / n**0.5))
    (single, error), (double, other_error) = means
    assert (single - double).abs() < 5 * (error**2 + other_error**2).sqrt()


def test_relaxed_densities_have_no_closed_kl() -> None:
    with pytest.raises(NotImplementedError):
        kl_divergence(Concrete(TAU, logits=LOGITS), Concrete(TAU, logits=-LOGITS))


def test_expected_value_over_a_complete_support() -> None:
    q = RelaxableOneHotCategorical(logits=LOGITS.expand(2, 3))
    values = torch.randn(3, 2, dtype=torch.float64)
    result = expected_value(q, q.enumerate_support(), values)
    torch.testing.assert_close(result, LOGITS.softmax(-1) @ values)


@pytest.mark.parametrize("m", [1, 2])
def test_sparse_support(m: int) -> None:
    logits = torch.randn(7, 5)
    q = SparseOneHotCategorical(logits=logits.unsqueeze(0), n_likeliest=m).expand([2, 7])
    support = q.enumerate_support()
    assert support.shape == (m + 1, 2, 7, 5)
    torch.testing.assert_close(support.sum(-1), torch.ones(m + 1, 2, 7))
    chosen = support.argmax(-1)
    assert (chosen[:m] == logits.topk(m).indices.T.unsqueeze(1)).all()
    assert (chosen[:m] != chosen[m]).all()


def test_sparse_draws_the_rest_in_proportion() -> None:
    n, probs = 20_000, torch.tensor([0.4, 0.1, 0.3, 0.2])
    q = SparseOneHotCategorical(probs=probs.expand(n, 4), n_likeliest=1)
    frequency = q.enumerate_support()[-1].mean(0)
    rest = torch.tensor([0.0, 0.1, 0.3, 0.2]) / 0.6
    assert frequency[0] == 0
    assert ((frequency - rest).abs() < 4 * (rest * (1 - rest) / n).sqrt() + 1e-9).all()


@pytest.mark.parametrize("n_components", [2, 5])
def test_sparse_is_exact_when_one_cluster_is_left(n_components: int) -> None:
    logits = torch.randn(3, n_components, dtype=torch.float64, requires_grad=True)
    f = torch.randn(n_components, dtype=torch.float64)
    q = SparseOneHotCategorical(logits=logits, n_likeliest=n_components - 1)
    support = q.enumerate_support()
    estimate = q.expected_value(support, support @ f)
    exact = logits.softmax(-1) @ f
    torch.testing.assert_close(estimate, exact)
    torch.testing.assert_close(
        torch.autograd.grad(estimate.sum(), logits), torch.autograd.grad(exact.sum(), logits)
    )


@pytest.mark.parametrize("m", [0, 3, 4])
def test_sparse_refuses_what_leaves_nothing(m: int) -> None:
    with pytest.raises(ValueError, match="between 1 and K - 1 = 2"):
        SparseOneHotCategorical(logits=LOGITS, n_likeliest=m)
