"""Keep a fitted model as a run folder: files that are data, not code."""

from pyro_gmvae.runs.contents import checkpoint_path
from pyro_gmvae.runs.folder import clear, open_run_folder
from pyro_gmvae.runs.store import load, read_training, replace_run, save_run, write_training

__all__ = [
    "checkpoint_path",
    "clear",
    "load",
    "open_run_folder",
    "read_training",
    "replace_run",
    "save_run",
    "write_training",
]
