"""What a test must leave as it found it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyro
import torch


def _read() -> dict[str, Any]:
    return {
        "dtype": torch.get_default_dtype(),
        "grad_mode": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "num_threads": torch.get_num_threads(),
        "pyro.settings": pyro.settings.get(),
    }


def _restore(state: dict[str, Any]) -> None:
    torch.set_default_dtype(state["dtype"])
    torch.set_grad_enabled(state["grad_mode"])
    torch.use_deterministic_algorithms(state["deterministic"])
    torch.set_num_threads(state["num_threads"])
    pyro.settings.set(**state["pyro.settings"])


@contextmanager
def unchanged_global_state() -> Iterator[None]:
    """Restore the global state of torch and Pyro, and fail if it had been changed."""
    before = _read()
    yield
    after = _read()
    _restore(before)
    changed = {name: (before[name], after[name]) for name in before if after[name] != before[name]}
    assert not changed, f"global state was left changed, (before, after): {changed}"
