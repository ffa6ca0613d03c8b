"""Print on the terminal; whatever a command says goes through here.

Names of files, columns and classes come from strangers. None of their characters may steer the
terminal, and none that a stream cannot hold may end a command.
"""

from __future__ import annotations

import codecs
import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pyro_gmvae.visible import visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["command_line", "prepare_streams", "say", "say_json", "settle_streams", "show", "warn"]

# How a stream writes what its encoding does not have.
IN_PLACE_OF = {"±": "+/-", "…": "..."}
ERRORS = "pyro_gmvae_cli.terminal"


def _in_place_of(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeEncodeError):
        character = error.object[error.start]
        if character in IN_PLACE_OF:
            return IN_PLACE_OF[character], error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error(ERRORS, _in_place_of)


def prepare_streams() -> None:
    """Make the standard streams take every character, and closed ones take nothing.

    Otherwise the next file that is opened would become a closed stream, and hold what is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (open until the process ends)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ERRORS)


def settle_streams() -> None:
    """Drop what a stream could not write, so that Python does not complain again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def say(message: str, *, err: bool = False) -> None:
    """Print a line."""
    with _named(err):
        click.echo(visible(message), err=err)


def say_json(value: dict[str, Any]) -> None:
    """Print one JSON object, which has only ASCII."""
    with _named(False):
        click.echo(json.dumps(value))


def warn(message: str | None) -> None:
    """Print a warning on standard error, if there is one."""
    if message is not None:
        from rich.text import Text

        show(Text.assemble(("Warning:", "yellow"), " ", visible(message)), err=True)


def show(*parts: RenderableType, err: bool = False) -> None:
    """Print rich's tables and texts; square brackets and colons in them are only that."""
    with _named(err):
        _console(err).print(*parts)


def command_line(words: Sequence[str]) -> str:
    r"""Write a command so that a shell reads the same words again, on a single visible line.

    >>> command_line(["train", "my data.csv", "a\x1b"])
    "train 'my data.csv' $'a\\033'"
    """
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if visible(word) == word:
        return shlex.quote(word)
    # The form $'...' of bash and zsh takes bytes by their octal numbers.
    kept = (c if visible(c) == c and c not in "\\'" else _octal(c) for c in word)
    return f"$'{''.join(kept)}'"


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))


def _console(err: bool) -> Console:
    from rich.console import Console

    return Console(stderr=err, markup=False, emoji=False, highlight=False)


@contextmanager
def _named(err: bool) -> Iterator[None]:
    """Name the stream in an error of the system."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or ("standard error" if err else "standard output")
        raise
