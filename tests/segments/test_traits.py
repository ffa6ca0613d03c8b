"""Effects, their intervals under uncertain clusters, and their order."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
import torch

from pyro_gmvae.data import Column, Schema
from pyro_gmvae.fitting.starts.column_mixture import TableRows, mixture_of
from pyro_gmvae.likelihoods import TableStructure
from pyro_gmvae.segments.explanation.imputation import Memberships, draw_memberships
from pyro_gmvae.segments.explanation.looks import looks_at
from pyro_gmvae.segments.explanation.sizes import sizes_of
from pyro_gmvae.segments.explanation.traits import ALPHA, Trait, traits_of

SCHEMA = Schema(
    (
        Column("size", "real"),
        Column("visits", "count"),
        Column("tier", "category", "text", levels=("gold", "silver", "tin")),
        Column("noise", "real"),
        Column("paid", "binary", "text", levels=("no", "yes"), gaps=0.2),
    )
)
STRUCTURE = TableStructure(("real", "count", "levels:3", "real", "levels:2"))
SHARE = 0.35
MEANS, RATES = np.array([0.0, 2.5]), np.array([3.0, 6.0])
TIERS = np.array([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]])
PAID = np.array([0.3, 0.6])


def drawn(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two clusters that overlap, and their clusters."""
    y = (rng.random(n) < SHARE).astype(int)
    tier = (rng.random(n)[:, None] > TIERS[y].cumsum(1)).sum(1)
    paid = np.where(rng.random(n) < 0.2, np.nan, rng.random(n) < PAID[y])
    return np.c_[rng.normal(MEANS[y]), rng.poisson(RATES[y]), tier, rng.normal(size=n), paid], y


def by_em(x: np.ndarray, y: np.ndarray, rounds: int) -> np.ndarray:
    """Responsibilities of a mixture that is fitted to the rows, begun at their true clusters."""
    rows = TableRows.of(torch.from_numpy(x), STRUCTURE)
    q = torch.eye(2, dtype=torch.float64)[torch.from_numpy(y)] * 0.9 + 0.05
    for _ in range(rounds):
        q = mixture_of(rows, q).log_joint(rows, weighted=False).softmax(-1)
    return q.numpy()


def truths() -> dict[tuple[str, str | None], float]:
    """The effects of cluster 1 against cluster 0."""
    spread = sqrt(1 + SHARE * (1 - SHARE) * (MEANS[1] - MEANS[0]) ** 2)
    odds = np.log(TIERS / (1 - TIERS))
    return {
        ("size", None): (MEANS[1] - MEANS[0]) / spread,
        ("visits", None): log(RATES[1] / RATES[0]),
        **{
            ("tier", level): odds[1, i] - odds[0, i]
            for i, level in enumerate(SCHEMA.columns[2].levels)
        },
        ("noise", None): 0.0,
        ("paid", "yes"): log(PAID[1] / (1 - PAID[1])) - log(PAID[0] / (1 - PAID[0])),
    }


def test_intervals_cover_the_truth_when_clusters_are_inferred_from_the_same_rows() -> None:
    rng = np.random.default_rng(0)
    repeats, n = 120, 500
    hits: dict[object, int] = dict.fromkeys([*truths(), "share"], 0)
    together = 0
    for repeat in range(repeats):
        x, y = drawn(n, rng)
        q = by_em(x, y, rounds=15)
        draws = draw_memberships(q, seed=repeat)
        found = traits_of(SCHEMA, x, draws, [(1, 0)], np.ones(n))
        by_column = {t.column: t for t in found.by_pair[1, 0] if t.part != "gap"}
        all_hit = True
        for (column, level), truth in truths().items():
            trait = by_column[column]
            if trait.level != level:
                continue
            low, high = trait.effect.interval()
            hits[column, level] += low <= truth <= high
            all_hit &= trait.effect.low <= truth <= trait.effect.high
        together += all_hit
        size = sizes_of(q, draws, np.ones(n))[1]
        hits["share"] += size.low <= SHARE <= size.high
    # Of a category only its strongest level is a trait.
    whole = ["share", *((c, None) for c in ("size", "visits", "noise")), ("paid", "yes")]
    covered = np.array([hits[name] for name in whole]) / repeats
    assert 0.90 <= covered.mean() <= 0.98, covered
    assert (covered > 0.95 - 4 * sqrt(0.95 * 0.05 / repeats)).all(), covered
    assert together / repeats >= 0.93


def test_intervals_of_known_clusters_cover_at_their_level() -> None:
    rng = np.random.default_rng(1)
    repeats, n = 250, 400
    hits = dict.fromkeys(truths(), 0)
    for _ in range(repeats):
        x, y = drawn(n, rng)
        draws = Memberships(np.stack([y, y]), 2)
        for column, cells in zip(SCHEMA.columns, x.T, strict=True):
            for look in looks_at(column, cells, np.ones(n), draws, [(1, 0)]):
                for i, level in enumerate(look.levels):
                    name = (column.name, level or None)
                    if look.part == "gap" or name not in hits:
                        continue
                    off = look.contrast.estimate[0, 0, i] - truths()[name]
                    hits[name] += abs(off) < 1.96 * sqrt(look.contrast.variance[0, 0, i])
    covered = np.array(list(hits.values())) / repeats
    assert 0.93 <= covered.mean() <= 0.97, covered
    assert (covered > 0.90).all() and (covered < 0.99).all(), covered


def test_likeliest_clusters_alone_would_be_too_sure() -> None:
    """The draws are worth their cost: without them a blurred difference is biased."""
    rng = np.random.default_rng(2)
    off: dict[str, list[float]] = {"drawn": [], "likeliest": []}
    for repeat in range(30):
        x, y = drawn(500, rng)
        q = by_em(x, y, rounds=15)
        hard = Memberships(np.stack([q.argmax(1)] * 2), 2)
        for name, draws in (("drawn", draw_memberships(q, seed=repeat)), ("likeliest", hard)):
            found = traits_of(SCHEMA, x, draws, [(1, 0)], np.ones(500)).by_pair[1, 0]
            size = next(t for t in found if t.column == "size")
            off[name].append(size.effect.estimate - truths()["size", None])
    errors = {name: np.std(each) / sqrt(len(each)) for name, each in off.items()}
    assert abs(np.mean(off["drawn"])) < 3 * errors["drawn"]
    assert np.mean(off["likeliest"]) > 4 * errors["likeliest"]


def one_trait(x: np.ndarray, column: Column, y: np.ndarray, weights: np.ndarray) -> Trait:
    draws = Memberships(np.stack([y, y]), 2)
    return traits_of(Schema((column,)), x[:, None], draws, [(1, None)], weights).by_pair[1, None][0]


def test_a_row_of_weight_two_counts_as_two_in_the_means() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=60), rng.integers(2, size=60)
    weights = rng.integers(1, 3, size=60).astype(float)
    column = Column("size")
    weighed = one_trait(x, column, y, weights)
    twice = np.repeat(np.arange(60), weights.astype(int))
    repeated = one_trait(x[twice], column, y[twice], np.ones(len(twice)))
    assert weighed.effect.estimate == pytest.approx(repeated.effect.estimate, rel=1e-9)
    assert weighed.effect.error > repeated.effect.error  # there are fewer rows


def test_a_binary_column_says_the_level_that_is_commoner() -> None:
    y = np.repeat([0, 1], 50)
    x = np.where(y == 1, 0.0, 1.0)
    x[[3, 60]] = [0.0, 1.0]
    trait = one_trait(x, SCHEMA.columns[4], y, np.ones(100))
    assert (trait.level, trait.here, trait.there) == ("no", 0.98, pytest.approx(0.02))
    a, b, c, d = 49.5, 1.5, 1.5, 49.5
    assert trait.effect.estimate == pytest.approx(log(a * d / (b * c)))
    assert trait.effect.error == pytest.approx(sqrt(1 / a + 1 / b + 1 / c + 1 / d))


def test_amounts_are_compared_by_logarithms_and_said_in_their_units() -> None:
    y = np.repeat([0, 1], 50)
    x = np.expm1(np.where(y == 1, 6.0, 3.0) + np.tile([-0.5, 0.5], 50))
    trait = one_trait(x, Column("spend", "amount"), y, np.ones(100))
    assert trait.here == pytest.approx(np.expm1(6.0)) and trait.there == pytest.approx(
        np.expm1(3.0)
    )
    assert trait.effect.estimate == pytest.approx(3 / sqrt(1.5**2 + 0.25))


def test_gaps_that_differ_are_a_trait_and_constant_columns_are_none() -> None:
    y = np.repeat([0, 1], 50)
    x = np.ones(100)
    x[50:80] = np.nan
    trait = one_trait(x, Column("size"), y, np.ones(100))
    assert (trait.part, trait.here, trait.there, trait.effect.clear) == ("gap", 0.6, 0.0, True)
    draws = Memberships(np.stack([y, y]), 2)
    found = traits_of(
        Schema((Column("size"),)), np.ones((100, 1)), draws, [(1, None)], np.ones(100)
    )
    assert found.by_pair[1, None] == ()


def test_a_spike_is_compared_by_its_unusual_cells() -> None:
    rng = np.random.default_rng(4)
    y = np.repeat([0, 1], 100)
    x = np.where(rng.random(200) < np.where(y == 1, 0.8, 0.3), rng.normal(50, 5, 200), 0.0)
    draws = Memberships(np.stack([y, y]), 2)
    schema = Schema((Column("gain", "spike", usual=0.0),))
    found = traits_of(schema, x[:, None], draws, [(1, None)], np.ones(200)).by_pair[1, None]
    assert found[0].part == "unusual" and found[0].here > 0.7
    assert {t.part for t in found} == {"unusual", "value"}


def test_nothing_is_said_of_a_group_of_a_few_rows() -> None:
    y = np.repeat([0, 1], [97, 3])
    draws = Memberships(np.stack([y, y]), 2)
    found = traits_of(
        Schema((Column("a"),)), np.arange(100.0)[:, None], draws, [(1, None)], np.ones(100)
    )
    assert found.by_pair[1, None] == ()


def test_no_difference_is_clear_where_there_is_none() -> None:
    """Simultaneous intervals of 30 columns of noise all cover zero in 95 % of trials."""
    rng = np.random.default_rng(5)
    schema = Schema(tuple(Column(f"c{i}") for i in range(30)))
    wrong = 0
    for _ in range(60):
        x, y = rng.normal(size=(300, 30)), rng.integers(3, size=300)
        draws = Memberships(np.stack([y, y]), 3)
        pairs = [(k, None) for k in range(3)]
        found = traits_of(schema, x, draws, pairs, np.ones(300))
        assert found.comparisons == 90
        wrong += any(t.effect.clear for traits in found.by_pair.values() for t in traits)
    assert wrong <= 60 * ALPHA + 3 * sqrt(60 * ALPHA * (1 - ALPHA))
