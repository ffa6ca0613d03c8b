"""Guess what the text of a column means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pyro_gmvae.data.columns.dates import DateForm, recognise_dates
from pyro_gmvae.data.numerals import MISSING_WORDS

__all__ = ["counted_words", "gap_words", "guess_dates", "names_rows", "stands_for_a_gap"]

FEW_ROWS = 20
MOSTLY = 0.9  # share of different cells from which text names the rows
MANY_LEVELS = 500
WORDY, LONG = 4.0, 40.0  # mean words and characters of free text
_WORDS = frozenset(word.lower() for word in MISSING_WORDS)


def gap_words(levels: Sequence[str]) -> list[str]:
    """List the levels that stand for a missing cell, such as ``?`` and ``N/A``.

    ``NA`` is a level among codes of two letters, for it may be a country, and ``-`` is one beside
    ``+``. Where one other level would be left, all stay levels.

    >>> gap_words(["a", "b", "?"]), gap_words(["DE", "NA", "US"]), gap_words(["+", "-"])
    (['?'], [], [])
    """
    found = [v for v in levels if stands_for_a_gap(v)]
    rest = [v for v in levels if not stands_for_a_gap(v)]
    if rest and all(len(v) == 2 and v.isupper() for v in rest):
        found = [v for v in found if v != "NA"]
    if "+" in rest:
        found = [v for v in found if v != "-"]
    return [] if len(levels) - len(found) == 1 else found


def stands_for_a_gap(text: str) -> bool:
    """Return True for a word that stands for a missing value in most tables.

    >>> stands_for_a_gap("n/a"), stands_for_a_gap("no")
    (True, False)
    """
    return text.lower() in _WORDS


def guess_dates(levels: Sequence[str]) -> DateForm | None:
    """Recognise dates among the levels that do not stand for a gap.

    >>> guess_dates(["21-08-2013", "n/a", "03-04-2014"])
    DateForm(format='%d-%m-%Y', ambiguous=False)
    """
    return recognise_dates([v for v in levels if not stands_for_a_gap(v)])


def names_rows(levels: Sequence[str], codes: np.ndarray) -> str | None:
    """Say why the text of a column tells rows apart but no groups of them; None if it does not.

    Args:
        levels: the different texts.
        codes: ``(n,)`` the text of each cell that is known.

    >>> names_rows([f"user{i}@x.org" for i in range(50)], np.arange(50.0))
    '50 different names in 50 rows'
    """
    n, different = len(codes), len(levels)
    if n < FEW_ROWS:
        return None
    words = float(np.mean([len(v.split()) for v in levels]))
    length = float(np.mean([len(v) for v in levels]))
    share = different / n
    wordy = words > WORDY or length > LONG
    if (wordy and share > 0.2) or (share > MOSTLY and words > 2.5):
        return f"free text, {different} different texts in {n} rows"
    if share > MOSTLY or different > max(MANY_LEVELS, n / 5) or (share > 0.5 and different > 50):
        return f"{different} different names in {n} rows"
    return None


def counted_words(levels: Sequence[str], codes: np.ndarray, words: Sequence[str]) -> Counter[str]:
    """Count the cells that hold each of some words.

    >>> counted_words(["?", "a"], np.array([0.0, 1.0, 0.0, np.nan]), ["?"])
    Counter({'?': 2})
    """
    known = codes[~np.isnan(codes)].astype(np.int64)
    counts = np.bincount(known, minlength=len(levels))
    return Counter({v: int(counts[i]) for i, v in enumerate(levels) if v in set(words)})
