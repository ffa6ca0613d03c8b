"""The probabilities of 256 levels against sums over all of them and float64 differences."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pyro.distributions as dist
import pytest
import torch
from torch import Tensor
from torch.distributions import MixtureSameFamily
from torch.fx.experimental.proxy_tensor import make_fx

from pyro_gmvae.distributions import LEVELS, DiscretizedLogistic, LevelMixture

GRID = torch.arange(LEVELS) / 255
SIGMAS = 4.5
# Inside, at and far beyond the edges; a tenth of a level to a thousand times the range.
LOCS = (-500.0, -0.2, 0.0, 0.3, 127 / 255, 127.5 / 255, 0.999, 1.0, 1.7, 500.0)
SCALES = (4e-4, 2e-3, 0.02, 0.25, 5.0, 1e3)


def cases(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    loc, scale = torch.meshgrid(
        torch.tensor(LOCS, dtype=dtype), torch.tensor(SCALES, dtype=dtype), indexing="ij"
    )
    return loc.flatten(), scale.flatten()


def brute_force(level: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """log(CDF - CDF) in float64, on whichever side of the location nothing cancels."""
    loc, scale = 255 * loc.double(), 255 * scale.double()
    upper = torch.where(level == 255, torch.inf, (level + 0.5 - loc) / scale)
    lower = torch.where(level == 0, -torch.inf, (level - 0.5 - loc) / scale)
    on_the_right = lower > 0
    a, b = torch.where(on_the_right, -lower, upper), torch.where(on_the_right, -upper, lower)
    return (a.sigmoid() - b.sigmoid()).log()


def mixture(dtype: torch.dtype = torch.float32, n: int = 4) -> LevelMixture:
    logits, loc = torch.randn(n, 3, dtype=dtype), torch.rand(n, 3, dtype=dtype)
    scale = torch.rand(n, 3, dtype=dtype) * 0.1 + 0.003
    return LevelMixture(dist.Categorical(logits=logits), DiscretizedLogistic(loc, scale))


def test_probabilities_sum_to_one() -> None:
    loc, scale = cases()
    total = DiscretizedLogistic(loc, scale).log_prob(GRID[:, None]).exp().sum(0)
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-5, rtol=0)
    total = mixture().log_prob(GRID[:, None]).exp().sum(0)
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-8)], ids=str
)
def test_log_probability_is_the_difference_of_the_cdf(dtype: torch.dtype, tolerance: float) -> None:
    loc, scale = cases(dtype)
    level = torch.arange(LEVELS, dtype=dtype)[:, None]
    log_p = DiscretizedLogistic(loc, scale).log_prob(level / 255)
    expected = brute_force(level, loc, scale)
    known = expected > -600  # beyond, the difference underflows, and ours does not
    assert known.double().mean() > 0.5
    assert log_p.isfinite().all()
    # How far a level is from a location is known as well as the location is.
    rounding = tolerance + torch.finfo(dtype).eps * (loc.abs() + 1) / scale
    error = (log_p - expected).abs() / (1 + expected.abs())
    assert (error < rounding)[known].all()


def test_far_tails_are_those_of_a_logistic() -> None:
    # Far to the left of the location log P = -(mu - k)/s + log(2 sinh(1/2s)) in levels.
    p = DiscretizedLogistic(torch.tensor(2.0).double(), torch.tensor(4e-4).double())
    level = torch.tensor([1.0, 100.0, 254.0]).double()
    h = torch.tensor(1 / (2 * 255 * 4e-4)).double()
    expected = -(510 - level) / (255 * 4e-4) + (2 * h.sinh()).log()
    torch.testing.assert_close(p.log_prob(level / 255), expected)
    assert expected.max() < -2000


def gradients(log_p: Callable[..., Tensor], *args: Tensor) -> list[Tensor]:
    leaves = [a.clone().requires_grad_() for a in args]
    return list(torch.autograd.grad(log_p(*leaves).sum(), leaves))


def test_gradient_is_that_of_float64_and_of_finite_differences() -> None:
    loc, scale = torch.rand(50) * 1.4 - 0.2, torch.rand(50) * 0.2 + 0.002
    level = torch.randint(LEVELS, (50,)).float()
    level[:4] = torch.tensor([0.0, 255.0, 0.0, 255.0])

    def log_p(loc: Tensor, scale: Tensor) -> Tensor:
        return DiscretizedLogistic(loc, scale).log_prob(level.to(loc) / 255)

    ours = gradients(log_p, loc, scale)
    double = gradients(log_p, loc.double(), scale.double())
    torch.testing.assert_close([g.double() for g in ours], double, rtol=1e-4, atol=1e-3)
    leaves = [t.double().requires_grad_() for t in (loc, scale)]
    assert torch.autograd.gradcheck(log_p, leaves, eps=1e-7, rtol=1e-4)


def test_gradient_where_a_level_begins() -> None:
    # The location on the border of two levels: P is symmetric there, and no kink of ours may show.
    border = torch.tensor([127.5 / 255], dtype=torch.float64)
    for level in (127, 128):
        value = torch.tensor([level / 255], dtype=torch.float64)

        def log_p(loc: Tensor, value: Tensor = value) -> Tensor:
            return DiscretizedLogistic(loc, torch.tensor(0.01).double()).log_prob(value)

        assert torch.autograd.gradcheck(log_p, [border.clone().requires_grad_()], eps=1e-8)


def test_gradients_are_finite_everywhere() -> None:
    loc, scale = cases()
    found = gradients(lambda m, s: DiscretizedLogistic(m, s).log_prob(GRID[:, None]), loc, scale)
    assert all(g.isfinite().all() for g in found)


def test_mean_is_the_sum_over_levels() -> None:
    loc, scale = cases()
    for p in (DiscretizedLogistic(loc, scale), mixture()):
        expected = (p.log_prob(GRID[:, None]).double().exp() * GRID[:, None]).sum(0)
        torch.testing.assert_close(p.mean.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["one", "mixture"])
def test_draws_are_distributed_so(kind: str) -> None:
    n = 40_000
    loc, scale = torch.tensor([-0.1, 0.4, 0.9, 0.5]), torch.tensor([0.1, 0.002, 0.2, 1.0])
    p = DiscretizedLogistic(loc, scale) if kind == "one" else mixture()
    draws = p.sample((n,))
    assert torch.isin(draws, GRID).all()  # exactly, not just nearly
    probability = p.log_prob(GRID[:, None]).double().exp()
    levels = (draws * 255).round().long()
    counts = torch.stack([one.bincount(minlength=LEVELS) for one in levels.unbind(1)], -1)
    expected = n * probability
    often = expected > 10
    chi2 = ((counts - expected).square() / expected)[often].sum()
    freedom = often.sum()
    assert abs(chi2 - freedom) < SIGMAS * (2 * freedom) ** 0.5
    assert (counts[~often].sum() - expected[~often].sum()).abs() < SIGMAS * (
        expected[~often].sum() ** 0.5 + 1
    )


@pytest.mark.parametrize("value", [0.5, 1 / 254, -1 / 255, 256 / 255, float("nan"), float("inf")])
def test_what_is_no_level_is_refused(value: float) -> None:
    x = torch.tensor([0.0, value])
    for p in (DiscretizedLogistic(torch.zeros(2), torch.ones(2)), mixture(n=2)):
        with pytest.raises(ValueError, match="within the support"):
            p.log_prob(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_levels_may_be_rounded(dtype: torch.dtype) -> None:
    p = DiscretizedLogistic(torch.tensor(0.4, dtype=dtype), torch.tensor(0.01, dtype=dtype))
    exact = p.log_prob(torch.arange(LEVELS, dtype=dtype) / 255)
    for nearly in (torch.arange(LEVELS).float() * (1 / 255), GRID, GRID * (1 + 1e-7)):
        assert torch.equal(p.log_prob(nearly.to(dtype)), exact)


@pytest.mark.usefixtures("no_validation")
def test_without_validation_the_nearest_level_counts() -> None:
    p = DiscretizedLogistic(torch.tensor(0.4), torch.tensor(0.1))
    found = p.log_prob(torch.tensor([-3.0, 0.3 / 255, 7.4 / 255, 2.0]))
    torch.testing.assert_close(found, p.log_prob(torch.tensor([0.0, 0.0, 7 / 255, 1.0])))


def test_parameters_are_validated() -> None:
    with pytest.raises(ValueError, match="scale"):
        DiscretizedLogistic(torch.zeros(2), torch.tensor([0.1, 0.0]))
    with pytest.raises(ValueError, match="loc"):
        DiscretizedLogistic(torch.tensor([0.0, float("nan")]), torch.ones(2))


def test_shapes() -> None:
    p = DiscretizedLogistic(torch.zeros(3, 1), torch.ones(4))
    assert p.batch_shape == (3, 4)
    assert p.sample((2,)).shape == (2, 3, 4)
    assert p.expand((5, 3, 4)).to_event(2).log_prob(torch.zeros(4)).shape == (5,)
    assert p.expand((5, 3, 4)).mean.shape == (5, 3, 4)
    q = mixture().expand((2, 4))
    assert isinstance(q, LevelMixture)
    assert q.log_prob(torch.zeros(())).shape == q.sample().shape == (2, 4)


def test_a_mixture_is_torchs() -> None:
    p = mixture(torch.float64)
    torchs = MixtureSameFamily(p.mixture_distribution, p.component_distribution)
    x = GRID.double()[:, None]
    torch.testing.assert_close(p.log_prob(x), torchs.log_prob(x))
    weights = p.mixture_distribution.probs
    by_hand = (weights * p.component_distribution.log_prob(x.unsqueeze(-1)).exp()).sum(-1)
    torch.testing.assert_close(p.log_prob(x).exp(), by_hand)


def value_and_gradient(x: Tensor, logits: Tensor, loc: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
    leaves = [t.detach().requires_grad_() for t in (logits, loc, scale)]
    p = LevelMixture(dist.Categorical(logits=leaves[0]), DiscretizedLogistic(*leaves[1:]))
    log_p = p.log_prob(x)
    return log_p, *torch.autograd.grad(log_p.sum(), leaves)


@pytest.mark.usefixtures("no_validation")
@pytest.mark.parametrize(
    "backend",
    [
        "fake",
        pytest.param(
            "inductor",
            marks=pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler"),
        ),
    ],
)
def test_traced_and_compiled_it_is_the_same(backend: str) -> None:
    level = torch.tensor([0, 0, 1, 90, 254, 255, 255])
    args = (
        level / 255,
        torch.randn(7, 3),
        torch.rand(7, 3) * 1.5 - 0.2,
        torch.rand(7, 3) * 0.1 + 0.002,
    )
    # Tensors without values: whatever looked at one would raise.
    graph = make_fx(value_and_gradient, tracing_mode="fake")(*args)
    run = graph if backend == "fake" else torch.compile(graph, fullgraph=True)
    torch.testing.assert_close(run(*args), value_and_gradient(*args), rtol=1e-4, atol=1e-5)
