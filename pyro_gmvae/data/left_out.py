"""Find the columns of a table that say nothing about clusters."""

import re
from collections.abc import Sequence

import numpy as np

from pyro_gmvae.data.checks import listed

# Customer_ID, customerId, id, uuid and row number, but not "humid" or "paid".
_IDENTIFIER = re.compile(
    r"(?i:(^|[^a-z])(id|ids|uid|uuid|guid|index|rowid)$|^row[ _]?(number|no|nr)?$"
    r"|^unnamed: \d+$)|[a-z]I[dD]$"
)
LEAST_STEPS = 10  # fewer rows may be evenly stepped by chance


def without_information(
    values: np.ndarray, names: Sequence[str], keep: Sequence[str] = ()
) -> tuple[list[int], list[str]]:
    """Choose the columns to leave out: constant ones, and those that only number the rows.

    A column numbers the rows if it holds whole numbers, all of them different, under a name such as
    ``customer_id``, or at equal steps from row to row. At least one column is kept that is not
    constant, if there is one.

    Args:
        values: numbers ``(N, D)``.
        names: the D names.
        keep: names of columns that are kept whatever they hold.

    Returns:
        The places of the columns, and a sentence for each reason.

    >>> values = np.array([[7.0, 1.5, 3.0], [9.0, 2.5, 3.0], [4.0, 1.0, 3.0]])
    >>> without_information(values, ["user_id", "spend", "country"])
    ([0, 2], ['country has the same value in every row, so it is left out', 'user_id numbers the \
rows, so it is left out'])
    """
    if len(values) < 2:
        return [], []
    stay = set(keep)
    free = [i for i, name in enumerate(names) if name not in stay]
    constant = [i for i in free if (values[:, i] == values[0, i]).all()]
    rest = sorted(set(free) - set(constant))
    numbering = [i for i in rest if _numbers_rows(values[:, i], names[i])]
    varying = len(names) - len(constant)
    if varying == len(numbering):
        numbering = []
    if varying == 0:
        return [], []
    notes = []
    if constant:
        has = "has" if len(constant) == 1 else "have"
        are = "it is" if len(constant) == 1 else "they are"
        shown = listed(names[i] for i in constant)
        notes.append(f"{shown} {has} the same value in every row, so {are} left out")
    if numbering:
        verb, are = ("numbers", "it is") if len(numbering) == 1 else ("number", "they are")
        shown = listed(names[i] for i in numbering)
        notes.append(f"{shown} {verb} the rows, so {are} left out")
    return sorted([*constant, *numbering]), notes


def _numbers_rows(values: np.ndarray, name: str) -> bool:
    if not np.isfinite(values).all() or (values != np.floor(values)).any():
        return False
    if len(values) >= LEAST_STEPS and len(set(np.diff(values).tolist())) == 1:
        return True
    return bool(_IDENTIFIER.search(name)) and len(np.unique(values)) == len(values)
