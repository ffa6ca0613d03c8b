"""Write a run in a format that other programs read."""

from __future__ import annotations

import os
from importlib import import_module
from inspect import signature
from typing import Any, NamedTuple

from pyro_gmvae.errors import InputError

__all__ = ["FORMATS", "Format", "export_run"]


class Format(NamedTuple):
    """Say who writes a format.

    Attributes:
        module: the module that writes it, imported when it is asked for.
        function: takes the run, the path to write, and options by their names.
        writes: what is written, for the help.

    >>> FORMATS["onnx"].module.rpartition(".")[2], FORMATS["onnx"].function
    ('onnx', 'save_onnx')
    """

    module: str
    function: str
    writes: str


FORMATS = {
    "mlflow": Format(
        "pyro_gmvae.serving.mlflow", "save_mlflow", "a folder for mlflow.pyfunc.load_model"
    ),
    "onnx": Format(
        "pyro_gmvae.serving.onnx", "save_onnx", "a graph from raw columns, for onnxruntime"
    ),
}


def export_run(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    format: str,
    **options: Any,
) -> None:
    """Write a run in a format of `FORMATS`.

    Args:
        run: the folder of the run.
        out: the file or folder to write.
        format: the name of the format.
        options: options of the format's function; None and False are as if they were left out.

    Raises:
        InputError: for an unknown format, a run that cannot be read, a path that cannot be written,
            options that the format does not have, or a library that is not installed.

    >>> export_run("runs/a", "a.pmml", "pmml")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: there is no format 'pmml': choose from mlflow, onnx
    """
    if format not in FORMATS:
        raise InputError(f"there is no format {format!r}: choose from {', '.join(FORMATS)}")
    found = FORMATS[format]
    write = getattr(import_module(found.module), found.function)
    given = {name: value for name, value in options.items() if value not in (None, False)}
    for name in given.keys() - signature(write).parameters.keys():
        shown = name.replace("_", "-")
        raise InputError(f"the format {format} has no option {shown}: leave it out")
    write(run, out, **given)
