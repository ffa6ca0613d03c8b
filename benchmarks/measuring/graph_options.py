"""Compile graphs for a CPU without some of the library's options."""

from __future__ import annotations

from contextlib import AbstractContextManager
from unittest.mock import patch

from pyro_gmvae.inference import capture

__all__ = ["without_cpu_options"]


def without_cpu_options(*names: str) -> AbstractContextManager[object]:
    """Leave out these options of the compiler, and keep the others.

    >>> with without_cpu_options("cpp_wrapper"):
    ...     "cpp_wrapper" in capture.CPU_OPTIONS, "fallback_random" in capture.CPU_OPTIONS
    (False, True)
    """
    kept = {name: value for name, value in capture.CPU_OPTIONS.items() if name not in names}
    return patch.object(capture, "CPU_OPTIONS", kept)
