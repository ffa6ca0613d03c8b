"""Trace an ELBO and its gradient once into one graph, and compile the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyro
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from pyro_gmvae.inference.elbo import TraceEnumMeanField_ELBO
from pyro_gmvae.inference.enumeration import Rows
from pyro_gmvae.inference.rewriting import put_constants, turn_narrow_products
from pyro_gmvae.inference.terms import ELBOTerms, summed_over_chunks
from pyro_gmvae.rng import forked_rng

__all__ = ["CaptureError", "CapturedELBO"]

Run = Callable[..., Sequence[Tensor]]
Key = tuple[bool, bool, tuple[tuple[torch.Size, torch.dtype] | None, ...]]

# Torch's own generators give the same draws as without compilation, and are faster on a CPU.
OPTIONS = {"fallback_random": True}
CPU_OPTIONS = OPTIONS | {
    # On a CPU nothing records the calls of the kernels, so the code that makes them is in C++ too.
    "cpp_wrapper": True,
    # An intermediate result that is read twice or is long to compute is stored. By default it is
    # computed anew in each kernel that reads it, which makes compilation take half as long again
    # and steps no shorter (benchmarks/results/compilation.json).
    "realize_opcount_threshold": 8,
    "realize_reads_threshold": 1,
}


class CaptureError(RuntimeError):
    """Report a model that cannot be traced or compiled, or a machine that cannot compile.

    >>> raise CaptureError("there is no compiler")
    Traceback (most recent call last):
        ...
    pyro_gmvae.inference.capture.CaptureError: there is no compiler
    """


@dataclass(frozen=True)
class _Graph:
    """Hold one compiled part of the ELBO, together with the gradient of a multiple of it.

    Attributes:
        run: maps the factor and the input tensors to the loss, each site's contribution and the
            gradients.
        sites: the names of the sites.
        differentiated: the parameter of each gradient.
    """

    run: Run
    sites: tuple[str, ...]
    differentiated: tuple[nn.Parameter, ...]

    def __call__(self, scale: Tensor, *given: Tensor) -> tuple[ELBOTerms, list[Tensor]]:
        with torch.no_grad():
            loss, *rest = self.run(scale, *given)
        n = len(self.sites)
        return ELBOTerms(loss, dict(zip(self.sites, rest[:n], strict=True))), rest[n:]


class CapturedELBO:
    """Compile the ELBO of one model and guide for the shapes of its first call.

    Model and guide are run once as Pyro programs on tensors without values, and every tensor
    operation is recorded, including those of the gradient. The compiled graph contains neither
    Pyro nor autograd. Parameters and buffers are not copied into the graph: the next call sees an
    optimizer's step, or a schedule's new w_t or temperature, without a new trace. Draws come from
    torch's generators, as without compilation.

    A call with other shapes (the last, smaller batch), in another mode (`nn.Module.eval`) or
    without gradients runs the Pyro programs themselves, so that nothing is compiled after the
    first call. The graph keeps everything that is not a tensor as it was in the first call, such
    as a regulariser and the set of trained parameters. Capture anew after changing one of them.
    Pyro's validation is off in the graph.

    Args:
        elbo: the ELBO.
        model, guide: a pair, such as those of a `pyro_gmvae.models.GMVAE`.
        backend: ``"inductor"``, or a function from a graph and its inputs to a callable.
        fallback: called with the error if the pair cannot be captured; the pair then runs without
            compilation. If None, the first call raises the error instead.

    >>> from pyro_gmvae.models import MarginalGMVAE
    >>> gmvae = MarginalGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> elbo = CapturedELBO(TraceEnumMeanField_ELBO(), gmvae.model, gmvae.guide)
    >>> with torch.no_grad():  # no gradient, so that nothing is compiled for this example
    ...     sorted(elbo(torch.ones(8, 4)).sites)
    ['x', 'y', 'z']
    """

    def __init__(
        self,
        elbo: TraceEnumMeanField_ELBO,
        model: nn.Module,
        guide: nn.Module,
        *,
        backend: Literal["inductor"] | Callable[[GraphModule, list[Tensor]], Run] = "inductor",
        fallback: Callable[[CaptureError], None] | None = None,
    ) -> None:
        self.elbo = elbo
        self.model = model
        self.guide = guide
        self.backend = _inductor if backend == "inductor" else backend
        self.fallback = fallback
        self._chunks: list[Rows | None] | None = None
        self._graphs: dict[Key, _Graph] = {}
        self._scales: dict[tuple[float, torch.device], Tensor] = {}

    def __call__(self, *args: Tensor | None) -> ELBOTerms:
        """Compute `TraceEnumMeanField_ELBO.terms` of the pair.

        Args:
            args: the arguments of model and guide.

        Raises:
            CaptureError: at the first call, without a ``fallback``, if the pair cannot be traced
                (because it reads a value back) or compiled.
        """
        chunks = self._captured_chunks(args) if torch.is_grad_enabled() else []
        if not chunks:
            return self.elbo.terms(self.model, self.guide, *args)
        return summed_over_chunks(self._partial_terms, chunks, (self.model, self.guide), *args)

    def backward(self, *args: Tensor | None, scale: float = 1.0) -> ELBOTerms:
        """Compute the terms and add the gradient of ``scale * loss`` to that of each parameter.

        The result is that of ``(scale * terms.loss).backward()``, without another pass over the
        gradients.

        Raises:
            CaptureError: in the same cases as a call.
        """
        chunks = self._captured_chunks(args)
        if not chunks:
            terms = self.elbo.terms(self.model, self.guide, *args)
            (scale * terms.loss).backward()
            return terms

        def partial_terms(rows: Rows | None, *args: Tensor | None) -> ELBOTerms:
            terms, gradients, parameters = self._computed(scale, rows, *args)
            _accumulate(parameters, gradients)
            return terms

        with torch.no_grad():
            return summed_over_chunks(partial_terms, chunks, (self.model, self.guide), *args)

    def _captured_chunks(self, args: tuple[Tensor | None, ...]) -> list[Rows | None]:
        """Return the chunks to sum over, or an empty list if one of them has no graph."""
        if self._chunks is None:
            self._capture_all(args)
        chunks = self._chunks or []  # empty if the pair could not be captured
        return chunks if all(self._key(rows, *args) in self._graphs for rows in chunks) else []

    def _capture_all(self, args: tuple[Tensor | None, ...]) -> None:
        chunks, graphs = self.elbo.chunks(self.model, self.guide, *args), {}
        try:
            for rows in chunks:
                key = self._key(rows, *args)
                if key not in graphs:
                    graphs[key] = self._capture(rows, *args)
        except CaptureError as error:
            if self.fallback is None:
                raise
            chunks, graphs = [], {}
            self.fallback(error)
        self._chunks, self._graphs = chunks, graphs

    def _partial_terms(self, rows: Rows | None, *args: Tensor | None) -> ELBOTerms:
        terms, gradients, parameters = self._computed(1.0, rows, *args)
        return ELBOTerms(_WithGradient.apply(terms.loss, gradients, *parameters), terms.sites)

    def _computed(
        self, scale: float, rows: Rows | None, *args: Tensor | None
    ) -> tuple[ELBOTerms, list[Tensor], tuple[nn.Parameter, ...]]:
        """Run the graph of one part and return its terms, its gradients and their parameters."""
        graph, given = self._graphs[self._key(rows, *args)], _tensors(rows, *args)
        return *graph(self._scale(scale, given[0].device), *given), graph.differentiated

    def _key(self, *given: Tensor | None) -> Key:
        """Return the modes, shapes and types that a graph is compiled for."""
        signature = tuple(None if t is None else (t.shape, t.dtype) for t in given)
        return self.model.training, self.guide.training, signature

    def _capture(self, rows: Rows | None, *args: Tensor | None) -> _Graph:
        modules = (self.model, self.guide)
        # Each parameter once: one that model and guide share has one gradient.
        parameters = list(
            dict.fromkeys(p for m in modules for p in m.parameters() if p.requires_grad)
        )
        sites: list[str] = []
        differentiated: list[nn.Parameter] = []

        def flat(scale: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
            rest = iter(given)
            rows_, *args_ = [None if a is None else next(rest) for a in (rows, *args)]
            terms = self.elbo.partial_terms(self.model, self.guide, rows_, *args_)
            found = torch.autograd.grad(scale * terms.loss, parameters, allow_unused=True)
            sites[:] = terms.sites
            differentiated[:] = [p for p, g in zip(parameters, found, strict=True) if g is not None]
            gradients = [g.contiguous() for g in found if g is not None]
            return terms.loss.detach(), *terms.sites.values(), *gradients

        tensors = _tensors(rows, *args)
        given = [self._scale(1.0, tensors[0].device), *tensors]
        devices = {t.device for t in given}
        try:
            with forked_rng(*devices):
                with torch.enable_grad(), pyro.validation_enabled(False):
                    trace = make_fx(flat, tracing_mode="fake", _allow_non_fake_inputs=True)
                    graph: GraphModule = trace(*given)
                put_constants(graph, tensors[0].device)
                turn_narrow_products(graph)
                with torch.no_grad():
                    run = self.backend(graph, given)
        except Exception as error:
            raise CaptureError(_first_line(error)) from error
        return _Graph(run, tuple(sites), tuple(differentiated))

    def _scale(self, value: float, device: torch.device) -> Tensor:
        key = (value, device)
        if key not in self._scales:
            self._scales[key] = torch.tensor(value, device=device)
        return self._scales[key]


class _WithGradient(torch.autograd.Function):
    """Attach known gradients to a loss."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: list[Tensor], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *torch._foreach_mul(ctx.gradients, grad_output)


def _accumulate(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor]) -> None:
    taken = set()
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if parameter.grad is not None:
            parameter.grad += gradient
            continue
        # The compiler computes a gradient once if two parameters have the same one. Without the
        # copy, clipping would change it twice.
        address = gradient.data_ptr()
        parameter.grad = gradient.clone() if address in taken else gradient
        taken.add(address)


def _inductor(graph: GraphModule, given: list[Tensor]) -> Run:
    on_cpu = given[0].device.type == "cpu"
    import torch._inductor  # takes seconds, which a program that compiles nothing is spared

    return torch._inductor.compile(graph, [*given], options=CPU_OPTIONS if on_cpu else OPTIONS)


def _tensors(*given: Tensor | None) -> list[Tensor]:
    return [tensor for tensor in given if tensor is not None]


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "inner_exception", error)).strip()
    return text.splitlines()[0] if text else type(error).__name__
