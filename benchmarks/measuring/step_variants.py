"""Build a training step by stock Pyro, by this package, or by plain torch.

A step is forward, backward, a fused Adam step and `zero_grad`, on one batch that is on the device.
Stock SVI alone has another optimizer, its own. Pyro's validation is off for all variants.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import pyro
import torch
import torch._functorch.config as functorch
from pyro.infer import SVI, TraceEnum_ELBO, TraceMeanField_ELBO
from torch import Tensor

from benchmarks.measuring.handwritten import handwritten
from benchmarks.measuring.step_case import StepCase
from benchmarks.measuring.timing import Step, warm_up
from pyro_gmvae.inference import (
    CapturedELBO,
    CaptureError,
    Recording,
    TraceEnumMeanField_ELBO,
    autocast_networks,
    own_stream,
)
from pyro_gmvae.inference.capture import CPU_OPTIONS
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.heap import keeping_freed_memory
from pyro_gmvae.training.step import changed_in_place

__all__ = ["VARIANTS", "NotApplicableError", "build_step", "warmed_up"]

VARIANTS = {
    "stock-svi": "Pyro's SVI with its own Adam",
    "stock-elbo": "Pyro's ELBO as a module, torch's Adam",
    "ours": "our ELBO, eager",
    "ours-recorded": "our ELBO, eager, the step recorded as a CUDA graph",
    "ours-compiled": "our ELBO, captured and compiled; on CUDA recorded",
    "hand": "the same maths in plain torch, eager",
    "hand-compiled": "the same maths in plain torch, by torch.compile",
}
LEARNING_RATE = 1e-3

Run = Callable[[], object]


class NotApplicableError(Exception):
    """Raised where a case has no such variant; the message says why."""


def build_step(variant: str, case: StepCase) -> Step:
    """Build a step of ``variant`` on a model of its own.

    Raises:
        NotApplicableError: if the case has no such variant.
    """
    gmvae, x = case.gmvae(), case.data()
    stock, ours = variant.startswith("stock"), variant.startswith("ours")
    bfloat16 = case.precision == "bfloat16"
    if stock and case.method == "sparse":
        raise NotApplicableError("Pyro's ELBOs take an enumerated support to be complete")
    if stock and bfloat16:
        raise NotApplicableError("stock Pyro computes in the precision of the parameters")

    @contextmanager
    def context() -> Iterator[None]:
        # Parameters are local to modules, as in our trainer and as Pyro advises for its ELBO
        # modules. SVI refuses local parameters.
        local = pyro.settings.context(module_local_params=variant != "stock-svi")
        networks = autocast_networks(gmvae) if ours and bfloat16 else nullcontext()
        stream = own_stream(case.device, wanted=ours and case.device_type == "cuda")
        # Our trainer keeps freed memory, and so would a loop written for speed. Stock Pyro gives it
        # back.
        kept = case.device_type == "cpu" and not stock
        heap = keeping_freed_memory() if kept else nullcontext()
        with pyro.validation_enabled(False), local, networks, stream, heap:
            yield

    with context():
        return Step(_BUILDERS[variant](gmvae, x, case), context)


def warmed_up(variant: str, case: StepCase) -> tuple[Step, float]:
    """Build a step and run it a few times.

    Returns:
        The step, and the seconds until its first run was done, compilation included.

    Raises:
        NotApplicableError: if the case has no such variant.
    """
    started = time.perf_counter()
    step = build_step(variant, case)
    building = time.perf_counter() - started
    return step, building + warm_up(step, case.device)


def _stock_elbo(case: StepCase) -> TraceEnum_ELBO | TraceMeanField_ELBO:
    family = TraceMeanField_ELBO if case.method == "concrete" else TraceEnum_ELBO
    return family(max_plate_nesting=1)


def _stock_svi(gmvae: GMVAE, x: Tensor, case: StepCase) -> Run:
    pyro.clear_param_store()  # or SVI would take another model's parameters of the same names
    optimizer = pyro.optim.Adam({"lr": LEARNING_RATE})  # type: ignore[attr-defined]
    svi = SVI(gmvae.model, gmvae.guide, optimizer, _stock_elbo(case))
    return lambda: svi.step(x)


def _stock_module(gmvae: GMVAE, x: Tensor, case: StepCase) -> Run:
    return _torch_step(_stock_elbo(case)(gmvae.model, gmvae.guide), gmvae, x)


def _our_elbo(case: StepCase) -> TraceEnumMeanField_ELBO:
    return TraceEnumMeanField_ELBO(
        max_plate_nesting=1, chunk_size=case.chunk_size, parameter_sites=False
    )


def _ours(gmvae: GMVAE, x: Tensor, case: StepCase) -> Run:
    elbo = _our_elbo(case)
    return _torch_step(lambda x: elbo.terms(gmvae.model, gmvae.guide, x).loss, gmvae, x)


def _ours_recorded(gmvae: GMVAE, x: Tensor, case: StepCase) -> Run:
    if case.device_type != "cuda":
        raise NotApplicableError("CUDA graphs exist on a GPU only")
    elbo = _our_elbo(case)
    backward = lambda x: elbo.terms(gmvae.model, gmvae.guide, x).loss.backward()  # noqa: E731
    return _stepping(gmvae, backward, x, recorded=True)


def _ours_compiled(gmvae: GMVAE, x: Tensor, case: StepCase) -> Run:
    elbo = _our_elbo(case)
    terms = CapturedELBO(elbo, gmvae.model, gmvae.guide)
    try:
        terms(x)
    except CaptureError as error:
        raise NotApplicableError(str(error)) from error
    return _stepping(gmvae, terms.backward, x, recorded=case.device_type == "cuda")


def _hand(gmvae: GMVAE, x: Tensor, case: StepCase) -> Run:
    return _torch_step(handwritten(gmvae, bfloat16=case.precision == "bfloat16"), gmvae, x)


def _hand_compiled(gmvae: GMVAE, x: Tensor, case: StepCase) -> Run:
    module = handwritten(gmvae, bfloat16=case.precision == "bfloat16")
    # On CUDA the step is replayed as a graph. On a CPU torch's own random generators are faster,
    # and kernels are called from C++.
    on_cuda = case.device_type == "cuda"
    options: dict[str, Any] = {"triton.cudagraphs": True} if on_cuda else {**CPU_OPTIONS}
    compiled = torch.compile(module, fullgraph=True, dynamic=False, options=options)
    # The backward pass computes the masks of the ReLUs again, as that of `CapturedELBO` does.
    with functorch.patch(ban_recompute_materialized_backward=on_cuda):
        torch.autograd.grad(compiled(x), list(gmvae.parameters()), allow_unused=True)
    return _torch_step(compiled, gmvae, x)


def _torch_step(loss: Callable[[Tensor], Tensor], gmvae: GMVAE, x: Tensor) -> Run:
    return _stepping(gmvae, lambda x: loss(x).backward(), x)


def _stepping(
    gmvae: GMVAE, backward: Callable[[Tensor], object], x: Tensor, *, recorded: bool = False
) -> Run:
    optimizer = torch.optim.Adam(gmvae.parameters(), LEARNING_RATE, fused=True)

    def step(x: Tensor) -> None:
        backward(x)
        optimizer.step()
        optimizer.zero_grad()

    if recorded:
        changed_in_place(optimizer)
        return partial(Recording(step, x.device), x)
    return partial(step, x)


_BUILDERS: dict[str, Callable[[GMVAE, Tensor, StepCase], Run]] = {
    "stock-svi": _stock_svi,
    "stock-elbo": _stock_module,
    "ours": _ours,
    "ours-recorded": _ours_recorded,
    "ours-compiled": _ours_compiled,
    "hand": _hand,
    "hand-compiled": _hand_compiled,
}
