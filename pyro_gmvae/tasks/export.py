"""Write a run in a format that other programs read."""

from __future__ import annotations

import os
from importlib import import_module
from typing import NamedTuple

from pyro_gmvae.errors import InputError

__all__ = ["FORMATS", "Format", "export_run"]


class Format(NamedTuple):
    """Say who writes a format.

    Attributes:
        module: the module that writes it, imported when it is asked for.
        function: takes the run, the path to write, ``density`` and ``reject``.
        writes: what is written, for the help.
    """

    module: str
    function: str
    writes: str


FORMATS = {
    "mlflow": Format(
        "pyro_gmvae.serving.mlflow", "save_mlflow", "a folder for mlflow.pyfunc.load_model"
    ),
}


def export_run(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    format: str,
    *,
    density: bool = False,
    reject: float | None = None,
) -> None:
    """Write a run in a format of `FORMATS`.

    Args:
        run: the folder of the run.
        out: the file or folder to write.
        format: the name of the format.
        density: whether the exported model gives log p(x) as well.
        reject: the share of rows like those of training that it rejects; None rejects none.

    Raises:
        InputError: for an unknown format, a run that cannot be read, a path that cannot be written,
            options that the format does not have, or a library that is not installed.

    >>> export_run("runs/a", "a.pmml", "pmml")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: there is no format 'pmml': choose from mlflow
    """
    if format not in FORMATS:
        raise InputError(f"there is no format {format!r}: choose from {', '.join(FORMATS)}")
    found = FORMATS[format]
    getattr(import_module(found.module), found.function)(run, out, density=density, reject=reject)
