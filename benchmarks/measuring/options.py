"""Parse the options that all benchmarks have, and the types that several share."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting import defaults

__all__ = ["Argv", "Parser", "at_least", "hidden_sizes", "seeds_of"]

Argv = Sequence[str]


class Parser(argparse.ArgumentParser):
    """Parse the options of one benchmark, with other defaults at another size.

    Args:
        name: the benchmark's.
        doc: the benchmark's docstring; its first line is the description.
        small: the defaults that ``--small`` changes.
        full: the defaults that ``--full`` changes.
    """

    def __init__(
        self,
        name: str,
        doc: str | None,
        *,
        small: Mapping[str, Any] = {},
        full: Mapping[str, Any] = {},
    ) -> None:
        description = (doc or "").splitlines()[0]
        super().__init__(prog=f"python -m benchmarks {name}", description=description)
        self.sizes = {"small": small, "full": full, "default": {}}
        size = self.add_mutually_exclusive_group()
        for flag, words in (("small", "the least that runs"), ("full", "everything, in hours")):
            size.add_argument(
                f"--{flag}", dest="size", action="store_const", const=flag, help=words
            )
        self.set_defaults(size="default")
        self.add_argument("--out", type=Path, help="JSON file to write")
        self.add_argument("--seed", type=int, default=0, help="first seed of all that is drawn")
        self.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
        self.add_argument(
            "--threads", type=at_least(1), help="threads of torch; default: torch's own choice"
        )
        self.add_argument("--quiet", action="store_true", help="print nothing")
        self.add_argument("--json", action="store_true", help="print the JSON, not the table")

    def error(self, message: str) -> NoReturn:
        """Raise what a benchmark's other mistakes of input raise."""
        raise InputError(message)

    def read(self, argv: Argv) -> argparse.Namespace:
        """Parse with the defaults of the size asked for, and replace ``--device auto``.

        Raises:
            InputError: for an argument that is not possible.
        """
        self.set_defaults(**self.sizes[self.parse_known_args(argv)[0].size])
        arguments = self.parse_args(argv)
        arguments.device = defaults.device(arguments.device)
        if arguments.threads is not None:
            torch.set_num_threads(arguments.threads)
        return arguments


def at_least(least: int) -> Callable[[str], int]:
    """Return the type of an option that is a whole number of at least ``least``."""

    def number(text: str) -> int:
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least {least}")
        return int(text)

    return number


def hidden_sizes(text: str) -> tuple[int, ...]:
    """Read ``"512,512"`` as the sizes of hidden layers."""
    sizes = text.split(",")
    if not all(size.isdigit() and int(size) > 0 for size in sizes):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of sizes such as 512,512")
    return tuple(map(int, sizes))


def seeds_of(arguments: argparse.Namespace) -> range:
    """Return the ``--seeds`` seeds from ``--seed`` on."""
    return range(arguments.seed, arguments.seed + arguments.seeds)
