"""Serve a run over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyro_gmvae.errors import InputError
from pyro_gmvae.serving.http.limits import Limits
from pyro_gmvae.serving.http.server import serve

__all__ = ["TOKEN_VARIABLE", "serve_run", "token_of"]

TOKEN_VARIABLE = "PYRO_GMVAE_TOKEN"


def token_of(file: str | os.PathLike[str] | None) -> str | None:
    """Read the token from the first line of a file, or else from the environment; None for none.

    A token is no option of the command, for other users of a machine see the options.

    Raises:
        InputError: for a file without a token.

    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "token")
    ...     _ = file.write_text("correct horse battery")
    ...     token_of(file)
    'correct horse battery'
    """
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or not lines[0].strip():
        raise InputError(f"{os.fspath(file)} has no token in its first line: write one there")
    return lines[0].strip()


def serve_run(
    run: str | os.PathLike[str], *, token_file: str | None = None, limits: Limits, **options: Any
) -> None:
    """Answer requests until a signal ends the process; see `pyro_gmvae.serving.http.serve`.

    Args:
        run: the folder of a run.
        token_file: the file of the token; None takes the environment.
        limits: the limits of requests.
        options: options of `pyro_gmvae.serving.http.serve`.

    Raises:
        InputError: as `token_of` and `pyro_gmvae.serving.http.serve`.

    >>> serve_run("runs/a", token_file=None, limits=Limits(), host="0.0.0.0")
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: 0.0.0.0 is reached from other machines: set a token, or listen ...
    """
    serve(run, token=token_of(token_file), limits=limits, **options)
