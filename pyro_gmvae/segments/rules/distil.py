"""Say by a few rules of its columns which segment a row is in, and how far to trust them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from pyro_gmvae.data import Dataset, Schema
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.ranges import MOST_QUESTIONS, SEEDS, whole
from pyro_gmvae.segments.rows import responsibilities_of_rows
from pyro_gmvae.segments.rules.conditions import Condition
from pyro_gmvae.segments.rules.sql import case_of
from pyro_gmvae.segments.rules.tree import SegmentTree

__all__ = ["Rule", "RuleList", "SegmentFidelity", "distil_rules", "rules_of_run"]

HELD_OUT = 0.3  # share of the rows that rules are judged on
FEWEST_ROWS = 20


@dataclass(frozen=True)
class Rule:
    """Hold a rule: the conditions of one leaf.

    Attributes:
        segment: the segment of rows that meet it.
        conditions: all of which a row has to meet; none if every row does.
        coverage: the share of the held-out rows that meet it.
        precision: the share of these whose segment it is by the model; None if there are none.

    >>> old = Condition("age", 0, "number", low=60.0)
    >>> str(Rule(2, (old,), 0.1, 0.9))
    'age > 60'
    """

    segment: int
    conditions: tuple[Condition, ...]
    coverage: float
    precision: float | None

    def words(self, with_gaps: frozenset[int] = frozenset()) -> str:
        """Write the conditions for people; of the columns in these places, what gaps become."""
        asked = [c.words(gaps=c.place in with_gaps) for c in self.conditions]
        return " and ".join(asked) or "every row"

    def __str__(self) -> str:
        return self.words()


@dataclass(frozen=True)
class SegmentFidelity:
    """Hold how well the rules of a segment find its rows, on held-out rows.

    Attributes:
        segment: the number of the segment.
        share: the share of the rows whose segment it is by the model.
        precision: the share of the rows that its rules take whose segment it is; None without.
        recall: the share of its rows that its rules take; None if it has none.

    >>> SegmentFidelity(0, 0.4, 0.95, 0.9).recall
    0.9
    """

    segment: int
    share: float
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class RuleList:
    """Hold rules of which every row meets exactly one, and their fidelity to the model.

    Attributes:
        rules: by segment, those of most rows first.
        segments: the fidelity by segment, of all K; one without a rule has no precision.
        fidelity: the share of the held-out rows whose segment is the same by rules and by model.
        largest: that share if every row were said to be in the largest segment.
        held_out_rows: the number of rows that were kept apart to measure this.
        max_depth: the most questions that were allowed for a row.
        with_gaps: the places of the columns that have missing cells.

    ``print`` shows the rules; `to_sql` writes them for a database.

    >>> rules = (Rule(0, (), 1.0, 1.0),)
    >>> RuleList(rules, (SegmentFidelity(0, 1.0, 1.0, 1.0),), 1.0, 1.0, 6, 3, ()).fidelity
    1.0
    """

    rules: tuple[Rule, ...]
    segments: tuple[SegmentFidelity, ...]
    fidelity: float
    largest: float
    held_out_rows: int
    max_depth: int
    with_gaps: tuple[int, ...]

    def to_sql(self) -> str:
        """Write the rules as a ``CASE`` expression of standard SQL that gives the segment.

        Columns are named as in the table. A gap is NULL, and what the model takes for a gap goes
        where NULL goes: a level that it does not know, or a word such as ``NA`` in a column of
        text. Text is compared as the table's reader gives it, without blanks around it. Dates are
        compared with ``DATE`` literals, so they have to be in a column of that type. MySQL reads
        standard SQL in its mode ANSI with NO_BACKSLASH_ESCAPES.

        Raises:
            InputError: for a name that holds the character NUL.
        """
        return case_of([(rule.conditions, rule.segment) for rule in self.rules])

    def to_text(self) -> str:
        """Write the rules for people, segment by segment."""
        head = (
            f"The rules and the model agree on {self.fidelity:.1%} of {self.held_out_rows:,} "
            f"held-out rows; one segment for all rows would on {self.largest:.1%}."
        )
        return "\n".join([head, *(line for s in self.segments for line in self._lines(s))])

    def _lines(self, segment: SegmentFidelity) -> list[str]:
        title = f"\nSegment {segment.segment}, {segment.share:.1%} of the rows"
        if segment.precision is None:
            plural = "" if self.max_depth == 1 else "s"
            return [f"{title}: no rule of {self.max_depth} condition{plural} finds it."]
        found = "" if segment.recall is None else f", which finds {segment.recall:.0%} of it"
        own = [rule for rule in self.rules if rule.segment == segment.segment]
        gaps = frozenset(self.with_gaps)
        each = [
            f"  {rule.words(gaps)}" + ("" if rule.precision is None else f"  [{_judged(rule)}]")
            for rule in own
        ]
        return [f"{title}: {segment.precision:.0%} right{found}.", *each]

    def __str__(self) -> str:
        return self.to_text()

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, the SQL and the words of each rule among them."""
        gaps = frozenset(self.with_gaps)
        rules = [
            {
                "segment": rule.segment,
                "words": rule.words(gaps),
                "conditions": [condition.to_dict() for condition in rule.conditions],
                "coverage": rule.coverage,
                "precision": rule.precision,
            }
            for rule in self.rules
        ]
        plain = {**asdict(self), "rules": rules, "sql": self.to_sql()}
        del plain["with_gaps"]
        return plain


def _judged(rule: Rule) -> str:
    return f"{rule.coverage:.1%} of the rows, {rule.precision:.0%} right"


def distil_rules(
    schema: Schema,
    x: Float[np.ndarray, "N D"],
    responsibilities: Float[np.ndarray, "N K"],
    *,
    weights: Float[np.ndarray, " N"] | None = None,
    max_depth: int = 3,
    seed: int = 0,
) -> RuleList:
    """Distil responsibilities into rules that a person can read and a database can run.

    One shallow tree is grown for all segments on 70 % of the rows, and judged on the others. Its
    rules are disjoint, so that each row has one segment; trees for single segments would leave rows
    with none or two, and were no better on real tables with the same number of conditions.

    Args:
        schema: the D columns.
        x: rows in raw units, NaN where a cell is missing.
        responsibilities: q(y|x).
        weights: how much each row counts; None if all count alike.
        max_depth: the most questions for a row, from 1 to 20.
        seed: chooses the held-out rows.

    Raises:
        InputError: for fewer than 20 rows, or a depth out of range.

    >>> from pyro_gmvae.data.schema import Column
    >>> x = np.repeat([20.0, 60.0], 50)[:, None]
    >>> q = np.repeat(np.eye(2), 50, axis=0)
    >>> print(distil_rules(Schema((Column("age"),)), x, q).to_sql())
    CASE
      WHEN "age" <= 40 THEN 0
      WHEN ("age" > 40 OR "age" IS NULL) THEN 1
    END
    """
    max_depth = whole("max_depth", max_depth, least=1, most=MOST_QUESTIONS)
    seed = whole("seed", seed, least=0, below=SEEDS)
    w = np.ones(len(x)) if weights is None else weights
    counted = w > 0
    if counted.sum() < FEWEST_ROWS:
        raise InputError(f"rules need {FEWEST_ROWS} rows or more, got {counted.sum()}: give more")
    x, q, w = x[counted], responsibilities[counted], w[counted]
    order = np.random.default_rng(seed).permutation(len(x))
    n_held = int(HELD_OUT * len(x))
    held, grown = order[:n_held], np.sort(order[n_held:])
    tree = SegmentTree.fit(schema, x[grown], q[grown], w[grown], max_depth)
    truth, share = q[held].argmax(1), w[held] / w[held].sum()
    rules = []
    for leaf in tree.leaves():
        met = leaf.holds(x[held])
        coverage, right = float(share[met].sum()), float(share[met & (truth == leaf.segment)].sum())
        asked = tuple(c for c in leaf.conditions if not c.asks_nothing)
        rules.append(Rule(leaf.segment, asked, coverage, right / coverage if coverage else None))
    said = tree.assign(x[held])
    sizes = np.bincount(truth, share, q.shape[1])
    gaps = tuple(np.flatnonzero(np.isnan(x).any(0)).tolist())
    return RuleList(
        rules=tuple(sorted(rules, key=lambda rule: (rule.segment, -rule.coverage))),
        segments=tuple(_fidelity(k, truth, said, share) for k in range(q.shape[1])),
        fidelity=float(share[said == truth].sum()),
        largest=float(sizes.max()),
        held_out_rows=len(held),
        max_depth=max_depth,
        with_gaps=gaps,
    )


def _fidelity(
    k: int,
    truth: Int64[np.ndarray, " N"],
    said: Int64[np.ndarray, " N"],
    share: Float[np.ndarray, " N"],
) -> SegmentFidelity:
    own, taken = float(share[truth == k].sum()), float(share[said == k].sum())
    both = float(share[(truth == k) & (said == k)].sum())
    return SegmentFidelity(k, own, both / taken if taken else None, both / own if own else None)


def rules_of_run(
    fitted: FittedModel, data: Dataset, *, max_depth: int = 3, seed: int = 0
) -> RuleList:
    """Distil the clusters of a fitted model of a table into rules; see `distil_rules`.

    Args:
        fitted: a trained model.
        data: rows that conform to it; they count by their weights.
        max_depth, seed: as in `distil_rules`.

    Raises:
        InputError: for a model of images, and as `distil_rules`.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> x = np.random.default_rng(0).normal(size=(40, 2))
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(torch.from_numpy(x)))
    >>> rules_of_run(fitted, from_array(x)).held_out_rows
    12
    """
    encoding = fitted.encoding
    if encoding.schema is None:
        raise InputError(
            f"rules are about the columns of a table, and this model is of {encoding.plural}: use "
            "a run of a table"
        )
    q, weights = responsibilities_of_rows(fitted, data)
    return distil_rules(
        encoding.schema,
        data.x.double().numpy(),
        q,
        weights=weights,
        max_depth=max_depth,
        seed=seed,
    )
