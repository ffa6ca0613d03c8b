"""The SQL gives every row the segment that the tree gives, whatever names and cells hold."""

from __future__ import annotations

import sqlite3

import numpy as np
import pandas
import pytest

from pyro_gmvae.data import TableEncoding, from_frame
from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.schema import Column, Schema
from pyro_gmvae.errors import InputError
from pyro_gmvae.segments.rules.conditions import Condition
from pyro_gmvae.segments.rules.distil import RuleList, distil_rules
from pyro_gmvae.segments.rules.sql import case_of, identifier, literal, predicate
from pyro_gmvae.segments.rules.tree import SegmentTree
from tests.helpers.sql import segments_by_sql

HOSTILE = [
    "'; DROP TABLE t; --",
    '"; DROP TABLE t; --',
    "a'b''c\"d\"\"e",
    "-- no comment",
    "/* none */",
    "line\nbreak\ttab",
    "back\\slash\\'",
    "%_[x]$1 :name ?1 @v",
    "größe ☂ 名前 \u202e",
    "NULL",
    "CASE WHEN 1 THEN 2 END",
    "`ticks` [brackets] {braces}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_texts_come_back_from_a_database_as_they_are(text: str) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute(f"CREATE TABLE t ({identifier(text)})")
        database.execute(f"INSERT INTO t VALUES ({literal(text)})")
        found = database.execute(f"SELECT {identifier(text)} FROM t")
        assert found.description[0][0] == text and found.fetchall() == [(text,)]


def test_nul_is_refused() -> None:
    for quote in (identifier, literal):
        with pytest.raises(InputError, match="NUL"):
            quote("a\0b")


def random_frame(rng: np.random.Generator, n: int, *, gaps: float) -> pandas.DataFrame:
    """A table of all kinds of cells, with hostile names and texts."""
    days = pandas.Timestamp("2020-01-01") + pandas.to_timedelta(rng.integers(0, 900, n), "D")
    times = pandas.Timestamp("2020-01-01") + pandas.to_timedelta(rng.integers(0, 9**7, n), "s")
    frame = pandas.DataFrame(
        {
            HOSTILE[0]: rng.lognormal(3, 2, n),
            HOSTILE[1]: rng.choice(HOSTILE, n),
            HOSTILE[2]: rng.choice(["yes", "no"], n),
            HOSTILE[5]: rng.poisson(3, n).astype(float),
            HOSTILE[9]: days,
            "when": times,
            HOSTILE[6]: rng.normal(-1e9, 1e-3, n),  # no two are one number in float32
            "truth": pandas.array(rng.random(n) < 0.5, dtype="boolean"),
            "region": rng.choice([1.0, 2.0, 7.5], n),
        }
    )
    return frame.mask(rng.random(frame.shape) < gaps)


def memberships(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Segments that hang together with all columns, their gaps too."""
    scores = np.where(np.isnan(x), -1.0, x.argsort(0).argsort(0) / len(x))
    logits = scores @ rng.normal(0, 6, (x.shape[1], 5))
    logits -= logits.mean(0)  # no segment is to rule
    q = np.exp(logits - logits.max(1, keepdims=True))
    return q / q.sum(1, keepdims=True)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("depth", [1, 3, 8])
def test_sql_and_tree_agree_on_every_row(gaps: float, seed: int, depth: int) -> None:
    rng = np.random.default_rng(seed)
    frame = random_frame(rng, 400, gaps=gaps)
    data = from_frame(frame)
    assert data.schema is not None
    x = data.x.numpy()
    q = memberships(rng, x)
    tree = SegmentTree.fit(data.schema, x, q, np.ones(len(x)), depth)
    leaves = tree.leaves()
    segment_of = {node: leaf.segment for leaf in leaves for node in leaf.nodes}
    by_tree = np.array([segment_of[node] for node in tree.leaf_nodes(x).tolist()])
    assert len(np.unique(by_tree)) > 1
    assert np.stack([leaf.holds(x) for leaf in leaves]).sum(0).tolist() == [1] * len(x)
    assert (tree.assign(x) == by_tree).all()
    case = case_of([(leaf.conditions, leaf.segment) for leaf in leaves])
    assert (segments_by_sql(frame, case) == by_tree).all()


@pytest.mark.parametrize("seed", range(3))
def test_sql_and_rules_agree_on_new_rows(seed: int) -> None:
    """Also where training had no gaps, for numbers between those that it had, and new levels."""
    rng = np.random.default_rng(seed)
    seen, new = random_frame(rng, 300, gaps=0.0), random_frame(rng, 300, gaps=0.2)
    new.loc[rng.random(300) < 0.3, [HOSTILE[1], HOSTILE[2]]] = "never seen"
    data = from_frame(seen, wishes=Wishes(kinds={HOSTILE[5]: "count", "region": "category"}))
    assert data.schema is not None
    x = data.x.numpy()
    q = memberships(rng, x)
    rules = distil_rules(data.schema, x, q, max_depth=6)
    with pytest.warns(DataWarning, match="never seen"):
        own = TableEncoding.fit(data, "mixed").conform(from_frame(new, purpose="apply")).x.numpy()
    expected = assigned_by(rules, own)
    assert (segments_by_sql(new, rules.to_sql()) == expected).all()


def assigned_by(rules: RuleList, x: np.ndarray) -> np.ndarray:
    found = np.full(len(x), -1)
    for rule in rules.rules:
        met = np.full(len(x), True)
        for condition in rule.conditions:
            met &= condition.holds(x[:, condition.place])
        assert (found[met] == -1).all()
        found[met] = rule.segment
    return found


def test_a_question_about_gaps_alone() -> None:
    x = np.where(np.arange(60) % 3 == 0, np.nan, 5.0 + np.arange(60) % 2)[:, None]
    q = np.eye(2)[np.isnan(x[:, 0]).astype(int)]
    rules = distil_rules(Schema((Column("income"),)), x, q, max_depth=2)
    assert rules.fidelity == 1
    assert [str(rule) for rule in rules.rules] == ["income is not missing", "income is missing"]
    assert rules.to_sql() == (
        'CASE\n  WHEN "income" IS NOT NULL THEN 0\n  WHEN "income" IS NULL THEN 1\nEND'
    )


def test_dates_and_truth_values_are_literals() -> None:
    day = Condition("d", 0, "date", low=1.0, missing=False)
    time = Condition("d", 0, "date", high=1.5, missing=False)
    truth = Condition("b", 0, "boolean", only=1.0, levels=("false", "true"), missing=False)
    assert predicate(day) == "\"d\" > DATE '1970-01-02'"
    assert predicate(time) == "\"d\" <= TIMESTAMP '1970-01-02 12:00:00'"
    assert predicate(truth) == '"b" = TRUE'


def test_rules_of_one_leaf_take_every_row() -> None:
    rules = distil_rules(Schema((Column("flat"),)), np.ones((30, 1)), np.ones((30, 1)))
    assert segments_by_sql(pandas.DataFrame({"flat": [1.0, None]}), rules.to_sql()).tolist() == [
        0,
        0,
    ]
