"""The laws of a table's cells are those of torch's distributions, and gaps count for nothing."""

from __future__ import annotations

import pyro
import pytest
import torch
from pyro.infer import Predictive

from pyro_gmvae.distributions import ColumnLayout, LevelIndex, TableCells
from pyro_gmvae.errors import InputError
from tests.helpers.tables import (
    ONE_FAMILY,
    WORDS,
    column_by_column,
    column_laws,
    random_cells,
    with_gaps,
)

N_DRAWS, SIGMAS = 20_000, 4.5


@pytest.mark.parametrize("words", [WORDS, *ONE_FAMILY, ("count", "levels:3"), ("levels:1",)])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_each_cell_has_the_law_of_its_column(words: tuple[str, ...], share: float) -> None:
    cells = random_cells(words, 4, 1)  # clusters before rows, as an enumerated y has it
    x = with_gaps(random_cells(words, 9).sample(), share)
    assert cells.batch_shape == (4, 1, len(words)) and cells.event_shape == ()
    torch.testing.assert_close(cells.log_prob(x), column_by_column(cells, x))


def test_weights_multiply_the_columns() -> None:
    weights = torch.linspace(0.1, 0.9, len(WORDS)).double()
    torch.manual_seed(1)
    plain = random_cells(WORDS, 5)
    torch.manual_seed(1)
    weighted = random_cells(WORDS, 5, weights=weights)
    x = with_gaps(plain.sample())
    torch.testing.assert_close(weighted.log_prob(x), weights * plain.log_prob(x))
    torch.testing.assert_close(weighted.expand((3, 5, 7)).log_prob(x)[1], weighted.log_prob(x))


def test_no_gradient_comes_from_a_gap() -> None:
    made = random_cells(WORDS, 6)
    leaves = [
        p.clone().requires_grad_()
        for p in (made.loc, made.scale, made.log_rate, made.dispersion, made.logits)
    ]
    cells = TableCells(made.layout, made.index, *leaves)
    x = with_gaps(made.sample(), 0.5).requires_grad_()
    gradients = torch.autograd.grad(cells.log_prob(x).sum(), [*leaves, x])
    assert all(g.isfinite().all() for g in gradients)
    seen = ~x.detach().isnan()
    layout = made.layout
    real, count = seen[:, list(layout.real)], seen[:, list(layout.count)]
    levels = seen[:, list(layout.levels)].repeat_interleave(torch.tensor(layout.sizes), -1)
    for gradient, known in zip(gradients, (real, real, count, count, levels, seen), strict=True):
        assert (gradient[~known] == 0).all()
    for gradient, known in zip(gradients[:5], (real, real, count, count, levels), strict=True):
        assert (gradient[known] != 0).all()


def test_every_law_sums_to_one() -> None:
    cells = random_cells(("real", "count", "levels:4"))
    grid = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    nan = torch.full_like(grid, torch.nan)
    density = cells.log_prob(torch.stack([grid, nan, nan], -1))[:, 0].exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-9)
    counts = torch.arange(5_000).double()
    nan = torch.full_like(counts, torch.nan)
    mass = cells.log_prob(torch.stack([nan, counts, nan], -1))[:, 1].exp()
    assert mass.sum().item() == pytest.approx(1, abs=1e-9)
    mass = cells.log_prob(torch.stack([nan[:4], nan[:4], counts[:4]], -1))[:, 2].exp()
    assert mass.sum().item() == pytest.approx(1, abs=1e-9)
    torch.testing.assert_close(cells.probabilities(), mass)


def test_draws_have_the_means_and_the_shares() -> None:
    cells = random_cells(WORDS)
    x = cells.sample((N_DRAWS,))
    assert x.shape == (N_DRAWS, len(WORDS)) and not x.isnan().any()
    for i, (word, law) in enumerate(zip(WORDS, column_laws(cells), strict=True)):
        draws = x[:, i]
        if word.startswith("levels"):
            draws = torch.nn.functional.one_hot(draws.long(), law.probs.shape[-1]).double()
            wanted, spread = law.probs, (law.probs * (1 - law.probs)).sqrt()
        else:
            wanted, spread = law.mean, law.variance.sqrt()
            if word == "count":
                assert (draws == draws.floor()).all() and (draws >= 0).all()
            assert draws.std().item() == pytest.approx(spread.item(), rel=0.1)
        assert ((draws.mean(0) - wanted).abs() < SIGMAS * spread / N_DRAWS**0.5).all()


@pytest.mark.parametrize("words", [WORDS, *ONE_FAMILY])
def test_quantiles_invert_the_distribution_functions(words: tuple[str, ...]) -> None:
    cells = random_cells(words, 3)
    u = torch.rand(500, 3, len(words)).double()
    x = cells.icdf(u)
    for i, law in enumerate(column_laws(cells)):
        own, wanted = x[..., i], u[..., i]
        if words[i] == "real":
            torch.testing.assert_close(law.cdf(own), wanted)
            continue
        # The least level, or count, up to which the mass is u or more.
        most = law.probs.shape[-1] if words[i].startswith("levels") else 400
        cdf = law.log_prob(torch.arange(most).unsqueeze(-1)).exp().cumsum(0)
        up_to = cdf.gather(0, own.long())
        before = torch.where(own > 0, cdf.gather(0, (own.long() - 1).clamp(min=0)), 0.0)
        assert (before <= wanted + 1e-9).all() and (wanted <= up_to + 1e-9).all()


def test_the_mean_is_that_of_each_column_or_its_likeliest_level() -> None:
    cells = random_cells(WORDS, 5)
    for i, law in enumerate(column_laws(cells)):
        wanted = law.probs.argmax(-1).double() if WORDS[i].startswith("levels") else law.mean
        torch.testing.assert_close(cells.mean[..., i], wanted)


@pytest.mark.parametrize("words", [WORDS, *ONE_FAMILY])
def test_expand_repeats_the_rows(words: tuple[str, ...]) -> None:
    cells = random_cells(words, 1)
    more = cells.expand((3, 4, len(words)))
    assert more.batch_shape == (3, 4, len(words))
    x = with_gaps(more.sample())
    assert x.shape == (3, 4, len(words))
    torch.testing.assert_close(more.log_prob(x), cells.log_prob(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_precision_is_kept(dtype: torch.dtype) -> None:
    cells = random_cells(WORDS, 2, dtype=dtype)
    x = cells.sample()
    for tensor in (x, cells.log_prob(x), cells.probabilities(), cells.mean):
        assert tensor.dtype is dtype


@pytest.mark.parametrize("mean", [1.0, 1e3, 1e6, 1e8])
@pytest.mark.parametrize("dispersion", [0.05, 1.0, 30.0, 1e4])
def test_large_counts_are_as_precise_as_small_ones(mean: float, dispersion: float) -> None:
    exact = random_cells(("count",))
    exact.log_rate.fill_(torch.tensor(mean).log())
    exact.dispersion.fill_(torch.tensor(dispersion))
    x = exact.sample((50,))
    parts = (exact.loc, exact.scale, exact.log_rate, exact.dispersion, exact.logits)
    cells = TableCells(exact.layout, exact.index, *(p.float() for p in parts))
    error = cells.log_prob(x.float()).double() - column_by_column(exact, x.float().double())
    # A float holds the logarithm of the mean to 1e-6, which moves log p by up to a few thousandths.
    assert error.abs().max() < 5e-3


def test_pyro_takes_gaps_and_refuses_infinity() -> None:
    def model(x: torch.Tensor | None) -> torch.Tensor:
        with pyro.plate("data", 3):
            cells = random_cells(("real", "levels:2"), 3)
            return pyro.sample("x", cells.to_event(1), obs=x)

    x = torch.tensor([[torch.nan, 1.0], [0.5, torch.nan], [torch.nan, torch.nan]]).double()
    trace = pyro.poutine.trace(model).get_trace(x)
    assert trace.log_prob_sum().isfinite()
    assert trace.nodes["x"]["fn"].log_prob(x)[2] == 0
    assert Predictive(model, num_samples=2)(None)["x"].shape == (2, 3, 2)
    cells = random_cells(("real", "levels:2"))
    assert not cells.support.check(torch.tensor([torch.inf, 0.0])).all()


def test_unknown_words_are_refused() -> None:
    for words in (("number",), ("levels:0",), ("levels:",), ("levels:3x",), ("x" * 10_000,)):
        with pytest.raises(InputError, match="use real, count or levels:L") as caught:
            ColumnLayout(words)
        assert len(str(caught.value)) < 300
    with pytest.raises(InputError, match="at least one column"):
        ColumnLayout(())
    layout = ColumnLayout.of(["levels:2", "real"])
    assert len(layout) == 2 and layout.n_outputs == 4 and layout.n_central == 3
    assert LevelIndex.of(layout).order.tolist() == [1, 0]
