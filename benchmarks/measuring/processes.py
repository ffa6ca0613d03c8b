"""Start a part of a benchmark as a process of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["PROGRAM", "environment"]

CLONE = Path(__file__).parents[2]
PROGRAM = "from pyro_gmvae_cli.main import main; main()"  # what `pyro-gmvae` runs, for python -c


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment, in which ``python -m benchmarks`` works in any folder."""
    path = os.pathsep.join(filter(None, [str(CLONE), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path} | dict(more or {})
