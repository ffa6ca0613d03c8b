"""Mixtures of per-column laws: closed forms, recovery, gaps, and what is known of some rows."""

from __future__ import annotations

import warnings
from itertools import product

import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from pyro_gmvae.fitting.starts.column_mixture import ColumnMixture, TableRows, mixture_of
from pyro_gmvae.fitting.starts.mixture_fit import KnownRows, fit_mixture, table_features
from pyro_gmvae.likelihoods import TableStructure
from tests.helpers.tables import (
    ONE_FAMILY,
    WORDS,
    drawn_rows,
    log_joint,
    random_mixture,
    with_gaps,
)


def fitted(x: Tensor, structure: TableStructure, k: int, **options) -> tuple[ColumnMixture, Tensor]:
    """A fit, and the responsibilities of the rows."""
    rows = TableRows.of(x, structure)
    features = table_features(structure, x)(x)[:, : structure.layout.n_central].double()
    options = {"seed": 0} | options
    mixture = fit_mixture(rows, features, k, **options)
    known = options.get("known") or KnownRows()
    joint = known.applied(mixture.log_joint(rows), mixture.log_p_y)
    return mixture, joint.softmax(-1)


def agreement(truth: Tensor, r: Tensor) -> float:
    return adjusted_rand_score(truth.numpy(), r.argmax(-1).numpy())


def test_one_cluster_has_the_laws_of_the_columns() -> None:
    structure = TableStructure(("levels:3", "real", "count"))
    n = 2_000
    x = with_gaps(drawn_rows(random_mixture(structure, 1), n)[0])
    rows = TableRows.of(x, structure)
    mixture = mixture_of(rows, torch.ones(n, 1))
    level, real, count = (c[~c.isnan()].double() for c in x.T)
    shares = level.long().bincount(minlength=3) / len(level)
    torch.testing.assert_close(mixture.log_p.exp()[0], shares.double(), atol=1e-3, rtol=0)
    assert mixture.loc.item() == pytest.approx(real.mean().item(), abs=1e-5)
    assert mixture.variance.item() == pytest.approx(real.var(correction=0).item(), rel=1e-5)
    assert mixture.rate.item() == pytest.approx(count.mean().item(), rel=1e-3)
    # By moments: the variance is rate + rate² / dispersion.
    rate = count.mean()
    moment = rate**2 / (count.var(correction=0) - rate)
    assert mixture.dispersion.item() == pytest.approx(moment.item(), rel=1e-2)
    assert mixture.log_p_y.item() == 0


@pytest.mark.parametrize("words", [WORDS, *ONE_FAMILY])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_generated_clusters_are_found(words: tuple[str, ...], share: float) -> None:
    words = words * (4 if words in ONE_FAMILY else 2)
    structure = TableStructure(words)
    truth = random_mixture(structure, 3, seed=1, apart=2.5)
    x, y = drawn_rows(truth, 600)
    x = with_gaps(x, share)
    mixture, r = fitted(x, structure, 3)
    best = agreement(y, log_joint(truth, x).softmax(-1))
    assert agreement(y, r) > best - 0.03 and best > 0.8
    rows = TableRows.of(x, structure)
    # The law found is as likely as the true one, which has fewer free numbers.
    gain = (mixture.log_likelihood(rows) - truth.log_likelihood(rows)).mean()
    assert -0.02 < gain < 0.15


@pytest.mark.parametrize("words", [WORDS, *ONE_FAMILY])
@pytest.mark.parametrize("seed", [0, 1])
def test_rounds_raise_the_unpenalised_likelihood(words: tuple[str, ...], seed: int) -> None:
    structure = TableStructure(words)
    x = with_gaps(drawn_rows(random_mixture(structure, 3, seed=seed), 300)[0], seed=seed)
    rows = TableRows.of(x, structure)
    r = torch.rand(300, 3, dtype=torch.float64).softmax(-1)
    values = []
    for _ in range(60):
        mixture = mixture_of(rows, r)
        values.append(mixture.log_likelihood(rows).mean().item())
        r = mixture.log_joint(rows).softmax(-1)
    steps = torch.tensor(values).diff()
    # Pseudo-rows and dispersions by moments are not of maximum likelihood, so a round may lose
    # a little; it never loses what an earlier one gained.
    assert steps.min() > -2e-3, steps.min()
    assert values[-1] > max(values) - 2e-3


def test_the_best_of_the_rounds_is_kept() -> None:
    """The fit is no worse than any other fit of the same rows with fewer starts."""
    structure = TableStructure(WORDS)
    x = with_gaps(drawn_rows(random_mixture(structure, 3, apart=1.0), 200)[0])
    rows = TableRows.of(x, structure)
    values = [
        fitted(x, structure, 3, tries=tries)[0].log_likelihood(rows).mean().item()
        for tries in (1, 5)
    ]
    assert values[1] >= values[0] - 1e-3


def test_a_gap_is_summed_out() -> None:
    structure = TableStructure(("levels:3", "real", "levels:2", "count"))
    mixture = random_mixture(structure, 3)
    x = drawn_rows(mixture, 20)[0].double()
    gone = x.clone()
    gone[:, [0, 2]] = torch.nan
    filled = []
    for a, b in product(range(3), range(2)):
        every = x.clone()
        every[:, 0], every[:, 2] = a, b
        filled.append(mixture.log_likelihood(TableRows.of(every, structure)))
    summed = torch.stack(filled).logsumexp(0)
    torch.testing.assert_close(mixture.log_likelihood(TableRows.of(gone, structure)), summed)


def test_gaps_are_left_out_of_the_laws() -> None:
    structure = TableStructure(WORDS)
    x, y = drawn_rows(random_mixture(structure, 2), 400)
    rows = TableRows.of(x, structure)
    gone = x.clone()
    gone[300:] = torch.nan
    one_hot = torch.nn.functional.one_hot(y, 2).double()
    # Rows without a cell change p(y) alone.
    ours = mixture_of(TableRows.of(gone, structure), one_hot)
    wanted = mixture_of(rows.take(torch.arange(300)), one_hot[:300])
    for name in ("loc", "variance", "rate", "dispersion", "log_p"):
        torch.testing.assert_close(getattr(ours, name), getattr(wanted, name))


def test_a_weight_of_two_is_two_rows() -> None:
    structure = TableStructure(WORDS)
    x = with_gaps(drawn_rows(random_mixture(structure, 2), 60)[0])
    weights = torch.ones(60).index_fill(0, torch.arange(20), 2.0)
    twice = torch.cat([x, x[:20]])
    r = torch.rand(60, 2).softmax(-1)
    ours = mixture_of(TableRows.of(x, structure, weights), r)
    theirs = mixture_of(TableRows.of(twice, structure), torch.cat([r, r[:20]]))
    for name in ("log_p_y", "loc", "variance", "rate", "dispersion", "log_p"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_labels", [1, 20])
def test_labels_hold_and_give_their_numbers(n_labels: int, seed: int) -> None:
    structure = TableStructure(WORDS)
    x, y = drawn_rows(random_mixture(structure, 4, seed=seed, apart=2.5), 400)
    truth = 3 - y  # the largest cluster is not the first one
    labels = torch.full((400,), -1)
    for k in range(4):
        labels[(truth == k).nonzero().flatten()[:n_labels]] = k
    _, r = fitted(x, structure, 4, known=KnownRows(labels=labels), seed=seed)
    known = labels >= 0
    assert (r[known].argmax(-1) == labels[known]).all()
    assert (r.argmax(-1) == truth).double().mean() > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_groups_share_a_cluster(seed: int) -> None:
    structure = TableStructure(WORDS)
    truth = random_mixture(structure, 3, seed=seed, apart=1.0)
    x, y = drawn_rows(truth, 300)
    groups = torch.full((300,), -1)
    for k in range(3):
        for g in range(10):
            groups[(y == k).nonzero().flatten()[5 * g : 5 * g + 5]] = 10 * k + g
    grouped = groups >= 0
    known = KnownRows(groups=groups)
    _, r = fitted(x, structure, 3, known=known)
    for g in groups[grouped].unique():
        own = r[groups == g]
        torch.testing.assert_close(own, own[:1].expand_as(own))
    best = known.applied(log_joint(truth, x), truth.log_p_y).softmax(-1)
    assert agreement(y[grouped], r[grouped]) > agreement(y[grouped], best[grouped]) - 0.1


def test_a_group_follows_the_labels_in_it() -> None:
    log_p_y = torch.tensor([0.7, 0.3]).double().log()
    log_joint = torch.randn(7, 2).double() + log_p_y
    groups = torch.tensor([0, 0, 1, 1, 1, -1, -1])
    labels = torch.tensor([1, -1, 0, 1, -1, 0, -1])  # those of group 1 contradict one another
    r = KnownRows(labels, groups).applied(log_joint, log_p_y).softmax(-1)
    assert r[[0, 1, 2, 3, 5], [1, 1, 0, 1, 0]].tolist() == [1.0] * 5
    assert r.isfinite().all()
    torch.testing.assert_close(r[6], log_joint[6].softmax(-1))
    free = KnownRows(None, groups).applied(log_joint, log_p_y)
    pair = log_joint[:2].sum(0) - log_p_y
    torch.testing.assert_close(free[:2], pair.expand(2, 2))
    sizes = KnownRows(None, groups).group_sizes(7)
    assert sizes.tolist() == [2, 2, 3, 3, 3, 1, 1]


def test_the_same_seed_gives_the_same_fit() -> None:
    structure = TableStructure(WORDS)
    x = with_gaps(drawn_rows(random_mixture(structure, 3), 100)[0])
    (a, _), (b, _) = (fitted(x, structure, 3, seed=5) for _ in range(2))
    torch.rand(3)
    for name in ("log_p_y", "loc", "variance", "rate", "dispersion", "log_p"):
        assert torch.equal(getattr(a, name), getattr(b, name))


def test_uniform_clusters_stay_uniform() -> None:
    structure = TableStructure(WORDS)
    x, _ = drawn_rows(random_mixture(structure, 3), 100)
    mixture, _ = fitted(x, structure, 4, uniform=True)
    torch.testing.assert_close(mixture.log_p_y.exp(), torch.full((4,), 0.25).double())


def odd_tables() -> dict[str, tuple[Tensor, int]]:
    x = drawn_rows(random_mixture(TableStructure(WORDS), 3), 40)[0]
    empty, constant, single = x.clone(), x.clone(), x.clone()
    empty[:, [0, 1, 2]] = torch.nan
    constant[:] = constant[0]
    single[1:, :] = torch.nan
    return {
        "empty columns": (empty, 3),
        "equal rows": (constant, 3),
        "one row with cells": (single, 3),
        "nothing": (torch.full_like(x, torch.nan), 3),
        "a row for each cluster": (x, 40),
        "more clusters than different rows": (x[:4].repeat(10, 1), 20),
        "more clusters than rows": (x[:5], 9),
        "one row": (x[:1], 1),
        "200 clusters": (x.repeat(10, 1), 200),
    }


@pytest.mark.parametrize("name", list(odd_tables()))
def test_odd_tables_have_proper_laws(name: str) -> None:
    x, k = odd_tables()[name]
    structure = TableStructure(WORDS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mixture, r = fitted(x, structure, k)
    for field in ("log_p_y", "loc", "variance", "rate", "dispersion", "log_p"):
        assert getattr(mixture, field).isfinite().all(), field
    assert mixture.log_p_y.exp().sum().item() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(r.sum(-1), torch.ones(len(x)).double())
    assert mixture.log_likelihood(TableRows.of(x, structure)).isfinite().all()


def test_a_column_without_a_cell_says_nothing_of_one() -> None:
    """A cell that comes later is neither impossible nor decides the cluster."""
    structure = TableStructure(WORDS)
    x, _ = drawn_rows(random_mixture(structure, 2), 50)
    x[:, [0, 1, 2]] = torch.nan
    mixture, _ = fitted(x, structure, 2)
    one = torch.full((1, 7), torch.nan)
    one[0, :3] = torch.tensor([3.0, 1.5, 2.0])
    rows = TableRows.of(one, structure)
    assert mixture.log_likelihood(rows).item() > -10
    torch.testing.assert_close(mixture.log_joint(rows).softmax(-1)[0], mixture.log_p_y.exp())


def test_the_rows_beyond_ten_thousand_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyro_gmvae.fitting.starts.mixture_fit.FITTED_ROWS", 200)
    structure = TableStructure(WORDS)
    truth = random_mixture(structure, 3, apart=2.5)
    x, y = drawn_rows(truth, 1_000)
    mixture, r = fitted(x, structure, 3)
    assert agreement(y, r) > 0.9
    rows = TableRows.of(x, structure)
    assert mixture.log_likelihood(rows).mean() > truth.log_likelihood(rows).mean() - 0.01
    labels = torch.full((1_000,), -1)
    labels[900:] = y[900:]
    _, r = fitted(x, structure, 3, known=KnownRows(labels=labels))
    assert (r.argmax(-1) == y).double().mean() > 0.9
