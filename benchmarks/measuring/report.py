"""Print a benchmark's table as it grows, and keep its figures in a JSON file."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measuring.machine import describe
from pyro_gmvae.files import written_whole

__all__ = ["Report", "write_json"]

# Options that say where files are and what is printed, not what is measured.
UNREPORTED = ("out", "quiet", "json", "data_dir", "folder", "cells")


class Report:
    """Print the figures of a benchmark and write them to ``--out`` as they come.

    Args:
        name: the benchmark's.
        arguments: what `Parser.read` returned.

    Attributes:
        values: all that the JSON file holds.
        prints: whether lines are printed.
    """

    def __init__(self, name: str, arguments: Namespace) -> None:
        settings = {
            key: str(value) if isinstance(value, Path) else value
            for key, value in vars(arguments).items()
            if key not in UNREPORTED
        }
        self.values: dict[str, Any] = {
            "benchmark": name,
            "machine": describe(),
            "settings": settings,
            "results": [],
        }
        self.out: Path | None = arguments.out
        self.prints = not (arguments.quiet or arguments.json)
        self.as_json: bool = arguments.json
        self._widths: list[int] = []

    def add(self, **row: Any) -> None:
        """Add one result."""
        self.values["results"].append(row)
        self._write()

    def set(self, **values: Any) -> None:
        """Set figures that stand beside the results."""
        self.values |= values
        self._write()

    def say(self, line: str = "") -> None:
        """Print a line, unless the user asked for silence or for JSON."""
        if self.prints:
            print(line, flush=True)

    def header(self, *columns: str) -> None:
        """Begin a table, each column as wide as its head."""
        self._widths = [max(len(column), 8) for column in columns]
        self.line(*columns)

    def line(self, *cells: object) -> None:
        """Print a row of the table; None is shown as n/a."""
        texts = ["n/a" if cell is None else str(cell) for cell in cells]
        first, *rest = zip(texts, self._widths, strict=True)
        self.say("  ".join([first[0].ljust(first[1]), *(t.rjust(w) for t, w in rest)]))

    def close(self) -> None:
        """Print the JSON if it was asked for, else where the file is."""
        if self.as_json:
            print(json.dumps(self.values))
        elif self.out is not None:
            self.say(f"Written to {self.out}.")

    def _write(self) -> None:
        if self.out is not None:
            write_json(self.out, self.values)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a file whole or not at all, and make its folder if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n")
