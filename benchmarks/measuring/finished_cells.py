"""Keep each finished part of a long benchmark in a file, so that a broken run can go on."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyro_gmvae.errors import InputError

__all__ = ["add_cells_option", "cells_folder", "finished"]

RESULTS = Path(__file__).parents[1] / "results"


def add_cells_option(parser: ArgumentParser) -> None:
    """Add the option that `cells_folder` reads."""
    parser.add_argument(
        "--cells",
        type=Path,
        metavar="FOLDER",
        help="folder of the finished trainings, from which the same command goes on; "
        "default: cells/NAME beside --out NAME.json",
    )


def cells_folder(name: str, arguments: Namespace) -> Path:
    """Return the folder of ``--cells``, or the one that belongs to ``--out``.

    Without either it is a folder of this clone that git ignores.
    """
    if arguments.cells is not None:
        return Path(arguments.cells)
    out = RESULTS / name if arguments.out is None else Path(arguments.out)
    return out.parent / "cells" / out.stem


def finished(path: Path, expected: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read what an earlier run found; None if there is no such file.

    Args:
        path: the cell's file.
        expected: entries that the file must have for it to be of the same training.

    Raises:
        InputError: if the file is of a training with other settings.
    """
    if not path.is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_text())
    if any(result.get(name) != value for name, value in expected.items()):
        raise InputError(f"{path} has other settings: name another folder by --cells")
    return result
