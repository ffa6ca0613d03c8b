"""Run a function as if it were alone in its process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import pyro
import torch
from pyro.poutine import runtime

from pyro_gmvae.process.turns import turn

__all__ = ["alone"]

P = ParamSpec("P")
R = TypeVar("R")


def alone(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that neither other threads nor the caller's contexts reach it.

    Calls from several threads take turns (see `pyro_gmvae.process.turns.turn`). Within a call
    gradients are recorded, torch is in no inference mode and under no autocast, tensors are made on
    the CPU unless a device is named, and no handler of Pyro is open. What the call itself then sets
    also holds in the calls that it makes. Afterwards everything is as the caller had it, Pyro's
    settings included.

    Args:
        function: any function but a generator, whose body would run outside of the call.

    >>> @alone
    ... def makes_gradients():
    ...     return torch.is_grad_enabled()
    >>> with torch.inference_mode():
    ...     makes_gradients(), torch.is_grad_enabled()
    (True, False)
    """

    @wraps(function)
    def in_turn(*args: P.args, **kwargs: P.kwargs) -> R:
        # The lock itself is the context, so that Ctrl-C can never leave it taken.
        with turn(), _nothing_else():
            return function(*args, **kwargs)

    return in_turn


@contextmanager
def _nothing_else() -> Iterator[None]:
    """Leave the caller's contexts; those that a call has opened itself reach its own calls."""
    if _call is not None:
        yield
        return
    with _plain_torch(), _plain_pyro():
        yield


@contextmanager
def _plain_torch() -> Iterator[None]:
    """Leave the caller's modes and default device, which belong to its thread."""
    with ExitStack() as stack:
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(torch.inference_mode(False))  # records gradients too
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def _plain_pyro() -> Iterator[None]:
    """Close the handlers that are open, and open them again at the end."""
    global _call
    before = _PyroState.now()
    try:
        _call = _Call(threading.get_ident(), before)
        _PyroState([], [], {}, before.settings).put_back()
        yield
    finally:
        before.put_back()
        _call = None


@dataclass(frozen=True)
class _PyroState:
    """Hold what Pyro keeps once for a process, except the values of parameters."""

    handlers: list[Any]
    plates: list[Any]  # the dimensions that open plates have taken
    enumerated: dict[str, Any]  # the dimensions that enumerated sites have taken
    settings: dict[str, Any]

    @classmethod
    def now(cls) -> _PyroState:
        return cls(
            list(runtime._PYRO_STACK),
            list(runtime._DIM_ALLOCATOR._stack),
            dict(vars(runtime._ENUM_ALLOCATOR)),
            pyro.settings.get(),
        )

    def put_back(self) -> None:
        runtime._PYRO_STACK[:] = self.handlers
        runtime._DIM_ALLOCATOR._stack[:] = self.plates
        vars(runtime._ENUM_ALLOCATOR).clear()
        vars(runtime._ENUM_ALLOCATOR).update(self.enumerated)
        pyro.settings.set(**self.settings)


@dataclass(frozen=True)
class _Call:
    """Hold the thread of the call that is running, and the state that it found."""

    thread: int
    before: _PyroState


_call: _Call | None = None


def _forget_lost_call() -> None:
    """Undo in a forked process what a call of a thread that is not there has changed."""
    global _call
    if _call is not None and _call.thread != threading.get_ident():
        _call.before.put_back()
        _call = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lost_call)
