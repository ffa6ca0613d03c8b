"""Work on a GPU recorded once and replayed, without the cost of starting each of its kernels."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from pyro_gmvae.inference.capture import CaptureError

__all__ = ["Recording", "own_stream"]

WARM_UP = 3  # calls before the recording, in which libraries set themselves up


class Recording:
    """A function of tensors, which returns nothing, as a CUDA graph.

    Its first calls run as they are; the next is recorded, and from then on the inputs are copied
    to where they were then and the kernels replayed. What the function keeps it has to keep in
    place, and it may read nothing back. Draws are fresh in each replay, and those that the function
    would make by itself. To be called within `own_stream`, as all that led to the function's
    tensors.

    Args:
        function: what to run; its inputs have the same shapes in every call.
        device: a CUDA device.
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
            CaptureError: if it does what cannot be recorded; none of this call has been done then.
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
        gc.collect()  # or an earlier graph, in a cycle, may be taken down while this one is taken
        with (
            _draws_restored(self.device),
            _own_workspaces(),
            torch.cuda.graph(graph, stream=stream),
        ):
            self.function(*self.places)
        return graph


@contextmanager
def own_stream(device: torch.device, *, wanted: bool = True) -> Iterator[None]:
    """Where a `Recording` is possible: on a stream that is not the default one.

    Autograd sends each gradient to the stream its parameter was first used on; so all of a training
    has to be on one.
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
    """Let the matrix products of a graph have their workspaces in the graph's own memory.

    Others torch frees under a graph's feet, when its compiler takes CUDA graphs of its own.
    """
    torch._C._cuda_clearCublasWorkspaces()
    try:
        yield
    finally:
        torch._C._cuda_clearCublasWorkspaces()


@contextmanager
def _draws_restored(device: torch.device) -> Iterator[None]:
    """Turns a failure into a `CaptureError`, after which the generator can be used again."""
    index = torch.cuda.current_device() if device.index is None else device.index
    generator = torch.cuda.default_generators[index]
    before = generator.get_state()
    try:
        yield
    except RuntimeError as error:
        # It would go on waiting for a graph that never comes.
        generator.graphsafe_set_state(torch.Generator(device).graphsafe_get_state())
        generator.set_state(before)
        first = _first_of(error)
        reason = str(first).splitlines()[0]
        raise CaptureError(f"a step cannot be recorded as a CUDA graph: {reason}") from error


def _first_of(error: BaseException) -> BaseException:
    """What went wrong first: an end of the recording complains of it once more."""
    while error.__context__ is not None:
        error = error.__context__
    return error
