"""The likelihood of a table: what the decoder's output stands for, weights, floors, structures."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.likelihoods import Likelihood, Table, TableStructure
from pyro_gmvae.likelihoods.table import (
    LEAST_DISPERSION,
    LEAST_SCALE,
    MOST_DISPERSION,
)
from pyro_gmvae.models import from_config, to_config
from tests.helpers.likelihood_contract import N_DRAWS, SIGMAS, LikelihoodContract
from tests.helpers.tables import ONE_FAMILY, WORDS, random_cells, table_gmvae, with_gaps


class TableContract(LikelihoodContract):
    event_shapes = ((5,), (1,))
    several_outputs = True


class TestTableOfCounts(TableContract):
    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return Table(event_shape, TableStructure(("count",) * event_shape[0]))


class TestTableOfAnswers(TableContract):
    def test_mean_is_that_of_the_draws(self) -> None:
        """Levels have no mean; the likeliest one stands for it."""
        likelihood = self.make((2,))
        output = torch.tensor([1.0, -1.0, -1.0, 1.0])
        drawn = likelihood(output).sample((N_DRAWS,))
        assert torch.equal(likelihood.mean(output), drawn.mode(0).values)

    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        return Table(event_shape, TableStructure(("levels:2",) * event_shape[0]))


class TestTableOfSeveralKinds(TableContract):
    def test_mean_is_that_of_the_draws(self) -> None:
        """Every second column here has a mean."""
        likelihood = self.make((4,))
        output = torch.randn(likelihood.output_shape)
        x, mean = likelihood(output).sample((N_DRAWS,)).double(), likelihood.mean(output)
        error = (x.mean(0) - mean)[[1, 2]].abs()
        assert (error < SIGMAS * x.std(0)[[1, 2]] / N_DRAWS**0.5).all()

    def make(self, event_shape: tuple[int, ...]) -> Likelihood:
        words = ("levels:3", "real", "count", "levels:2", "real")[: event_shape[0]]
        return Table(event_shape, TableStructure(words))


@pytest.mark.parametrize("words", [WORDS, *ONE_FAMILY])
def test_output_of_inverts_entrywise(words: tuple[str, ...]) -> None:
    likelihood = Table((len(words),), TableStructure(words)).double()
    cells = random_cells(words, 4)
    parts = (cells.loc, cells.scale, cells.log_rate.exp(), cells.dispersion, cells.logits)
    output = likelihood.output_of(*parts)
    assert output.shape == (4, *likelihood.output_shape)
    again = likelihood.entrywise(output)
    for name in ("loc", "scale", "log_rate", "dispersion", "logits"):
        torch.testing.assert_close(getattr(again, name), getattr(cells, name))
    x = with_gaps(cells.sample())
    torch.testing.assert_close(again.log_prob(x), cells.log_prob(x))


def test_laws_beyond_the_bounds_become_the_nearest_ones() -> None:
    likelihood = Table((2,), TableStructure(("real", "count"), floors=(0.5,))).double()
    zero, one = torch.zeros(1).double(), torch.ones(1).double()
    low = likelihood.entrywise(likelihood.output_of(zero, 0.001 * one, one, 0.001 * one, zero[:0]))
    assert 0.5 < low.scale.item() < 0.51
    assert LEAST_DISPERSION < low.dispersion.item() < 1.03 * LEAST_DISPERSION
    high = likelihood.entrywise(likelihood.output_of(zero, one, one, 1e9 * one, zero[:0]))
    assert high.dispersion.item() == pytest.approx(MOST_DISPERSION, rel=1e-5)


@pytest.mark.parametrize("floors", [(), (0.2, 0.3)])
def test_scales_stay_above_their_floors(floors: tuple[float, ...]) -> None:
    likelihood = Table((3,), TableStructure(("real", "count", "real"), floors=floors))
    least = torch.tensor(floors or (LEAST_SCALE, LEAST_SCALE))
    for size in (-1e4, -30.0):
        cells = likelihood.entrywise(torch.full(likelihood.output_shape, size))
        assert (cells.scale >= least).all() and (cells.dispersion >= LEAST_DISPERSION).all()
    # An output of zero stands for a standard deviation of about 1.
    scale = likelihood.entrywise(torch.zeros(likelihood.output_shape)).scale
    torch.testing.assert_close(scale, 1 + least)


def test_weights_act_in_training_alone() -> None:
    weights = (0.5, 1.0, 0.25)
    structure = TableStructure(("real", "count", "levels:3"), weights=weights)
    likelihood, plain = Table((3,), structure), Table((3,), TableStructure(structure.columns))
    output = torch.randn(6, *likelihood.output_shape)
    x = with_gaps(likelihood(output).sample())
    each = plain.entrywise(output).log_prob(x)
    torch.testing.assert_close(likelihood(output).log_prob(x), each @ torch.tensor(weights))
    torch.testing.assert_close(likelihood.eval()(output).log_prob(x), each.sum(-1))
    torch.testing.assert_close(plain(output).log_prob(x), each.sum(-1))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"columns": ()}, "at least one column"),
        ({"columns": ("real", "amount")}, "use real, count or levels:L"),
        ({"columns": ("real", "count"), "weights": (1.0,)}, "weights"),
        ({"columns": ("real", "count"), "floors": (1.0, 1.0)}, "floors"),
        ({"columns": ("real",), "weights": (0.0,)}, "positive"),
        ({"columns": ("real",), "weights": (float("nan"),)}, "positive"),
        ({"columns": ("real",), "floors": (float("inf"),)}, "positive"),
        ({"columns": ("real",), "floors": (-1.0,)}, "positive"),
    ],
)
def test_structures_that_do_not_fit_are_refused(options: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        TableStructure(**options)


def test_shapes_that_are_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="rows of shape"):
        Table((2, 2))
    with pytest.raises(ValueError, match="2 columns"):
        Table((3,), TableStructure(("real", "count")))
    structure = TableStructure(("real", "count"))
    with pytest.raises(ValueError, match="likelihood"):
        table_gmvae(structure).__class__(2, 3, 2, likelihood="gaussian", table=structure)
    with pytest.raises(ValueError, match="networks of its own"):
        table_gmvae(structure, encoder=torch.nn.Linear(2, 4))
    with pytest.raises(ValueError, match="networks of its own"):
        table_gmvae(structure, shared_trunk=True)


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("method", ["exact", "marginal"])
def test_a_model_is_rebuilt_from_its_configuration(method: str, linear: bool) -> None:
    structure = TableStructure(
        WORDS, weights=tuple(0.1 * (i + 1) for i in range(7)), floors=(0.01, 0.02), linear=linear
    )
    gmvae = table_gmvae(structure, method=method)
    again = from_config(to_config(gmvae))
    assert again.options == gmvae.options
    again.load_state_dict(gmvae.state_dict())
    z = torch.randn(5, 2)
    x = with_gaps(gmvae.model.p_x(z).sample())
    for ours, theirs in (
        (gmvae.model.p_x(z).log_prob(x), again.model.p_x(z).log_prob(x)),
        (gmvae.responsibilities(x), again.responsibilities(x)),
        (gmvae.eval().model.p_x(z).log_prob(x), again.eval().model.p_x(z).log_prob(x)),
    ):
        assert torch.equal(ours, theirs)
