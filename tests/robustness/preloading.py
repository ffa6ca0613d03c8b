"""Get a process ready to fork many times."""

from __future__ import annotations

import gc
import importlib
import pkgutil

import matplotlib
import torch

import pyro_gmvae
import pyro_gmvae_cli

__all__ = ["preload"]

# What the package and its libraries import late.
LATE = (
    "pandas",
    "pyarrow.parquet",
    "sklearn.datasets",
    "PIL.PngImagePlugin",
    "PIL.JpegImagePlugin",
)


def preload() -> None:
    """Import what work would import late, so that no child has to, and compute in one thread."""
    matplotlib.use("Agg")
    torch.set_num_threads(1)
    for package in (pyro_gmvae, pyro_gmvae_cli):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in ("matplotlib.pyplot", *LATE):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page
