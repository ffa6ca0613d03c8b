"""An ELBO traced once into one graph, and compiled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch._functorch.config as functorch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from pyro_gmvae.inference.elbo import TraceEnumMeanField_ELBO
from pyro_gmvae.inference.enumeration import Rows
from pyro_gmvae.inference.terms import ELBOTerms, summed_over_chunks

__all__ = ["CaptureError", "CapturedELBO"]

Signature = tuple[tuple[torch.Size, torch.dtype] | None, ...]


class CaptureError(RuntimeError):
    """A model that cannot be traced or compiled, or a machine that cannot compile."""


@dataclass(frozen=True)
class _Graph:
    """A compiled part of the ELBO: its inputs' tensors to the loss and each site's contribution."""

    run: Callable[..., tuple[Tensor, ...]]
    sites: tuple[str, ...]


class CapturedELBO:
    """The ELBO of one model and guide, compiled for the shapes of its first call.

    Model and guide are run once as Pyro programs, on tensors without values, and every tensor
    operation is written down: Pyro is gone from what is compiled. Parameters and buffers are not
    copied into the graph: an optimizer's step, a schedule's new w_t or temperature is seen at the
    next call without a new trace. Draws are those of torch's generators, as without compilation.

    A call of other shapes (the last, smaller batch) or without gradients runs the Pyro programs
    themselves, so that nothing is compiled after the first call.

    Args:
        elbo: the ELBO.
        model, guide: a pair, such as those of a `pyro_gmvae.models.GMVAE`.
        backend: as of `torch.compile`.
        fallback: told why, if the pair cannot be captured, which then runs as it is; without it
            the first call raises.
    """

    def __init__(
        self,
        elbo: TraceEnumMeanField_ELBO,
        model: nn.Module,
        guide: nn.Module,
        *,
        backend: str | Callable = "inductor",
        fallback: Callable[[CaptureError], None] | None = None,
    ) -> None:
        self.elbo = elbo
        self.model = model
        self.guide = guide
        self.backend = backend
        self.fallback = fallback
        self._chunks: list[Rows | None] | None = None
        self._graphs: dict[Signature, _Graph] = {}

    def __call__(self, *args: Tensor | None) -> ELBOTerms:
        """`TraceEnumMeanField_ELBO.terms` of the pair; arguments as the pair's.

        Raises:
            CaptureError: at the first call, without a ``fallback``, if the pair cannot be traced
                (it reads a value back) or compiled.
        """
        if torch.is_grad_enabled():
            if self._chunks is None:
                self._capture_all(args)
            chunks = self._chunks or []  # none where it could not be captured
            if chunks and all(_signature(rows, *args) in self._graphs for rows in chunks):
                return self._run(chunks, *args)
        return self.elbo.terms(self.model, self.guide, *args)

    def _run(self, chunks: list[Rows | None], *args: Tensor | None) -> ELBOTerms:
        if _on_cuda(args):
            torch.compiler.cudagraph_mark_step_begin()
        return summed_over_chunks(self._partial_terms, chunks, (self.model, self.guide), *args)

    def _capture_all(self, args: tuple[Tensor | None, ...]) -> None:
        chunks, graphs = self.elbo.chunks(self.model, self.guide, *args), {}
        try:
            for rows in chunks:
                key = _signature(rows, *args)
                if key not in graphs:
                    graphs[key] = self._capture(rows, *args)
        except CaptureError as error:
            if self.fallback is None:
                raise
            chunks, graphs = [], {}
            self.fallback(error)
        self._chunks, self._graphs = chunks, graphs

    def _partial_terms(self, rows: Rows | None, *args: Tensor | None) -> ELBOTerms:
        graph = self._graphs[_signature(rows, *args)]
        loss, *sites = graph.run(*[a for a in (rows, *args) if a is not None])
        if _on_cuda(args):
            sites = [site.clone() for site in sites]  # a replay writes to the same places
        return ELBOTerms(loss, dict(zip(graph.sites, sites, strict=True)))

    def _capture(self, rows: Rows | None, *args: Tensor | None) -> _Graph:
        names: list[str] = []

        def flat(*given: Tensor) -> tuple[Tensor, ...]:
            rest = iter(given)
            rows_, *args_ = [None if a is None else next(rest) for a in (rows, *args)]
            terms = self.elbo.partial_terms(self.model, self.guide, rows_, *args_)
            names[:] = terms.sites
            return terms.loss, *terms.sites.values()

        given = [a for a in (rows, *args) if a is not None]
        try:
            # Before dispatch to autograd, or a detach would be lost.
            graph: GraphModule = make_fx(
                flat, tracing_mode="fake", pre_dispatch=True, _allow_non_fake_inputs=True
            )(*given)
            compiled = torch.compile(
                graph,
                fullgraph=True,
                dynamic=False,
                backend=self.backend,
                options=self._options(cuda_graph=rows is None and _on_cuda(args)),
            )
            self._warm_up(compiled, given)
        except Exception as error:
            raise CaptureError(_first_line(error)) from error
        return _Graph(compiled, tuple(names))

    def _options(self, *, cuda_graph: bool) -> dict[str, Any] | None:
        if self.backend != "inductor":
            return None
        # Draws by torch's own generators: the same as without compilation, and faster on CPU.
        return {"fallback_random": True, "triton.cudagraphs": cuda_graph}

    def _warm_up(self, compiled: Callable[..., tuple[Tensor, ...]], given: list[Tensor]) -> None:
        """Compile both directions now, leaving generators, buffers and gradients as they are."""
        modules = (self.model, self.guide)
        buffers = [(b, b.clone()) for module in modules for b in module.buffers()]
        parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        devices = {t.device for t in given if t.is_cuda}
        with torch.random.fork_rng(devices=devices), torch.enable_grad(), _partitioning(devices):
            loss = compiled(*given)[0]
            torch.autograd.grad(loss, parameters, allow_unused=True)
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


def _partitioning(cuda: set[torch.device]) -> AbstractContextManager[None]:
    """How the compiler parts the forward from the backward graph.

    On CPU it would keep a mask of booleans for each ReLU, written one by one where the processor
    has no AVX-512: 10 times the cost of the ReLU. It may compute the mask again instead.
    """
    if cuda or not hasattr(functorch, "ban_recompute_materialized_backward"):
        return nullcontext()
    return functorch.patch(ban_recompute_materialized_backward=False)


def _on_cuda(args: tuple[Tensor | None, ...]) -> bool:
    return any(a is not None and a.is_cuda for a in args)


def _signature(*tensors: Tensor | None) -> Signature:
    return tuple(None if t is None else (t.shape, t.dtype) for t in tensors)


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "inner_exception", error)).strip()
    return text.splitlines()[0] if text else type(error).__name__
