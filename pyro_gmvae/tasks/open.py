"""A run from its folder, ready on a device."""

from __future__ import annotations

import os

from pyro_gmvae.runs import Run, load_run
from pyro_gmvae.training.device import make_accelerator

__all__ = ["open_run"]


def open_run(folder: str | os.PathLike[str], device: str = "auto") -> Run:
    """Load a run and put its model on ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: for a run that cannot be read, or a device that is not there.
    """
    where = make_accelerator(device).device
    run = load_run(folder)
    run.gmvae.to(where)
    run.preprocessor.to(where)
    return run
