"""What the benchmarks share around their measurement: options, a table as it grows, a JSON file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from benchmarks.machine import describe
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole

__all__ = ["Parser", "Report", "at_least", "script", "write_json"]

Argv = Sequence[str] | None


class Parser(argparse.ArgumentParser):
    """The options of one benchmark, with other defaults at another size.

    Args:
        doc: the benchmark's docstring; its first line is the description.
        small, full: the defaults that ``--small`` and ``--full`` change.
    """

    def __init__(
        self, doc: str | None, *, small: Mapping[str, Any] = {}, full: Mapping[str, Any] = {}
    ) -> None:
        super().__init__(description=(doc or "").splitlines()[0])
        self.sizes = {"small": small, "full": full, "default": {}}
        size = self.add_mutually_exclusive_group()
        for name, words in (("small", "the least that runs"), ("full", "everything, in hours")):
            size.add_argument(
                f"--{name}", dest="size", action="store_const", const=name, help=words
            )
        self.set_defaults(size="default")
        self.add_argument("--out", type=Path, help="JSON file to write, row by row")
        self.add_argument("--seed", type=int, default=0)
        self.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
        self.add_argument("--threads", type=at_least(1), help="of torch; default: its own choice")
        self.add_argument("--quiet", action="store_true", help="print nothing")
        self.add_argument("--json", action="store_true", help="print the JSON, not the table")

    def error(self, message: str) -> NoReturn:
        raise InputError(message)

    def read(self, argv: Argv) -> argparse.Namespace:
        """Parse, with the defaults of the size that was asked for and ``device`` found.

        Raises:
            InputError: for an argument that cannot be.
        """
        self.set_defaults(**self.sizes[self.parse_known_args(argv)[0].size])
        arguments = self.parse_args(argv)
        has_cuda = torch.cuda.is_available()
        if arguments.device == "cuda" and not has_cuda:
            raise InputError("this machine has no CUDA device: use --device cpu or auto")
        if arguments.device == "auto":
            arguments.device = "cuda" if has_cuda else "cpu"
        if arguments.threads is not None:
            torch.set_num_threads(arguments.threads)
        return arguments


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that is such a number."""

    def number(text: str) -> int:
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least {least}")
        return int(text)

    return number


class Report:
    """A benchmark's rows: printed, and kept on disk as they come.

    Args:
        name: the benchmark's.
        arguments: what `Parser.read` gave.
    """

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        settings = {
            key: str(value) if isinstance(value, Path) else value
            for key, value in vars(arguments).items()
            if key not in ("out", "quiet", "json", "data_dir")
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
        """One result."""
        self.values["results"].append(row)
        self._write()

    def set(self, **values: Any) -> None:
        """What is found beside the results."""
        self.values |= values
        self._write()

    def say(self, line: str = "") -> None:
        """A line for people."""
        if self.prints:
            print(line, flush=True)

    def header(self, *columns: str) -> None:
        """Begin a table."""
        self._widths = [max(len(column), 8) for column in columns]
        self.line(*columns)

    def line(self, *cells: object) -> None:
        """A line of the table; None is n/a."""
        texts = ["n/a" if cell is None else str(cell) for cell in cells]
        first, *rest = zip(texts, self._widths, strict=True)
        self.say("  ".join([first[0].ljust(first[1]), *(t.rjust(w) for t, w in rest)]))

    def close(self) -> None:
        """Say where everything is."""
        if self.as_json:
            print(json.dumps(self.values))
        elif self.out is not None:
            self.say(f"Written to {self.out}.")

    def _write(self) -> None:
        if self.out is not None:
            write_json(self.out, self.values)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """A result's file, whole or not at all, in a folder that is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text(json.dumps(values, indent=2) + "\n")


def script(main: Callable[[], None]) -> None:
    """Run ``main``; a mistake of the user's is one line and exit code 2."""
    try:
        main()
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
