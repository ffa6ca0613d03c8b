"""Report errors to the user by one line, and to scripts by an exit code.

The code is 2 for input that the user can correct (`InputError`), 1 for a training that failed, and
130 for a training that was interrupted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from pyro_gmvae.errors import InputError

__all__ = ["Command", "training_errors"]

# The sections of the help, in its order.
SECTIONS = ("First steps", "Data", "Model", "Clusters", "Training", "Hardware", "Output", "Options")
BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130


class Failure(click.ClickException):
    """Print one line on standard error, and end with an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
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

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _plain_warnings():
                return super().invoke(ctx)
        except InputError as error:
            raise Failure(str(error), BAD_INPUT) from error
        except PermissionError as error:
            raise Failure(f"{error.filename}: {error.strerror}", BAD_INPUT) from error
        except KeyboardInterrupt as error:
            raise Failure("interrupted", INTERRUPTED) from error


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print the library's warnings as one line each, without the place in the code."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Any, category: Any, *where: Any, **more: Any) -> None:
            if issubclass(category, RuntimeWarning):
                click.echo(f"Warning: {message}", err=True)
            else:
                others(message, category, *where, **more)

        warnings.showwarning = show
        yield


@contextmanager
def training_errors(resume_command: str) -> Iterator[None]:
    """Report the errors that end a training before its time."""
    from pyro_gmvae.inference import CaptureError
    from pyro_gmvae.training import NonFiniteLossError, TrainingInterrupted

    try:
        yield
    except TrainingInterrupted as error:
        message = f"{error}.\nContinue it with: {resume_command}"
        raise Failure(message, INTERRUPTED) from error
    except NonFiniteLossError as error:
        raise Failure(str(error), FAILED) from error
    except CaptureError as error:
        message = f"this training cannot be compiled: {error}\nUse --compile off."
        raise Failure(message, BAD_INPUT) from error
