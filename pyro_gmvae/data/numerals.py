"""Recognise one number as people write it, in a cell or in a column of cells."""

import re
import unicodedata
from collections.abc import Iterable

# The most usual first; they are compared without regard to case.
MISSING_WORDS = (
    *("NA", "N/A", "#N/A", "#N/A N/A", "#NA", "<NA>", "n.a.", "n/a.", "n.d.", "NaN", "-NaN"),
    *("NULL", "None", "nil", "missing", "(null)", "?", "-", "--", "–", "—", ".", "..", "...", ":"),
    # How spreadsheets write a formula that failed, and databases a date that is none.
    *("#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!"),
    *("NaT", "0000-00-00", "0000-00-00 00:00:00"),
)

_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
# A group of thousands does not begin with 0: 0,123 is a decimal number.
POINT = rf"^[+-]?(?:(?:[0-9]+|[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+)(?:\.[0-9]*)?|\.[0-9]+){_EXPONENT}$"
COMMA = rf"^[+-]?(?:(?:[0-9]+|[1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+)(?:,[0-9]*)?|,[0-9]+){_EXPONENT}$"
# Blanks and apostrophes may part thousands in either style.
GAPS = "[ \u00a0\u202f\u2009'’]"
GROUPED = rf"^[+-]?[1-9][0-9]{{0,2}}(?:{GAPS}[0-9]{{3}})+(?:[.,][0-9]*)?$"
CODES = "USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|CZK|BRL|MXN"
BRACKETS = r"^\((.*[0-9].*)\)$"  # how accountants write a negative number
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_POINT, _COMMA, _GROUPED, _BRACKETS = map(re.compile, (POINT, COMMA, GROUPED, BRACKETS))
_CODE = re.compile(rf"^([+-]?)(?:{CODES})(?=[\s0-9.,+-])|(?<=[\s0-9.,])(?:{CODES})$")


def is_missing(cell: str, words: tuple[str, ...] = MISSING_WORDS) -> bool:
    """Return True for a blank cell and for a word that stands for a missing value.

    >>> is_missing("n/a"), is_missing(" "), is_missing("0")
    (True, True, False)
    """
    lower = cell.strip().lower()
    return not lower or lower in map(str.lower, words)


def is_number(cell: str) -> bool:
    """Return True for a number in any usual notation, with or without a currency or percent sign.

    >>> [is_number(c) for c in ("$4,000.82", "10,85", "1 234", "12%", "(5.00)", "3 apples", "")]
    [True, True, True, True, True, False, False]
    """
    bare = cell.strip()
    if _POINT.match(bare):
        return True
    if not bare or len(bare) > 100:  # patterns are slow on a giant cell
        return False
    if found := _BRACKETS.match(bare):
        bare = found[1]
    if bare.endswith("%"):
        bare = bare[:-1].rstrip()
    if not bare.isascii():
        bare = "".join(c for c in bare if unicodedata.category(c) != "Sc")
    bare = _CODE.sub(r"\1", bare.replace("$", "", 1)).strip()
    bare = re.sub(r"^([+-]) +", r"\1", bare)
    if _GROUPED.match(bare):
        bare = re.sub(GAPS, "", bare)
    return bool(_POINT.match(bare) or _COMMA.match(bare) or _INFINITE.fullmatch(bare))


def is_text(cell: str) -> bool:
    """Return True for what is neither a number nor missing.

    >>> is_text("spend"), is_text("NA")
    (True, False)
    """
    return not is_missing(cell) and not is_number(cell)


def is_code(cells: Iterable[str]) -> bool:
    """Return True if all cells are digits without a mark, as in ``"01067"``.

    >>> is_code(["01067", "10115"]), is_code(["1.5", "2"])
    (True, False)
    """
    return all(cell.isascii() and cell.isdigit() for cell in cells)


def is_masked_number(cell: str) -> bool:
    r"""Return True for a number beside what is not seen, or with a minus sign of typesetters.

    >>> is_masked_number("\u22122"), is_masked_number("2\x00"), is_masked_number("2 days")
    (True, True, False)
    """
    if len(cell) > 100 or (cell.isascii() and cell.isprintable()):  # most cells, at once
        return False
    bare = re.sub("[\u2010-\u2015\u2212\ufe63\uff0d]", "-", cell)
    seen = "".join(c for c in bare if unicodedata.category(c) not in ("Cc", "Cf"))
    return seen != cell and is_number(seen)


def is_integer(cell: str) -> bool:
    """Return True for digits with or without a sign.

    >>> is_integer(" -12"), is_integer("1.0")
    (True, False)
    """
    return re.fullmatch(r"[+-]?[0-9]+", cell.strip()) is not None


def shown(cell: object) -> str:
    """Quote the start of a cell, and name a character in it that is easily overlooked.

    >>> shown("−2")
    "'−2' (with MINUS SIGN, U+2212)"
    """
    text = str(cell)
    quoted = repr(text if len(text) <= 30 else text[:30] + "…")
    for c in text[:30]:
        # Letters, marks, numbers and signs of currency are seen for what they are.
        odd = not c.isprintable() or (not c.isascii() and unicodedata.category(c)[0] not in "LMN")
        if odd and unicodedata.category(c) != "Sc":
            name = unicodedata.name(c, {"\x00": "a NUL byte"}.get(c, "a control character"))
            return f"{quoted} (with {name}, U+{ord(c):04X})"
    return quoted
