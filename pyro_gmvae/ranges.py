"""State the largest sizes that are accepted, and check single numbers.

A number that no machine can work with is refused by its name where it is given. Without a limit it
would end in a memory error, or in a training that never begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Real
from operator import ge, gt, index, le, lt
from reprlib import Repr
from typing import Any

from pyro_gmvae.errors import InputError

__all__ = [
    "COLDEST",
    "FASTEST",
    "HOTTEST",
    "MOST_CLUSTERS",
    "MOST_AXES",
    "MOST_DRAWS",
    "MOST_FEATURES",
    "MOST_LAYERS",
    "MOST_QUESTIONS",
    "MOST_ROUNDS",
    "MOST_ROWS",
    "MOST_SIDE",
    "MOST_TRAININGS",
    "MOST_WIDTH",
    "SEEDS",
    "STRONGEST",
    "OutOfRange",
    "bound_text",
    "plain",
    "real",
    "shown",
    "whole",
    "widths",
]

MOST_CLUSTERS = 100_000
MOST_WIDTH = 100_000  # units of a layer, channels, latent dimensions
MOST_LAYERS = 100
MOST_FEATURES = 2**28  # numbers in a row
MOST_AXES = 8  # of a row
MOST_SIDE = 10_000  # pixels of an image, from side to side
MOST_DRAWS = 1_000_000  # random draws for one row or cluster
MOST_ROWS = 1_000_000_000  # rows in a step
MOST_ROUNDS = 1_000_000_000  # epochs and steps, for people who want no limit
MOST_TRAININGS = 1_000  # trainings, or starts, of one call
MOST_QUESTIONS = 20  # of a tree that people read, for one row
SEEDS = 2**63  # torch takes seeds below this number
COLDEST, HOTTEST = 1e-3, 1e3  # temperatures at which float32 holds a Concrete variable
FASTEST = 1e6  # learning rate; a step of Adam moves every weight by about so much
STRONGEST = 1e6  # factor of a penalty

_LONGEST = 60  # characters of a wrong value in a message
_CUT = Repr()  # writes the beginning of a long tuple only
_CUT.maxstring = _CUT.maxother = _LONGEST
_FITS = {"least": ge, "above": gt, "below": lt, "most": le}
_WORDS = {"least": "at least", "above": "above", "below": "below", "most": "at most"}


class OutOfRange(InputError):
    """Report a number that is not allowed.

    Attributes:
        reason: what is wrong with it, as text that follows the name.

    >>> error = OutOfRange("epochs", "must be at least 1, got 0")
    >>> str(error), error.reason
    ('epochs must be at least 1, got 0', 'must be at least 1, got 0')
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.reason = reason


def whole(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> int:
    """Return a whole number as a plain int; True and False are no numbers.

    Args:
        name: the name of the number in the message.
        value: an int, or a whole number of NumPy or torch without dimensions.
        least, above, below, most: the range.

    Raises:
        OutOfRange: for anything else.

    >>> whole("epochs", 3, least=1)
    3
    >>> whole("epochs", 10**9, least=1, most=1000)
    Traceback (most recent call last):
    pyro_gmvae.ranges.OutOfRange: epochs must be at least 1 and at most 1000, got 1000000000
    """
    number = plain(value)
    if isinstance(number, bool):
        raise OutOfRange(name, f"must be an int, got {shown(value)}")
    try:
        number = index(number)
    except TypeError:
        raise OutOfRange(name, f"must be an int, got {shown(value)}") from None
    _check_range(name, number, least=least, above=above, below=below, most=most)
    return number


def real(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> float:
    """Return a finite number as a plain float; True and False are no numbers.

    Args:
        name: the name of the number in the message.
        value: a real number, or one of NumPy or torch without dimensions.
        least, above, below, most: the range.

    Raises:
        OutOfRange: for anything else.

    >>> real("share", 1, above=0, most=1)
    1.0
    >>> real("share", float("inf"))
    Traceback (most recent call last):
    pyro_gmvae.ranges.OutOfRange: share must be a number, got inf
    """
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, Real):
        raise OutOfRange(name, f"must be a number, got {shown(value)}")
    try:
        number = float(number)
    except OverflowError:  # an int or a fraction beyond the largest float
        raise OutOfRange(name, f"must be a number below 1e308, got {shown(value)}") from None
    if not isfinite(number):
        raise OutOfRange(name, f"must be a number, got {number}")
    _check_range(name, number, least=least, above=above, below=below, most=most)
    return number


def widths(name: str, sizes: Any) -> tuple[int, ...]:
    """Return the sizes of several layers as plain ints.

    Args:
        name: the name of the sizes in the message.
        sizes: a sequence or a one-dimensional array of whole numbers, of which there are at least
            one and at most `MOST_LAYERS`.

    Raises:
        OutOfRange: for anything else, or a size that is not from 1 to `MOST_WIDTH`.

    >>> widths("hidden", [64, 32])
    (64, 32)
    """
    # Bytes and text are sequences too, but no sizes; a set has no order.
    ordered = isinstance(sizes, Sequence) and not isinstance(sizes, str | bytes | bytearray)
    if not ordered and getattr(sizes, "ndim", None) != 1:
        raise OutOfRange(name, f"must be ints, such as (128, 128), got {shown(sizes)}")
    if not len(sizes):
        raise OutOfRange(name, "must have one size at least")
    if len(sizes) > MOST_LAYERS:
        raise OutOfRange(name, f"must have at most {MOST_LAYERS} sizes, got {len(sizes)}")
    try:
        plain_sizes = [whole(name, size) for size in sizes]
    except OutOfRange:
        raise OutOfRange(name, f"must be ints, such as (128, 128), got {shown(sizes)}") from None
    return tuple(whole(name, size, least=1, most=MOST_WIDTH) for size in plain_sizes)


def plain(value: Any) -> Any:
    """Return a value of NumPy or torch without dimensions as Python has it.

    >>> import numpy as np
    >>> plain(np.int64(3)), plain(np.array(0.5)), plain([1])
    (3, 0.5, [1])
    """
    return value.item() if getattr(value, "ndim", None) == 0 else value


def shown(value: Any) -> str:
    """Return a wrong value for a message, cut to one line.

    >>> shown("far too large"), shown(range(3))
    ("'far too large'", 'range(0, 3)')
    >>> len(shown("x" * 200))
    60
    """
    try:
        text = " ".join(_CUT.repr(value).split())
    except ValueError:  # Python writes no int of more than some thousand digits
        return "an int of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _check_range(name: str, value: float, **bounds: float | None) -> None:
    given = {which: bound for which, bound in bounds.items() if bound is not None}
    wrong = {which for which, bound in given.items() if not _FITS[which](value, bound)}
    if not wrong:
        return
    # The largest number is named where it is the fault; few people come near it.
    told = {which: b for which, b in given.items() if which != "most" or which in wrong}
    words = " and ".join(f"{_WORDS[which]} {bound_text(bound)}" for which, bound in told.items())
    raise OutOfRange(name, f"must be {words}, got {shown(value)}")


def bound_text(bound: float) -> str:
    """Return the end of a range for a message.

    >>> bound_text(100_000), bound_text(0.001), bound_text(1.0)
    ('100000', '0.001', '1')
    """
    return str(bound) if isinstance(bound, int) else f"{bound:g}"
