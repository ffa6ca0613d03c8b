"""The tables say what the cases were, and go into the page."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest

from tests.robustness import damage, fuzz, mutations, outcomes, tables
from tests.robustness.outcomes import Outcome, markdown, summary, write

GOOD = Outcome(0, "x.csv", "refused", (), "truncated", 0.1)
BAD = Outcome(1, "x.csv", "error", ("KeyError",), "spliced", 0.1)
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_the_tables() -> None:
    lines = markdown(summary([GOOD, BAD], "fuzz --n 2")).splitlines()
    assert lines[0] == "`fuzz --n 2`: 2 cases, 1 with a fault."
    assert "| x.csv | 1 | 1 |" in lines
    assert "| x.csv | KeyError | 1 | 1 |" in lines


def test_a_fault_is_a_failure(tmp_path: Path) -> None:
    assert write([GOOD], "fuzz --n 1", None) == 0
    path = tmp_path / "new" / "fuzz.json"
    assert write([GOOD, BAD], "fuzz --n 2", path) == 1
    written = json.loads(path.read_text())
    assert written["counts"] == {"x.csv": {"refused": 1, "error": 1}}
    assert [fault["index"] for fault in written["faults"]] == [1]


@pytest.mark.parametrize("name", tables.NAMES)
def test_the_page_has_a_place_for_each_table(name: str) -> None:
    page = tables.filled(PAGE.read_text(), name, "the table\n")
    assert "\nthe table\n" in page
    assert tables.filled(page, name, "the table\n") == page
    with pytest.raises(ValueError, match="no marks for other"):
        tables.filled(page, "other", "")


@pytest.mark.parametrize("module", [damage, fuzz, mutations, outcomes, tables])
def test_the_examples_run(module: object) -> None:
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)  # type: ignore[arg-type]
    assert found.attempted > 0 and found.failed == 0
