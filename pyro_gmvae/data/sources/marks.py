"""Take marks off numbers: currency and percent signs, brackets, thousands, decimal commas."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from pyro_gmvae.data.numerals import BRACKETS, CODES, GAPS, GROUPED, shown

_BLANKS = "[\\s\u00a0\u202f]*"
_CURRENCY = rf"(?:\p{{Sc}}|(?:{CODES}))"


@dataclass(frozen=True)
class Marked:
    """Hold the cells of a column without their marks, and the kinds of marks taken off.

    Attributes:
        bare: digits with a sign, and with commas and points; null where a cell is missing.
        kinds: words for the marks that are gone.

    >>> marked = Marked(pa.chunked_array([["10.85", None]]), kinds=("signs of currency",))
    >>> marked.bare.to_pylist(), marked.kinds
    (['10.85', None], ('signs of currency',))
    """

    bare: pa.ChunkedArray
    kinds: tuple[str, ...] = ()

    def describe(
        self, cells: pa.ChunkedArray, numbers: pa.ChunkedArray, style: str
    ) -> tuple[tuple[str, ...], str]:
        """Return the kinds of all marks of a column, and an example of how it was read."""
        kinds = self.kinds
        thousands, decimals = (".", ",") if style == "comma" else (",", ".")
        has_comma = style == "comma" and _any(self.bare, decimals)
        if _any(self.bare, thousands) and "thousands separators" not in kinds:
            kinds = (*kinds, "thousands separators")
        if has_comma:
            kinds = (*kinds, "decimal commas")
        start = zip(cells[:1000].to_pylist(), numbers[:1000].to_pylist(), strict=True)
        known = [(cell, number) for cell, number in start if number is not None]
        if not known:
            return kinds, f"the cell {shown(_first(cells, numbers))} is read as a number"
        cell, number = max(known, key=lambda pair: (_marks(pair[0]), len(pair[0])))
        return kinds, f"{shown(cell)} is read as {number:.12g}"


def without_marks(cells: pa.ChunkedArray) -> Marked | None:
    """Take signs of currency and percent, brackets and blanks off; None if cells are no numbers.

    A column of several currencies, or of percentages and other numbers, is not of one unit, and so
    no column of numbers.

    Args:
        cells: trimmed text, null where a cell is missing.

    >>> without_marks(pa.chunked_array([["€ 5", "(1 250,00 €)"]])).bare.to_pylist()
    ['5', '-1250,00']
    """
    if not pc.all(pc.match_substring_regex(cells, "[0-9]")).as_py():
        return None
    if not pc.any(pc.match_substring_regex(cells, "[^0-9.,eE+-]")).as_py():
        return Marked(cells)
    kinds = []
    if pc.any(pc.match_substring_regex(cells, BRACKETS)).as_py():
        cells = pc.replace_substring_regex(cells, BRACKETS, r"-\1")
        kinds.append("brackets for negative numbers")
    percent = pc.ends_with(cells, "%")
    if pc.any(percent).as_py():
        if not pc.all(percent).as_py():
            return None
        cells = pc.replace_substring_regex(cells, _BLANKS + "%$", "")
        kinds.append("percent signs")
    signs = pc.extract_regex(cells, rf"(?P<sign>{_CURRENCY})")
    signs = pc.struct_field(signs, "sign").unique().drop_null()
    if len(signs) > 1:
        return None
    if len(signs) == 1:
        start = rf"^([+-]?){_BLANKS}{_CURRENCY}{_BLANKS}"
        cells = pc.replace_substring_regex(cells, start, r"\1")
        cells = pc.replace_substring_regex(cells, rf"{_BLANKS}{_CURRENCY}$", "")
        kinds.append("currency signs")
    cells = pc.replace_substring_regex(cells, rf"^([+-]){_BLANKS}", r"\1")
    grouped = pc.match_substring_regex(cells, GROUPED)
    if pc.any(grouped).as_py():
        cells = pc.if_else(grouped, pc.replace_substring_regex(cells, GAPS, ""), cells)
        kinds.append("thousands separators")
    return Marked(cells, tuple(kinds))


def to_numbers(bare: pa.ChunkedArray, style: Literal["point", "comma"] | str) -> pa.ChunkedArray:
    """Cast cells that `without_marks` gave to int64 or double, by the mark of their decimals.

    >>> to_numbers(pa.chunked_array([["1.250,5", "3"]]), "comma").to_pylist()
    [1250.5, 3.0]
    """
    cells = pc.replace_substring(bare, "." if style == "comma" else ",", "")
    cells = pc.replace_substring_regex(cells, r"^\+", "")
    if style == "comma":
        cells = pc.replace_substring(cells, ",", ".")
    try:
        return pc.cast(cells, pa.int64())
    except pa.ArrowInvalid:
        return pc.cast(cells, pa.float64())


def _marks(cell: str) -> int:
    return sum(not c.isdigit() for c in cell)


def _any(cells: pa.ChunkedArray, text: str) -> bool:
    return bool(pc.any(pc.match_substring(cells, text)).as_py())


def _first(cells: pa.ChunkedArray, numbers: pa.ChunkedArray) -> str:
    return str(cells.filter(pc.is_valid(numbers))[0].as_py())
