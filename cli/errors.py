"""How errors reach the user: one line, and an exit code that a script can read.

2 is for what the user can mend (`InputError`), 1 for a training that failed, 130 for one that was
interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from pyro_gmvae.errors import InputError

__all__ = ["Command", "training_errors"]

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130


class Failure(click.ClickException):
    """One line on standard error, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]


class Command(click.Command):
    """A command whose errors of input become one line and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise Failure(str(error), BAD_INPUT) from error
        except PermissionError as error:
            raise Failure(f"{error.filename}: {error.strerror}", BAD_INPUT) from error
        except KeyboardInterrupt as error:
            raise Failure("interrupted", INTERRUPTED) from error


@contextmanager
def training_errors(resume_command: str) -> Iterator[None]:
    """Words for how a training may end before its time."""
    from pyro_gmvae.training import NonFiniteLossError, TrainingInterrupted

    try:
        yield
    except TrainingInterrupted as error:
        message = f"{error}.\nContinue it with: {resume_command}"
        raise Failure(message, INTERRUPTED) from error
    except NonFiniteLossError as error:
        raise Failure(str(error), FAILED) from error
