"""Tell whether the first row of a table holds names, and make the names usable."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyro_gmvae.data.checks import listed
from pyro_gmvae.data.numerals import is_integer, is_missing, is_number, is_text
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    import pandas

YEARS = range(1500, 2200)


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tell names from values in the first row, by the rows below it.

    A first row of numbers and missing values is data, unless it counts years and the rows below do
    not. Text above numbers is a name, unless a number with decimals is beside it. Where no column
    holds numbers, the first row holds names.

    Args:
        rows: the cells of the first rows, as text.

    >>> has_header([["2022", "2023"], ["1.5", "2.5"]])
    True
    >>> has_header([["10.2", "NA"], ["1.5", "2.5"]])
    False
    """
    first, below = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    texts = [cell for cell in first if is_text(cell)]
    if not below:
        return bool(texts)
    of_numbers = [i for i in range(len(first)) if _holds_numbers([row[i] for row in below])]
    if not of_numbers:
        return bool(texts)
    years = [[row[i] for i in of_numbers if not is_text(row[i])] for row in (first, *below[:20])]
    if _counts_years(years[0]):
        return not all(map(_counts_years, years[1:]))
    named = [first[i] for i in of_numbers if is_text(first[i])]
    decimals = any(is_number(first[i]) and not is_integer(first[i]) for i in of_numbers)
    return bool(named) and not decimals


def _counts_years(row: Sequence[str]) -> bool:
    """Recognise two or more years at equal distances, besides a blank corner."""
    cells = [cell.strip() for cell in row if cell.strip()]
    if len(cells) < 2 or not all(re.fullmatch("[0-9]{4}", c) and int(c) in YEARS for c in cells):
        return False
    steps = {int(b) - int(a) for a, b in zip(cells, cells[1:], strict=False)}
    return len(steps) == 1 and steps != {0}


def _holds_numbers(cells: Sequence[str]) -> bool:
    known = [cell for cell in cells if not is_missing(cell)]
    return bool(known) and sum(map(is_number, known)) >= 0.8 * len(known)


def unique_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Trim names, and number those that are given more than once, as pandas does.

    Returns:
        The names, and a sentence for each that was given more than once.

    >>> unique_names(["a", " b", "a"])
    (['a', 'b', 'a.1'], ["the name 'a' is given to 2 columns: the last of them is called 'a.1'"])
    """
    trimmed = [name.strip() for name in names]
    taken, count, last = set(trimmed), dict.fromkeys(trimmed, 0), dict.fromkeys(trimmed, "")
    found = []
    for name in trimmed:
        new = name
        if name and count[name]:
            number = count[name]
            while (new := f"{name}.{number}") in taken:
                number += 1
        taken.add(new)
        count[name] += 1
        last[name] = new
        found.append(new)
    notes = [
        f"the name {name!r} is given to {n} columns: the last of them is called {last[name]!r}"
        for name, n in count.items()
        if name and n > 1
    ]
    return found, notes


def without_nameless(
    frame: "pandas.DataFrame", names: Sequence[str], source: str
) -> tuple["pandas.DataFrame", list[str]]:
    """Name the columns, and leave out those without a name that hold nothing or number the rows.

    Args:
        frame: the columns, in the order of their names.
        names: their names, blank where there is none.
        source: the name of the file in messages.

    Returns:
        The frame, and a sentence for each guess.

    Raises:
        InputError: for another column without a name.

    >>> import pandas
    >>> frame = pandas.DataFrame([[0, 1.5], [1, 2.5]])
    >>> without_nameless(frame, ["", "spend"], "t.csv")[0].columns.tolist()
    ['spend']
    """
    nameless = [i for i, name in enumerate(names) if not name]
    empty = [i for i in nameless if frame.iloc[:, i].isna().all()] if len(frame) else nameless
    notes = []
    if empty:
        notes.append("columns without a name and without a value are left out")
    rest = [i for i in nameless if i not in empty]
    if rest == [0] and frame.iloc[:, 0].is_unique:
        notes.append("the first column has no name and names the rows: it is left out")
    elif rest:
        raise InputError(
            f"{source} has no name in its header for column {listed(rest)}, counted from 0: "
            "name it, or leave it out if it only numbers the rows."
        )
    kept = [i for i, name in enumerate(names) if name]
    frame = frame.iloc[:, kept]
    frame.columns = [names[i] for i in kept]
    return frame, notes
