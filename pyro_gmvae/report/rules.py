"""Write rules of segments in the words of a report."""

from __future__ import annotations

from collections.abc import Iterator

from pyro_gmvae.report.words import percent_text
from pyro_gmvae.segments.rules.distil import Rule, RuleList

__all__ = ["rule_lines", "rules_sentence"]


def rules_sentence(rules: RuleList) -> str:
    """Say how far to trust the rules.

    >>> from pyro_gmvae.segments.rules.conditions import Condition
    >>> from pyro_gmvae.segments.rules.distil import SegmentFidelity
    >>> rule = Rule(0, (Condition("age", 0, "number", low=60.0),), coverage=0.25, precision=0.9)
    >>> fidelity = (SegmentFidelity(0, 0.25, 0.9, 0.9),)
    >>> rules = RuleList((rule,), fidelity, 0.9, 0.75, 40, 3, ())
    >>> rules_sentence(rules).split(". ")[1]
    'To say the largest segment of all rows would give 75%.'
    """
    return (
        f"A few questions about the columns give the segment of {percent_text(rules.fidelity)} of "
        f"{rules.held_out_rows:,} rows that were kept apart. To say the largest segment of all "
        f"rows would give {percent_text(rules.largest)}."
    )


def rule_lines(rules: RuleList) -> Iterator[tuple[Rule, str, str]]:
    """Give each rule with its conditions in words and how often it is right.

    >>> from pyro_gmvae.segments.rules.conditions import Condition
    >>> from pyro_gmvae.segments.rules.distil import SegmentFidelity
    >>> rule = Rule(0, (Condition("age", 0, "number", low=60.0),), coverage=0.25, precision=0.9)
    >>> fidelity = (SegmentFidelity(0, 0.25, 0.9, 0.9),)
    >>> rules = RuleList((rule,), fidelity, 0.9, 0.75, 40, 3, ())
    >>> [(conditions, share) for _, conditions, share in rule_lines(rules)]
    [('age > 60', '25% of the rows, 90% right')]
    """
    gaps = frozenset(rules.with_gaps)
    for rule in rules.rules:
        right = "" if rule.precision is None else f", {percent_text(rule.precision)} right"
        yield rule, rule.words(gaps), f"{percent_text(rule.coverage)} of the rows{right}"
