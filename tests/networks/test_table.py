"""Networks of a table: statistics in which laws are linear, gaps, gating, heads placed in z."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pyro_gmvae.distributions import ColumnLayout
from pyro_gmvae.fitting.starts.column_mixture import TableRows
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.models.table_networks import apart
from pyro_gmvae.networks import (
    GatedDecoder,
    PlacedHead,
    PlacedMixtureHead,
    TableClusterEncoder,
    TableFeatures,
    TableStatistics,
)
from pyro_gmvae.networks.gates import Gates
from tests.helpers.tables import (
    ONE_FAMILY,
    WORDS,
    cells_of,
    column_by_column,
    drawn_rows,
    log_joint,
    random_mixture,
    table_gmvae,
    with_gaps,
)


@pytest.mark.parametrize("words", [WORDS, *ONE_FAMILY])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_statistics_times_natural_factors_are_the_log_joint(
    words: tuple[str, ...], share: float
) -> None:
    structure = TableStructure(words, weights=tuple(0.3 + 0.1 * i for i in range(len(words))))
    mixture = random_mixture(structure, 4)
    x = with_gaps(drawn_rows(mixture, 30)[0], share).double()
    statistics = TableStatistics(structure.layout)(x)
    rows = TableRows.of(x, structure)
    ours = statistics @ mixture.natural(weighted=False).T + mixture.log_p_y
    ours = ours + mixture.log_base(rows, weighted=False).unsqueeze(-1)
    torch.testing.assert_close(ours, log_joint(mixture, x))
    torch.testing.assert_close(mixture.log_likelihood(rows), log_joint(mixture, x).logsumexp(-1))
    weights = torch.tensor(structure.weights, dtype=torch.float64)
    wanted = column_by_column(cells_of(mixture), x.unsqueeze(-2)) @ weights + mixture.log_p_y
    ours = mixture.log_joint(rows) + mixture.log_base(rows).unsqueeze(-1)
    torch.testing.assert_close(ours, wanted)


def test_features_of_a_row() -> None:
    layout = ColumnLayout(("levels:3", "real", "count"))
    features = TableFeatures(layout)
    features.count_shift.fill_(0.5)
    features.count_scale.fill_(2.0)
    nan = torch.nan
    x = torch.tensor([[2.0, -0.5, 3.0], [nan, nan, nan], [0.0, 1e6, 0.0]])
    log = (torch.tensor(4.0).log().item() - 0.5) / 2
    wanted = torch.tensor(
        [
            [-0.5, log, 0, 0, 1, 0, 0, 0],
            [0, 0, 0, 0, 0, 1, 1, 1],
            [10, -0.25, 1, 0, 0, 0, 0, 0],  # as far as any number is taken to be
        ]
    )
    torch.testing.assert_close(features(x), wanted)
    assert features.size == wanted.shape[1]


def test_an_encoder_reads_no_flag_at_first() -> None:
    layout = ColumnLayout(WORDS)
    encoder = TableClusterEncoder(layout, (6,))
    x = torch.zeros(1, 7)
    hidden = encoder(x)[:, encoder.statistics.size :]
    # A standardised count of 0 is no gap, but gives the same feature; levels differ.
    gone = x.clone()
    gone[:, list(layout.real) + list(layout.count)] = torch.nan
    torch.testing.assert_close(encoder(gone)[:, encoder.statistics.size :], hidden)


@pytest.mark.parametrize("hidden", [None, (6, 5)])
def test_a_gated_decoder_is_the_sum_over_clusters(hidden: tuple[int, ...] | None) -> None:
    structure = TableStructure(WORDS, linear=hidden is None)
    gmvae = table_gmvae(structure, 3, hidden=hidden or (8,)).double()
    model, decoder = gmvae.model, gmvae.model.decoder
    with torch.no_grad():
        model.component_loc.normal_()  # near one another, so that every cluster counts
        model.component_raw_scale.normal_()
        model.mixture_logits.normal_()
    z = torch.randn(2, 5, 2).double()
    p_y = model.p_y_given_z(z)
    wanted = p_y @ decoder.centre
    styles: list[Tensor] = []
    for k in range(3):
        u = (z - model.component_loc[k]) / model.component_scale[k]
        styles.append(u)
    central = structure.layout.n_central
    for k, u in enumerate(styles):
        wanted[..., :central] += p_y[..., k, None] * (u @ (5 * decoder.loading[k]))
    if hidden is not None:
        mean = sum(p_y[..., k, None] * u for k, u in enumerate(styles))
        first = torch.relu(decoder.from_style(mean) + decoder.from_cluster(p_y))
        wanted[..., :central] += decoder.output(decoder.layers(first))
    torch.testing.assert_close(decoder(z), wanted)
    torch.testing.assert_close(model.gates(z.flatten(0, 1)).p_y, p_y.flatten(0, 1))


@pytest.mark.parametrize("hidden", [None, (6,)])
def test_a_decoder_begins_at_the_laws_of_its_clusters(hidden: tuple[int, ...] | None) -> None:
    decoder = GatedDecoder(2, 3, n_central=4, n_outputs=6, hidden=hidden)
    centre, r = torch.randn(3, 6), torch.rand(7, 3).softmax(-1)
    decoder.gates = lambda z: Gates(r, torch.randn(7, 3, 2))
    decoder.begin_at(centre)
    torch.testing.assert_close(decoder(torch.randn(7, 2)), r @ centre)


def test_a_placed_head_without_an_offset_is_the_prior() -> None:
    loc, scale = torch.randn(3, 2), torch.rand(3, 2) + 0.1
    head = PlacedHead(4, 3, (5,), 2)
    head.components = lambda: (loc, scale)
    with torch.no_grad():
        head.output.weight.zero_()
        head.output.bias.copy_(torch.tensor([0, 0, 1.0, 1.0]).expm1().log().nan_to_num(neginf=0))
    mean, spread = head(torch.randn(6, 4), torch.eye(3).unsqueeze(1))
    torch.testing.assert_close(mean, loc.unsqueeze(1).expand(3, 6, 2))
    torch.testing.assert_close(spread, scale.unsqueeze(1).expand(3, 6, 2), rtol=2e-4, atol=0)
    # A relaxed cluster is between the clusters, as in the model.
    relaxed = torch.tensor([[0.2, 0.5, 0.3]])
    mean, spread = head(torch.randn(1, 4), relaxed)
    torch.testing.assert_close(mean, relaxed @ loc)
    torch.testing.assert_close(spread, relaxed @ scale, rtol=2e-4, atol=0)


def test_a_placed_mixture_head_is_where_its_clusters_are() -> None:
    loc, scale = torch.randn(3, 2), torch.rand(3, 2) + 0.1
    head = PlacedMixtureHead(4, 6, 3, (5,), 2)
    head.components = lambda: (loc, scale)
    features = torch.randn(7, 10)
    r = head.y_head(features[:, :4]).softmax(-1)
    offset, spread = head.within(features[:, 4:])
    mean, deviation = head(features)
    wanted = (r.unsqueeze(-1) * (loc + scale * offset.unsqueeze(1))).sum(1)
    torch.testing.assert_close(mean, wanted)
    torch.testing.assert_close(deviation, (r @ scale) * spread)


@pytest.mark.parametrize(("n", "dim"), [(1, 1), (3, 1), (10, 2), (200, 1), (200, 2), (200, 20)])
def test_clusters_lie_apart(n: int, dim: int) -> None:
    places = apart(n, dim)
    assert places.shape == (n, dim)
    if n > 1:
        assert torch.pdist(places).min() == 8
        assert places.mean(0).abs().max() <= 8
