"""Report errors to the user by one line, and to scripts by an exit code.

The code is 2 for what the user can correct (`InputError`, a path), 1 for a failure of the training
or the system, and 128 + n for the signal n, such as 130 for Ctrl-C.
"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from pyro_gmvae.errors import InputError, SignalReceived
from pyro_gmvae.visible import visible
from pyro_gmvae_cli.failures import (
    is_failure,
    is_user_path,
    lacks_memory,
    memory_words,
    system_words,
)
from pyro_gmvae_cli.terminal import say

__all__ = ["Command", "Failure", "reported", "training_errors"]

# The sections of the help, in its order.
SECTIONS = ("First steps", "Data", "Model", "Clusters", "Training", "Hardware", "Output", "Options")
BAD_INPUT, FAILED, SIGNALLED = 2, 1, 128


class Failure(click.ClickException):
    """Print one line on standard error, and lines that say how to go on; end with an exit code."""

    def __init__(self, message: str, exit_code: int, *then: str) -> None:
        super().__init__("\n".join(map(visible, [message, *then])))
        self.exit_code = exit_code  # type: ignore[misc]


class Command(click.Command):
    """Report an error of input by one line and exit code 2, and show the help in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options section by section."""
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in SECTIONS}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and not isinstance(param, click.Argument):
                sections.setdefault(getattr(param, "section", "Options"), []).append(record)
        for name, records in sections.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if any("\0" in each for each in args):
            raise click.UsageError("an argument holds the character NUL: leave it out", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        place = ctx.params.get("output") or ctx.params.get("out") or "standard output"
        with reported(ctx.params, place), _plain_warnings():
            return super().invoke(ctx)


@contextmanager
def reported(options: dict[str, Any], place: str = "standard output") -> Iterator[None]:
    """Turn errors that are no faults of this program into one line and an exit code.

    Args:
        options: those of the command.
        place: where it writes to; an error of the system that has no name is there.
    """
    try:
        yield
    except click.UsageError as error:
        error.message = visible(error.message)  # type: ignore[misc]
        raise
    except BrokenPipeError:
        raise  # the reader has seen enough, and click ends quietly
    except KeyboardInterrupt as error:
        raise Failure(str(error) or "interrupted", exit_code(error)) from error
    except (InputError, OSError, MemoryError, RuntimeError, ImportError, ValueError) as error:
        told = _told(error, options, place)
        if told is None:
            raise
        message, code = told
        # Advice to resume is not for one who has to correct the input first.
        notes = getattr(error, "__notes__", ()) if code == FAILED else ()
        raise Failure(message, code, *notes) from error


def _told(error: Exception, options: dict[str, Any], place: str) -> tuple[str, int] | None:
    """Return the words and the exit code, or None for a fault of this program."""
    if lacks_memory(error) or lacks_memory(error.__cause__):
        return memory_words(options), FAILED
    if isinstance(error, InputError):
        cause = error.__cause__
        failed = isinstance(cause, OSError) and is_failure(cause)
        return str(error), FAILED if failed else BAD_INPUT
    if isinstance(error, OSError):
        return system_words(error, place), BAD_INPUT if is_user_path(error) else FAILED
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return "a path holds the character NUL: name another", BAD_INPUT
    return None


def exit_code(error: KeyboardInterrupt) -> int:
    """Return the exit code that a shell expects of a program that a signal ended."""
    return SIGNALLED + (error.number if isinstance(error, SignalReceived) else signal.SIGINT)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print the library's warnings as one line each, once, without the place in the code."""
    with warnings.catch_warnings():
        others = warnings.showwarning
        # Python forgets what it has shown whenever a library changes the filters.
        said: set[str] = set()

        def show(message: Any, category: Any, *where: Any, **more: Any) -> None:
            if issubclass(category, RuntimeWarning):
                if str(message) not in said:
                    said.add(str(message))
                    say(f"Warning: {message}", err=True)
            else:
                others(message, category, *where, **more)

        warnings.showwarning = show
        yield


@contextmanager
def training_errors(how_to_go_on: Callable[[KeyboardInterrupt], str]) -> Iterator[None]:
    """Report the errors that end a training before its time.

    Args:
        how_to_go_on: gives the line that says so, after an interruption.
    """
    from pyro_gmvae.inference import CaptureError
    from pyro_gmvae.training import NonFiniteLossError

    try:
        yield
    except KeyboardInterrupt as error:
        words = f"{str(error) or 'interrupted'}."
        raise Failure(words, exit_code(error), how_to_go_on(error)) from error
    except NonFiniteLossError as error:
        raise Failure(str(error), FAILED) from error
    except CaptureError as error:
        if lacks_memory(error):
            raise
        message = f"this training cannot be compiled: {error}"
        raise Failure(message, BAD_INPUT, "Use --compile off.") from error
