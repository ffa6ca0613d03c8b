"""Say what a column may mean besides what it is taken for, so that users can correct it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from pyro_gmvae.data.checks import listed
from pyro_gmvae.data.columns.dates import is_like_a_date
from pyro_gmvae.data.columns.words import stands_for_a_gap
from pyro_gmvae.data.numerals import is_code, is_number, shown
from pyro_gmvae.stored import cut

__all__ = ["doubts_of_levels", "doubts_of_numbers", "doubts_of_text"]

MOSTLY = 0.9  # share of the different cells
SOME = 1_000  # different cells tell what the others are like
FEW_ROWS = 20
_YEAR = re.compile(r"(^|[^0-9])(1[5-9]|2[01])[0-9]{2}([^0-9]|$)")
_UNIT = re.compile(r"[+-]?[0-9][0-9.,]*\s*([^\W\d_]{1,10}[²³23]?)")


def doubts_of_text(name: str, texts: Sequence[str]) -> list[str]:
    """Say why numbers or dates may be meant by a column of text, in a sentence for each reason.

    Args:
        name: the name of the column.
        texts: its different cells, none of them a word for a gap or a column of dates.

    >>> doubts_of_text("stay", ["1", "2", "3+"])
    ["stay holds numbers beside cells such as '3+', so all of them are taken for names"]
    """
    if not texts:
        return []
    name, texts = cut(name), texts[:: 1 + len(texts) // SOME]
    numbers = [is_number(text) for text in texts]
    if all(numbers):
        if is_code(texts):
            why = "begin with 0 or are too long for numbers, so they are taken for names"
            return [f"cells of {name} such as {shown(texts[0])} {why}"]
        other = next((t for t in texts if _marks(t) != _marks(texts[0])), texts[-1])
        return [
            f"{name} holds numbers that are not written alike, such as {shown(texts[0])} and "
            f"{shown(other)}, so all of them are taken for names"
        ]
    if sum(numbers) >= 0.5 * len(texts):
        odd = texts[numbers.index(False)]
        return [
            f"{name} holds numbers beside cells such as {shown(odd)}, so all of them are taken for "
            "names"
        ]
    dates = [t for t in texts if is_like_a_date(t) and _YEAR.search(t)]
    if len(dates) >= MOSTLY * len(texts):
        return [
            f"{name} holds dates that are not written alike, such as {shown(dates[0])} and "
            f"{shown(dates[-1])}, so they are taken for names: write all of them like 2024-01-31"
        ]
    units = [found[1] for t in texts if (found := _UNIT.fullmatch(t))]
    if len(units) >= MOSTLY * len(texts):
        return [
            f"{name} holds units, such as {shown(texts[0])}, so its cells are taken for names: "
            "leave the unit out to have numbers"
        ]
    return []


def doubts_of_levels(name: str, levels: Sequence[str]) -> list[str]:
    """Say which levels of a column may be one and the same, or a gap.

    >>> doubts_of_levels("tier", ["Gold", "gold", "tin"])
    ["'Gold', 'gold' in tier differ in capitals or blanks only, and are levels of their own"]
    >>> doubts_of_levels("paid", ["?", "yes"])
    ["'?' in paid is taken for a level, not for a missing value"]
    """
    name = cut(name)
    told = [
        f"{level!r} in {name} is taken for a level, not for a missing value"
        for level in levels
        if stands_for_a_gap(level)
    ]
    alike: dict[str, list[str]] = {}
    for level in levels:
        alike.setdefault(_folded(level), []).append(level)
    several = [group for group in alike.values() if len(group) > 1]
    if several:
        rest = len(several) - 1
        more = f" (and so do {rest} more groups)" if rest else ""
        told.append(
            f"{listed(map(repr, several[0]))} in {name} differ in capitals or blanks only"
            f"{more}, and are levels of their own"
        )
    return told


def doubts_of_numbers(name: str, values: np.ndarray) -> list[str]:
    """Say that numbers look like days, as 20240131 does.

    Args:
        name: the name of the column.
        values: ``(n,)`` without gaps.

    >>> doubts_of_numbers("day", np.array([20240131.0, 20240201.0] * 10))[0][:48]
    'numbers of day such as 20240131 look like dates,'
    """
    if len(values) < FEW_ROWS or (values != np.floor(values)).any():
        return []
    if values.min() < 19000101 or values.max() > 21001231:
        return []
    months, days = values // 100 % 100, values % 100
    if not (((months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)).all()):
        return []
    return [
        f"numbers of {cut(name)} such as {values[0]:.0f} look like dates, but are taken for "
        "numbers: write dates like 2024-01-31"
    ]


def _folded(level: str) -> str:
    """Reduce a text to what people see of it, without regard to capitals."""
    seen = "".join(c for c in level if unicodedata.category(c) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", seen).casefold().split())


def _marks(number: str) -> str:
    return re.sub(r"[0-9]+", "", number)
