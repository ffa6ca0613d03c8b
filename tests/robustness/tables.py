"""Put the tables of the long runs into docs/reliability.md.

    python -m tests.robustness.tables

A file ``docs/reliability/NAME.json`` goes between the lines ``<!-- NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.robustness.outcomes import markdown

__all__ = ["filled", "main"]

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("kills", "fuzz")


def filled(page: str, name: str, table: str) -> str:
    """Return ``page`` with ``table`` between the marks of ``name``.

    Raises:
        ValueError: if the page has no such marks.

    >>> print(filled("<!-- kills -->\\nold\\n<!-- end -->", "kills", "new\\n"))
    <!-- kills -->
    <BLANKLINE>
    new
    <BLANKLINE>
    <!-- end -->
    """
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"there are no marks for {name}: write <!-- {name} --> and <!-- end -->")
    return pattern.sub(lambda found: f"{found[1]}\n{table}\n{found[2]}", page, count=1)


def main() -> None:
    """Fill in each table whose results are there."""
    path = DOCS / "reliability.md"
    page = path.read_text()
    for name in NAMES:
        results = DOCS / "reliability" / f"{name}.json"
        if results.is_file():
            page = filled(page, name, markdown(json.loads(results.read_text())))
    path.write_text(page)


if __name__ == "__main__":
    main()
