"""Record work on a GPU once and replay it, which saves the cost of launching each kernel."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from pyro_gmvae.inference.capture import CaptureError

__all__ = ["Recording", "own_stream"]

WARM_UP = 3  # calls before the recording, in which libraries initialise themselves


class Recording:
    """Turn a function of tensors that returns nothing into a CUDA graph.

    The first three calls run the function itself, and the next call records it. From then on the
    inputs are copied into the recorded inputs and the kernels are replayed. The function must
    change tensors in place and may not read a value back. Each replay makes fresh draws, the same
    that the function itself would make. Call it within `own_stream`, where the function's tensors
    have to be made too.

    Args:
        function: what to run; its inputs have the same shapes in every call.
        device: a CUDA device.

    >>> total = torch.zeros(2)
    >>> def add(x):
    ...     total.add_(x)
    >>> step = Recording(add, torch.device("cuda"))
    >>> for _ in range(3):  # the first three calls need no GPU
    ...     step(torch.ones(2))
    >>> total
    tensor([3., 3.])
    """

    def __init__(self, function: Callable[..., None], device: torch.device) -> None:
        self.function = function
        self.device = device
        self.places: list[Tensor | None] = []
        self.graph: torch.cuda.CUDAGraph | None = None
        self._calls = 0

    def __call__(self, *inputs: Tensor | None) -> None:
        """Run the function, or replay it.

        Raises:
            CaptureError: if the function cannot be recorded; then this call has had no effect.
        """
        if self._calls < WARM_UP:
            self._calls += 1
            self.function(*inputs)
            return
        if self.graph is None:
            self.graph = self._record(*inputs)
        for place, value in zip(self.places, inputs, strict=True):
            if place is not None and value is not None:
                place.copy_(value)
        self.graph.replay()

    def _record(self, *inputs: Tensor | None) -> torch.cuda.CUDAGraph:
        self.places = [None if value is None else value.clone() for value in inputs]
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self.device)
        gc.collect()  # else an earlier graph in a reference cycle may be freed while this records
        with (
            _draws_restored(self.device),
            _own_workspaces(),
            torch.cuda.graph(graph, stream=stream),
        ):
            self.function(*self.places)
        return graph


@contextmanager
def own_stream(device: torch.device, *, wanted: bool = True) -> Iterator[None]:
    """Use a CUDA stream of its own, on which a `Recording` is possible.

    The default stream cannot be recorded. Autograd computes each gradient on the stream where its
    parameter was first used, so a whole training has to run on one stream.

    Args:
        device: a CUDA device.
        wanted: False changes nothing.

    >>> with own_stream(torch.device("cpu"), wanted=False):
    ...     torch.ones(2).sum()
    tensor(2.)
    """
    if not wanted:
        yield
        return
    outside, stream = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    stream.wait_stream(outside)
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        outside.wait_stream(stream)


@contextmanager
def _own_workspaces() -> Iterator[None]:
    """Let the matrix products of a graph allocate their workspaces in the graph's own memory.

    Torch frees other workspaces while the graph still uses them, when its compiler records CUDA
    graphs of its own.
    """
    torch._C._cuda_clearCublasWorkspaces()
    try:
        yield
    finally:
        torch._C._cuda_clearCublasWorkspaces()


@contextmanager
def _draws_restored(device: torch.device) -> Iterator[None]:
    """Turn a failure into a `CaptureError` and make the generator usable again."""
    index = torch.cuda.current_device() if device.index is None else device.index
    generator = torch.cuda.default_generators[index]
    before = generator.get_state()
    try:
        yield
    except RuntimeError as error:
        # Without this the generator would go on waiting for the end of the recording.
        generator.graphsafe_set_state(torch.Generator(device).graphsafe_get_state())
        generator.set_state(before)
        first = _first_of(error)
        reason = str(first).splitlines()[0]
        raise CaptureError(f"a step cannot be recorded as a CUDA graph: {reason}") from error


def _first_of(error: BaseException) -> BaseException:
    """Return the first error, because ending the recording raises another one."""
    while error.__context__ is not None:
        error = error.__context__
    return error
