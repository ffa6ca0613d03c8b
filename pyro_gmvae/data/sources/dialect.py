"""Guess how a text is divided into lines and cells."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pyro_gmvae.data.numerals import is_missing, is_number

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
COMMENT_MARKS = ("#", "%", "//")
_SAMPLE_ROWS = 200
_SEP_LINE = re.compile(rb'"?sep=([,;\t|:^~])"?[ \t,;]*\n', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    r"""Describe the cells of a text.

    Attributes:
        separator: the character between cells; a blank stands for any number of blanks and tabs.
        width: the usual number of cells in a line.
        rows: the cells of the first lines that are not blank.
        comments: the lines before them that are no rows, such as a title.
        skip: how many lines, blank ones among them, are before the first row.
        fixed: whether the file names its separator in a line ``sep=``.

    >>> dialect = guess_dialect(b"age;tier\n41;a\n52;b\n")
    >>> dialect.separator, dialect.width, dialect.rows[0]
    (';', 2, ['age', 'tier'])
    """

    separator: str
    width: int
    rows: list[list[str]]
    comments: tuple[str, ...] = ()
    skip: int = 0
    fixed: bool = False


def guess_dialect(data: bytes) -> Dialect:
    r"""Guess the separator and the first row of a table from the start of its text.

    Separators in quotes do not count. The separator is the one that gives most lines the same
    number of cells, and most cells that are numbers.

    Args:
        data: UTF-8 text with ``\n`` at the end of lines.

    Raises:
        csv.Error: for a cell of more than 131,072 characters in the first row.

    >>> guess_dialect(b'"spend, net";visits\n10,85;1,39\n').separator
    ';'
    """
    fixed = _SEP_LINE.match(data)
    start = data[fixed.end() :] if fixed else data
    sample, cut = _sample(start)
    if fixed:
        best = _read(sample, fixed[1].decode("latin-1"), cut)
    else:
        # The first stays where others are as good.
        best = max((_read(sample, s, cut) for s in SEPARATORS), key=_score)
        if best.width < 2 or _is_one_column_of_decimal_commas(best):
            unused = next((s for s in (";", "\t", "|", ",") if s.encode() not in start), "\x1f")
            best = _read(sample, unused, cut)
    rows = best.rows
    comments: list[str] = []
    lines = _lines_before(sample, best.separator)
    while rows and (
        _is_comment(rows, best.width) or _is_title(rows, lines[len(comments) :], best.width)
    ):
        comments.append(best.separator.join(rows[0]).strip())
        rows = rows[1:]
    if rows and len(rows[0]) == best.width + 1 and rows[0][0] in COMMENT_MARKS:
        rows = [rows[0][1:], *rows[1:]]  # a blank behind the mark parts it from the first name
    skip = bool(fixed) + (lines[len(comments)] if rows else sample.count("\n"))
    return Dialect(best.separator, best.width, rows, tuple(comments), skip, bool(fixed))


def rows_of(text: str, separator: str, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Read the cells of each line that is not blank, after the number of its first line, from 0.

    Raises:
        csv.Error: for a cell of more than 131,072 characters and, if ``strict``, for a quote that
            is never closed.
    """
    if separator == " ":
        text = collapse(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=strict)
    before = 0
    for row in reader:
        if len(row) > 1 or (row and (row[0].strip() or row[0] == "")):
            yield before, row
        before = reader.line_num


def collapse(text: str) -> str:
    r"""Make one blank of any number of blanks and tabs, and none at the ends of a line.

    >>> collapse("  1 \t2\n")
    '1 2\n'
    """
    return re.sub(r"[ \t]+", " ", re.sub(r"(?m)^[ \t]+|[ \t]+$", "", text))


def _sample(data: bytes) -> tuple[str, bool]:
    """Take whole lines from the start, and tell whether there are more."""
    size = 1 << 16
    while size < len(data) and data.count(b"\n", 0, size) < 3:
        size *= 4
    if size >= len(data):
        return data.decode("utf-8"), False
    return data[: data.rindex(b"\n", 0, size) + 1].decode("utf-8"), True


def _read(sample: str, separator: str, cut: bool) -> Dialect:
    rows = []
    try:
        for _, row in rows_of(sample, separator):
            rows.append(row)
            if len(rows) == _SAMPLE_ROWS:
                break
    except csv.Error:  # a giant cell
        rows = rows or [[sample]]
    if cut and 1 < len(rows) < _SAMPLE_ROWS:
        rows.pop()  # a quoted cell may go on beyond the sample
    widths = Counter(map(len, rows))
    # A first line of one cell may be a title, another one is a header.
    width = max(widths, key=lambda w: (widths[w], 1 < w == len(rows[0]), w), default=1)
    return Dialect(separator, width, rows)


def _score(dialect: Dialect) -> tuple[bool, bool, float, float]:
    """Rate a separator; the larger the better."""
    if dialect.width < 2:
        return False, False, 0.0, 0.0
    alike = [row for row in dialect.rows if len(row) == dialect.width]
    agree = len(alike) / len(dialect.rows)
    cells = [cell for row in alike[:50] for cell in row[:1000]]
    numbers = sum(is_number(c) or is_missing(c) for c in cells) / len(cells)
    if dialect.separator == " ":
        if numbers < 0.5:  # words of a text
            return False, False, 0.0, 0.0
        numbers -= 0.2  # blanks are in cells too
    return True, agree >= 0.8, round(numbers, 2), round(agree, 2)


def _is_one_column_of_decimal_commas(dialect: Dialect) -> bool:
    """Recognise a name of one cell over numbers such as 10,85, which look like two cells."""
    first, *others = dialect.rows
    return (
        dialect.separator == ","
        and len(others) > 1
        and len(first) == 1
        and not is_number(first[0])
        and all(len(r) == 2 and r[1].isdigit() and is_number(",".join(r)) for r in others)
    )


def _is_comment(rows: list[list[str]], width: int) -> bool:
    """Recognise a title or a comment in the first row."""
    first = rows[0]
    if first[0].lstrip().startswith(COMMENT_MARKS):
        names = first[1:] if first[0] in COMMENT_MARKS and len(first) == width + 1 else first
        return not (len(names) == width and len(rows) > 1 and _names_numbers(names, rows[1]))
    filled = [cell for cell in first if cell.strip()]
    if width < 2 or len(rows) < 2 or len(filled) != 1 or is_number(filled[0]):
        return False
    # A title may be padded with separators; so may the header of a single column. A header whose
    # first names are blank is none.
    padded = len(first) == width > 2 and bool(first[0].strip())
    return len(first) == 1 or (padded and all(c.strip() for c in rows[1]))


def _is_title(rows: list[list[str]], lines: list[int], width: int) -> bool:
    """Recognise a title with separators in it, by a blank line and a header below it."""
    if len(rows) < 3 or len(lines) < 3 or any(map(is_number, rows[0])):
        return False
    blank = lines[1] - lines[0] > 1 + sum(cell.count("\n") for cell in rows[0])
    named = len(rows[1]) == width and all(cell.strip() for cell in rows[1])
    return blank and named and _names_numbers(rows[1], rows[2])


def _names_numbers(first: list[str], second: list[str]) -> bool:
    """Recognise a header by the numbers below it."""
    return not any(map(is_number, first)) and any(map(is_number, second))


def _lines_before(sample: str, separator: str) -> list[int]:
    """Count the lines before each of the first rows."""
    lines = []
    try:
        for line, _ in islice(rows_of(sample, separator), _SAMPLE_ROWS):
            lines.append(line)
    except csv.Error:  # a giant cell further down
        if not lines:
            raise
    return lines
