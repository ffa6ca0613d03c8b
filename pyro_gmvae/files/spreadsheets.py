"""Write text that spreadsheets show and do not compute.

A spreadsheet takes a cell that begins with one of ``= + - @``, a tab or a line break for a formula,
which may start programs or send the other cells away. Names come from files of strangers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

__all__ = ["safe_text", "with_text"]

# The wide forms are those of East Asian keyboards, which some spreadsheets read as the plain ones.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def safe_text(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would take for a formula.

    >>> safe_text("=1+1"), safe_text("photo-1.png")
    ("'=1+1", 'photo-1.png')
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def with_text(frame: pandas.DataFrame, change: Callable[[str], str]) -> pandas.DataFrame:
    """Change the names of the columns, and the cells that are text; numbers stay as they are.

    >>> import pandas
    >>> frame = pandas.DataFrame({"=a": [-1], "file": ["@b.png"]})
    >>> with_text(frame, safe_text).to_csv(index=False).split()
    ["'=a,file", "-1,'@b.png"]
    """
    from pandas.api.types import is_numeric_dtype

    changed = frame.copy()
    # By place, for two columns may have one name.
    for i in range(frame.shape[1]):
        column = frame.iloc[:, i]
        if not is_numeric_dtype(column.dtype):
            changed.isetitem(i, [change(v) if isinstance(v, str) else v for v in column])
    return changed.set_axis([change(str(name)) for name in frame.columns], axis=1)
