"""What rules say of their fidelity is true of rows that they have not seen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pyro_gmvae.data.schema import Column, Schema
from pyro_gmvae.errors import InputError
from pyro_gmvae.segments.rules.columns import bound_between
from pyro_gmvae.segments.rules.distil import distil_rules
from pyro_gmvae.segments.rules.tree import SegmentTree

NUMBERS = Schema((Column("a"), Column("b")))


def noisy(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two quadrants and a half, of which a tenth of the rows are elsewhere."""
    x = rng.uniform(-1, 1, (n, 2))
    truth = np.where(x[:, 0] > 0, 2, (x[:, 1] > 0).astype(int))
    moved = np.where(rng.random(n) < 0.1, rng.integers(0, 3, n), truth)
    return x, np.eye(3)[moved]


def test_fidelity_is_that_on_new_rows() -> None:
    rng = np.random.default_rng(0)
    x, q = noisy(rng, 3_000)
    found = distil_rules(NUMBERS, x, q, max_depth=2)
    # 9 of 10 rows stay, and a third of the others.
    assert found.fidelity == pytest.approx(0.9 + 0.1 / 3, abs=4 * (0.0622 / 900) ** 0.5)
    assert found.held_out_rows == 900 and {rule.segment for rule in found.rules} == {0, 1, 2}
    new, truth = noisy(rng, 20_000)
    for rule in found.rules:
        met = np.all([c.holds(new[:, c.place]) for c in rule.conditions], 0)
        assert rule.precision == pytest.approx(truth[met, rule.segment].mean(), abs=0.07)
        assert rule.coverage == pytest.approx(met.mean(), abs=0.07)
    assert sum(rule.coverage for rule in found.rules) == pytest.approx(1)


def test_precision_and_recall_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import precision_score, recall_score

    rng = np.random.default_rng(1)
    x, q = noisy(rng, 500)
    weights = rng.uniform(0.5, 2, 500)
    found = distil_rules(NUMBERS, x, q, weights=weights, max_depth=2, seed=3)
    order = np.random.default_rng(3).permutation(500)
    held, grown = order[:150], np.sort(order[150:])
    tree = SegmentTree.fit(NUMBERS, x[grown], q[grown], weights[grown], 2)
    said, truth, w = tree.assign(x[held]), q[held].argmax(1), weights[held]
    for name, score in (("precision", precision_score), ("recall", recall_score)):
        expected = score(truth, said, average=None, sample_weight=w, labels=[0, 1, 2])
        assert [getattr(s, name) for s in found.segments] == pytest.approx(expected.tolist())
    assert found.fidelity == pytest.approx(np.average(said == truth, weights=w))


def test_rules_that_say_nothing_agree_no_more_than_the_largest_segment() -> None:
    rng = np.random.default_rng(2)
    x, q = rng.normal(size=(2_000, 2)), np.eye(2)[(rng.random(2_000) < 0.3).astype(int)]
    found = distil_rules(NUMBERS, x, q)
    assert found.fidelity <= found.largest + 4 * (0.21 / 600) ** 0.5


def test_rows_without_weight_are_left_out() -> None:
    rng = np.random.default_rng(3)
    x, q = noisy(rng, 400)
    weights = (rng.random(400) < 0.5).astype(float)
    kept = weights > 0
    assert distil_rules(NUMBERS, x, q, weights=weights) == distil_rules(NUMBERS, x[kept], q[kept])


def test_a_segment_without_a_rule_is_named() -> None:
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 4, (400, 2))
    found = distil_rules(NUMBERS, x, np.eye(4)[x[:, 0].astype(int)], max_depth=1)
    assert "no rule of 1 conditions" not in str(found)
    assert str(found).count("no rule of 1 condition finds it") == 2
    assert [s.precision is None for s in found.segments].count(True) == 2


def test_the_result_is_json() -> None:
    x, q = noisy(np.random.default_rng(5), 200)
    found = distil_rules(NUMBERS, x, q)
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["sql"] == found.to_sql() and len(values["rules"]) == len(found.rules)
    assert values["rules"][0]["words"] in str(found)


def test_bounds_part_what_they_are_between() -> None:
    rng = np.random.default_rng(6)
    ends = np.sort(np.r_[rng.normal(0, 1e6, 500), rng.lognormal(0, 8, 500), -1.0, 0.0, 1.0])
    near = np.nextafter(ends, np.inf)
    for low, high in [*zip(ends[:-1], ends[1:], strict=True), *zip(ends, near, strict=True)]:
        assert low <= bound_between(float(low), float(high)) < high
        assert low <= bound_between(float(low), float(high), date=True) < high


def test_what_rules_cannot_be_made_of() -> None:
    x, q = noisy(np.random.default_rng(7), 19)
    with pytest.raises(InputError, match="20 rows or more, got 19"):
        distil_rules(NUMBERS, x, q)
    with pytest.raises(InputError, match="max_depth must be at least 1"):
        distil_rules(NUMBERS, x, q, max_depth=0)
