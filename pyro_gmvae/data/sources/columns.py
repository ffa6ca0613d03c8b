"""Turn columns of text into numbers, truth values or text, each column by all of its cells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from pyro_gmvae.data.checks import listed
from pyro_gmvae.data.numerals import (
    COMMA,
    MISSING_WORDS,
    POINT,
    is_missing,
    is_number,
    shown,
)
from pyro_gmvae.data.sources.marks import Marked, to_numbers, without_marks

if TYPE_CHECKING:
    import pandas


SHORTEST_CODE = 4  # digits
EXACT_DIGITS = 15  # whole numbers of so many digits are exact in float64


@dataclass
class _Column:
    """Hold what is known about a column while the others are looked at."""

    cells: pa.ChunkedArray
    typed: pa.ChunkedArray | None = None
    marked: Marked | None = None
    style: Literal["plain", "point", "comma", "either", "text"] = "text"
    words: Counter[str] = field(default_factory=Counter)


def type_columns(
    columns: Sequence[pa.ChunkedArray],
    names: Sequence[str],
    *,
    separator: str = ",",
    missing: Sequence[str] = MISSING_WORDS,
) -> tuple[list[pa.ChunkedArray], list[str]]:
    """Type columns of text.

    A column whose cells are all numbers, truth values (``true``, ``false``) or missing gets that
    type. In other columns only blank cells are missing, for ``NA`` may be a country. The decimal
    mark is that of the column. Where a column leaves it open (``1,234``), the other columns decide,
    and then the separator of the cells.

    Args:
        columns: the cells, as text.
        names: the names of the columns, for the notes.
        separator: the character that parts the cells.
        missing: the words for a missing value, without regard to case.

    Returns:
        The columns (int64, double, bool or string), and a sentence for each guess.

    >>> column = pa.chunked_array([["$1,200.50", "$3.25", "?"]])
    >>> typed, notes = type_columns([column], ["price"])
    >>> typed[0].to_pylist(), notes[0]
    ([1200.5, 3.25, None], "'?' in 1 cell of a column of numbers is taken for a missing value")
    """
    lower = pa.array(sorted({word.lower() for word in (*missing, "")}))
    found = [_look(column, lower) for column in columns]
    comma = any(c.style == "comma" for c in found)
    if comma:
        # In such a file 1.234 has thousands, though it could be cast as it stands.
        for column in found:
            if column.style == "plain" and _all(column.cells, COMMA, lower):
                column.typed, column.marked = None, Marked(_known(column.cells, lower))
                column.style = "either"
    point = any(c.style == "point" for c in found) or (
        any(c.typed is not None and pa.types.is_floating(c.typed.type) for c in found)
    )
    notes: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for column, name in zip(found, names, strict=True):
        if column.marked is None:
            continue
        style = column.style
        if style == "either":
            style = "comma" if comma or (not point and separator == ";") else "point"
        column.typed = to_numbers(column.marked.bare, style)
        kinds, example = column.marked.describe(column.cells, column.typed, style)
        if kinds:
            notes.setdefault(kinds, []).append((name, example))
    words = sum((c.words for c in found), Counter[str]())
    told = [
        f"{shown(word)} in {count} cell{'s' * (count != 1)} of a column of numbers is taken for a "
        "missing value"
        for word, count in words.items()
    ]
    for kinds, examples in notes.items():
        told.append(
            f"{' and '.join(kinds)} in {listed(name for name, _ in examples)}: {examples[0][1]}"
        )
    return [c.cells if c.typed is None else c.typed for c in found], told


def first_not_number(column: "pandas.Series[Any]") -> int | None:
    """Find the first cell of a column that is no number, though some may be.

    Returns:
        The place of the cell: the first that is neither a number nor missing. If all are numbers,
        but not of one notation, it is the first of the rarer notation. None if all are missing.

    >>> import pandas
    >>> first_not_number(pandas.Series(["85.5", "NA", "3 apples", "4"]))
    2
    """
    cells = ["" if gap else str(v) for v, gap in zip(column, column.isna(), strict=True)]
    known = [i for i, cell in enumerate(cells) if not is_missing(cell)]
    odd = next((i for i in known if not is_number(cells[i])), None)
    if odd is not None or not known:
        return odd
    rare = Counter(_notation(cells[i]) for i in known).most_common()[-1][0]
    return next(i for i in known if _notation(cells[i]) == rare)


def _notation(cell: str) -> str:
    """Reduce a number to its marks."""
    return "".join(c for c in dict.fromkeys(cell) if not (c.isdigit() or c in "+-eE"))


def _look(cells: pa.ChunkedArray, lower: pa.Array) -> _Column:
    """Type one column as far as its own cells tell."""
    plain = _cast(cells)
    if plain is not None and not _are_codes(cells, plain):
        return _Column(cells, plain, style="plain")
    cells = pc.utf8_trim_whitespace(cells)
    known = _known(cells, lower)
    blank = pc.equal(cells, "")
    as_text = _Column(pc.if_else(blank, None, cells))
    if plain is not None:
        return as_text
    if known.null_count == len(known):
        if pc.all(blank).as_py() or not len(cells):
            return _Column(cells, pa.chunked_array([pa.nulls(len(cells), pa.float64())]))
        return as_text
    words: Counter[str] = Counter()
    if known.null_count > pc.sum(blank).as_py():
        gaps = cells.filter(pc.and_(pc.is_null(known), pc.invert(blank)))
        for entry in pc.value_counts(gaps).to_pylist():
            words[entry["values"]] = entry["counts"]
    plain = _cast(known)
    if plain is not None:
        if _are_codes(known, plain):
            return as_text
        return _Column(cells, plain, style="plain", words=words)
    lowered = pc.utf8_lower(known)
    if pc.all(pc.is_in(lowered.drop_null(), pa.array(["true", "false"]))).as_py():
        return _Column(cells, pc.equal(lowered, "true"), words=words)
    marked = without_marks(known)
    if marked is None:
        return as_text
    point, comma = _all(marked.bare, POINT), _all(marked.bare, COMMA)
    if not (point or comma):
        return as_text
    style: Literal["point", "comma", "either"]
    style = "either" if point and comma else "point" if point else "comma"
    return _Column(cells, None, marked, style, words)


def _are_codes(cells: pa.ChunkedArray, numbers: pa.ChunkedArray) -> bool:
    """Recognise digits that are lost in numbers: zeros before them, or the last ones of many.

    Postal codes such as 01067 have one length, four digits at least. Shorter ones, such as 07, may
    be months or ages.
    """
    longest = pc.max(pc.utf8_length(cells)).as_py() or 0
    zeros = longest >= SHORTEST_CODE and pc.any(pc.starts_with(cells, "0")).as_py()
    if not (zeros or longest > EXACT_DIGITS):
        return False
    if not pc.all(pc.match_substring_regex(cells, "^[0-9]+$")).as_py():
        return False
    if zeros and pc.min(pc.utf8_length(cells)).as_py() == longest:
        return bool(pc.any(pc.not_equal(numbers, 0)).as_py())
    different = pc.count_distinct(pc.cast(numbers, pa.float64(), safe=False))
    return bool(pc.count_distinct(cells).as_py() > different.as_py())


def _known(cells: pa.ChunkedArray, lower: pa.Array) -> pa.ChunkedArray:
    """Replace the words for a missing value by null."""
    return pc.if_else(pc.is_in(pc.utf8_lower(cells), lower), None, cells)


def _all(cells: pa.ChunkedArray, pattern: str, lower: pa.Array | None = None) -> bool:
    known = cells if lower is None else _known(cells, lower)
    return bool(pc.all(pc.match_substring_regex(known, pattern)).as_py())


def _cast(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Cast to int64, else to double, if every cell is such a number without further marks."""
    try:
        whole = pc.cast(cells, pa.int64())
        # The cast would take the text 0x1F for a number.
        return None if pc.any(pc.match_substring(cells, "x", ignore_case=True)).as_py() else whole
    except pa.ArrowInvalid:
        pass
    try:
        return pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        return None
