"""Write what is known of a segment in words that are short and say no more than is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

from pyro_gmvae.data.columns.profiles import ColumnProfile
from pyro_gmvae.plots.cells import number_text
from pyro_gmvae.segments.explanation.explain import Segment
from pyro_gmvae.segments.explanation.traits import Effect, Trait
from pyro_gmvae.visible import visible

__all__ = ["effect_text", "names_of", "numbered", "percent_text", "trait_head", "trait_values"]

NAMED = 2  # traits in a name
MOST_FACTOR = 1000  # a larger one is said to be more than it
LONGEST = 32  # characters of a column or level in a name

Profiles = Mapping[str, ColumnProfile]


def percent_text(share: float, digits: int = 0) -> str:
    """Write a share in percent; one that is nearly none or nearly all is said to be so.

    >>> percent_text(0.2345, 1), percent_text(0.9999), percent_text(0.001), percent_text(1.0)
    ('23.4%', '>99%', '<1%', '100%')
    """
    if not digits and 0.995 <= share < 1:
        return ">99%"
    if not digits and 0 < share < 0.005:
        return "<1%"
    return f"{share:.{digits}%}"


def trait_head(trait: Trait, profiles: Profiles) -> str:
    """Name what a trait compares.

    >>> effect = Effect("log odds ratio", 1.0, 0.5, 100.0, 0.1, 1.9)
    >>> trait_head(Trait("tier", "level", "gold", effect, 0.6, 0.3, 0.6), {})
    'tier: gold'
    """
    column = visible(trait.column)
    if trait.part == "level":
        return f"{column}: {visible(str(trait.level))}"
    if trait.part == "unusual":
        usual = profiles[trait.column].column.usual
        return f"{column} other than {usual:.4g}"
    if trait.part == "gap":
        return f"{column} is missing"
    profile = profiles.get(trait.column)
    if profile is not None and profile.column.kind == "spike":
        return f"{column}, where other than {profile.column.usual:.4g}"
    return column


def trait_values(trait: Trait, profiles: Profiles) -> tuple[str, str]:
    """Write what the segment has, and what the other rows have.

    >>> effect = Effect("log odds ratio", 1.0, 0.25, 1e9, 0.5, 1.5)
    >>> trait = Trait("tier", "level", "gold", effect, here=0.5, there=0.27, difference=0.5)
    >>> trait_values(trait, {})
    ('50%', '27%')
    """
    if trait.part == "value":
        profile = profiles[trait.column]
        here, there = (number_text(v, profile) for v in (trait.here, trait.there))
        return here, there
    return percent_text(trait.here), percent_text(trait.there)


def effect_text(effect: Effect) -> str:
    """Write an effect with its interval.

    >>> effect_text(Effect("log odds ratio", 1.0, 0.5, 100.0, 0.1, 1.9))
    'odds × 2.7, from 1.1 to 6.7'
    >>> effect_text(Effect("log rate ratio", -1.0, 0.1, 100.0, -1.2, -0.8))
    'rate ÷ 2.7, from 2.2 to 3.3'
    >>> effect_text(Effect("standardised difference", -1.25, 0.1, 100.0, -1.5, -1.0))
    '−1.2 SD, from −1.5 to −1.0'
    """
    if effect.measure == "standardised difference":
        estimate, low, high = (
            f"{v:+.1f}".replace("-", "−") for v in (effect.estimate, effect.low, effect.high)
        )
        return f"{estimate} SD, from {low} to {high}"
    word = "odds" if effect.measure == "log odds ratio" else "rate"
    if effect.high < 0:  # people read "divided by 12" more easily than "times 0.08"
        estimate, low, high = (_factor(-v) for v in (effect.estimate, effect.high, effect.low))
        return f"{word} ÷ {estimate}, from {low} to {high}"
    estimate, low, high = (_factor(v) for v in (effect.estimate, effect.low, effect.high))
    return f"{word} × {estimate}, from {low} to {high}"


def _factor(log_ratio: float) -> str:
    if abs(log_ratio) > log(MOST_FACTOR):
        return f"{MOST_FACTOR}+" if log_ratio > 0 else "0"
    factor = exp(log_ratio)
    return f"{factor:.0f}" if factor >= 99.5 else f"{factor:.2g}"


def names_of(segments: Sequence[Segment], profiles: Profiles) -> dict[int, str]:
    """Suggest a name for each segment from the traits that tell most about it.

    Names are different: where two would be the same, what sets a segment apart from its nearest one
    is added, and else its number.

    >>> effect = Effect("log odds ratio", 1.0, 0.25, 1e9, 0.5, 1.5)
    >>> trait = Trait("tier", "level", "gold", effect, here=0.5, there=0.27, difference=0.5)
    >>> from pyro_gmvae.segments.explanation.sizes import Size
    >>> segment = Segment(3, Size(0.6, 0.5, 0.7, 60, 0.95, 0.9), telling=(trait,))
    >>> names_of([segment], {})
    {3: 'tier: gold'}
    """
    made = {s.cluster: _name(s, profiles) for s in segments}
    alike = {s.cluster for s in segments if list(made.values()).count(made[s.cluster]) > 1}
    for segment in segments:
        if segment.cluster in alike:
            said = {trait.column for trait in segment.telling[:NAMED]}
            clear = (t for t in segment.nearest_traits if t.effect.clear and t.column not in said)
            more = next((_named(trait, profiles) for trait in clear), None)
            made[segment.cluster] += f", {more}" if more else ""
    words = list(made.values())
    return {k: name if words.count(name) == 1 else f"{name} ({k})" for k, name in made.items()}


def _name(segment: Segment, profiles: Profiles) -> str:
    said = [_named(trait, profiles) for trait in segment.telling[:NAMED]]
    if not said:
        return "no clear trait" if profiles else f"cluster {segment.cluster}"
    return ", ".join(said)


def _named(trait: Trait, profiles: Profiles) -> str:
    column = _short(visible(trait.column))
    more = trait.difference > 0
    if trait.part == "gap":
        return f"{column} {'missing' if more else 'known'}"
    if trait.part == "level":
        level = _short(visible(str(trait.level)))
        if trait.here >= 0.5 or (more and trait.here >= 0.25):
            return f"{column}: {level}"
        return f"{column}: more often {level}" if more else f"{column}: seldom {level}"
    column_kind = profiles[trait.column].column.kind
    if trait.part == "unusual":
        usual = profiles[trait.column].column.usual
        return f"{column} {'other than' if more else 'mostly'} {usual:.4g}"
    words = {"date": ("late", "early"), "count": ("many", "few")}.get(column_kind, ("high", "low"))
    return f"{words[0] if more else words[1]} {column}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def numbered(noun: str, places: Sequence[int]) -> str:
    """Name things by their numbers, in a sentence.

    >>> numbered("segment", [5, 1, 2]), numbered("cluster", [3])
    ('segments 1, 2 and 5', 'cluster 3')
    """
    *before, last = map(str, sorted(places))
    return f"{noun}s {', '.join(before)} and {last}" if before else f"{noun} {last}"
