"""Guess what the numbers of a column mean."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from pyro_gmvae.data.schema import Kind, shown_number

__all__ = ["FEW_ROWS", "Guess", "guess_numbers", "numbers_rows", "skewness"]

FEW_ROWS = 20  # rows; of fewer, only truth values and text are more than real numbers
FEW_LEVELS = 10
REPEATS = 3  # rows for each level, at least, so that numbers are levels
SPIKE, BESIDE = 0.5, 20  # share of one value, and the least number of other values
AMOUNT, HEAVY = 1.0, 2.0  # skewness from which a column is modelled by its logarithm
LARGEST_COUNT, LARGEST_TYPICAL = 60, 30  # 90 % and 50 % of a count are at most so large
YEARS = (1850, 2100)
_YEAR = re.compile(
    r"(^|[^a-z])(year|yr|born|birth|date|since|jahr|baujahr|annee|ann\u00e9e|a\u00f1o|dob)"
    r"|year|birth",
    re.IGNORECASE,
)
# Customer_ID, customerId, id, uuid and row number, but not "humid" or "paid".
_IDENTIFIER = re.compile(
    r"(?i:(^|[^a-z])(id|ids|uid|uuid|guid|index|rowid|key|nr|no)$|^(id|uid|uuid|key)[^a-z]"
    r"|^row[ _]?(number|no|nr)?$|^unnamed: \d+$)|[a-z]I[dD]$|(^|[a-z_])(Number|Nr|No)$"
)
LEAST_STEPS = 10  # rows; fewer may be evenly stepped by chance
LEAST_SORTED = 50
CHANCE = 7.0  # minus the log of the probability from which chance is ruled out, one in a thousand


class Guess(NamedTuple):
    """Hold a kind and the one line that says by what it was chosen.

    >>> Guess("count", "whole numbers from 0 on").kind
    'count'
    """

    kind: Kind
    why: str


def guess_numbers(values: np.ndarray, name: str) -> Guess:
    """Guess the kind of a column of numbers that are not all the same.

    Args:
        values: ``(n,)`` without gaps.
        name: the name of the column.

    >>> guess_numbers(np.repeat([0.0, 1.0, 4.0], 20), "children")
    Guess(kind='ordinal', why='3 whole numbers')
    """
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.tolist() == [0.0, 1.0]:
        return Guess("binary", "zeros and ones")
    if len(values) < FEW_ROWS:
        return Guess("real", f"{len(values)} numbers, too few to tell more")
    whole = bool((values == np.floor(values)).all())
    repeated = len(values) >= REPEATS * len(distinct)
    if len(distinct) == 2 and repeated:
        shown = " and ".join(map(shown_number, distinct.tolist()))
        return Guess("binary", f"the two values {shown}")
    if whole and repeated and len(distinct) <= FEW_LEVELS:
        return Guess("ordinal", f"{len(distinct)} whole numbers")
    if whole and YEARS[0] <= distinct[0] and distinct[-1] <= YEARS[1] and _YEAR.search(name):
        return Guess("date", "years, by its name and range")
    share = float(counts.max() / len(values))
    if share >= SPIKE and len(distinct) > BESIDE:
        usual = shown_number(float(distinct[counts.argmax()]))
        return Guess("spike", f"{share:.0%} of the cells are {usual}")
    if whole and _are_counts(values, distinct):
        return Guess("count", f"small whole numbers, dense from {shown_number(distinct[0])} on")
    skew = skewness(values)
    if skew > AMOUNT and distinct[0] >= 0:
        return Guess("amount", f"a long tail, skewness {skew:.1f}")
    if abs(skew) > HEAVY:
        return Guess("amount", f"both signs and a long tail, skewness {skew:.1f}")
    return Guess("real", f"numbers from {distinct[0]:.4g} to {distinct[-1]:.4g}")


def _are_counts(values: np.ndarray, distinct: np.ndarray) -> bool:
    if distinct[0] not in (0, 1):
        return False
    middle, high = np.quantile(values, [0.5, 0.9])
    if middle > LARGEST_TYPICAL or high > LARGEST_COUNT:
        return False
    return bool(np.isin(np.arange(distinct[0], middle + 1), distinct).all())


def skewness(values: np.ndarray) -> float:
    """Return the third standardised moment, 0 for a constant; no size of numbers overflows.

    >>> round(skewness(np.array([0.0, 0.0, 3.0])), 3)
    0.707
    """
    largest = np.abs(values).max(initial=0.0)
    if largest == 0:
        return 0.0
    scaled = values / largest
    centred = scaled - scaled.mean()
    spread = np.sqrt(np.mean(centred**2))
    # Below this the spread is only rounding.
    return 0.0 if spread < 1e-15 else float(np.mean((centred / spread) ** 3))


def numbers_rows(values: np.ndarray, name: str) -> str | None:
    """Say why a column only numbers the rows; None if it does not.

    It holds whole numbers, all of them different, and besides that: its name is one such as
    ``customer_id``; or it goes in equal steps, or only up or only down, from row to row; or chance
    would have repeated some, since they are dense. Numbers such as amounts, which may all differ in
    a small table, are too far apart for that.

    >>> numbers_rows(np.arange(100.0, 130.0), "x")
    'equal steps from row to row'
    >>> numbers_rows(np.array([9.0, 4.0, 7.0]), "user_id")
    'another number in every row, under the name of an identifier'
    """
    if not len(values) or (values != np.floor(values)).any():
        return None
    steps = np.diff(values)
    if len(values) >= LEAST_STEPS and len(set(steps.tolist())) == 1 and steps[0] != 0:
        return "equal steps from row to row"
    if len(np.unique(values)) < len(values):
        return None
    if _IDENTIFIER.search(name):
        return "another number in every row, under the name of an identifier"
    if len(values) >= LEAST_SORTED and ((steps > 0).all() or (steps < 0).all()):
        return "another number in every row, in order"
    # So many draws from this range would all differ with the probability exp(-n^2 / (2 range)).
    width = float(values.max() - values.min()) + 1
    if len(values) >= FEW_ROWS and len(values) ** 2 / (2 * width) > CHANCE:
        return "another number in every row, where chance would repeat some"
    return None
