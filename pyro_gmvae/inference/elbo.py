r"""Compute an ELBO for GMVAEs that reads no value back to the host, unless Pyro validates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from pyro import poutine
from pyro.distributions.util import scale_and_mask
from pyro.infer.elbo import ELBO
from pyro.infer.util import is_validation_enabled
from pyro.poutine.enum_messenger import EnumMessenger
from pyro.poutine.trace_struct import Trace
from pyro.poutine.util import prune_subsample_sites
from pyro.util import check_model_guide_match
from torch import Tensor, nn
from torch.distributions import kl_divergence

from pyro_gmvae.distributions import SparseOneHotCategorical, expected_value
from pyro_gmvae.inference.enumeration import Rows, Site, SomeRows, enumerate_dim, support_size
from pyro_gmvae.inference.parameter_sites import without_parameter_sites
from pyro_gmvae.inference.partial import SkipUnscored
from pyro_gmvae.inference.terms import ELBOTerms, summed_over_chunks
from pyro_gmvae.rng import forked_rng

__all__ = ["TraceEnumMeanField_ELBO"]


class TraceEnumMeanField_ELBO(ELBO):  # noqa: N801  (named as Pyro names its ELBOs)
    r"""Combine enumeration and closed-form KL divergences without a host synchronisation.

    There is no synchronisation only while Pyro's validation is off, as it is in training, because
    validation reads values.

    One trace of guide and model gives a term for each site. The term of an observed site is its
    log-likelihood. The term of a latent site is :math:`-KL(q \| p)` in closed form if that is
    registered, else :math:`\log p - \log q` at the draw. A discrete site may be marked
    ``infer={"enumerate": "parallel"}``, or in the guide ``infer={"enumerate_in_part": True}``:

    * If the guide has the site, the other sites' terms are averaged under it by
      `pyro_gmvae.distributions.expected_value`. This is exact for a complete support and unbiased
      for the support of a `SparseOneHotCategorical`.
    * If only the model has the site, it is summed out. With terms :math:`f_s` at scales
      :math:`b_s` and the site itself at scale :math:`w`, the result is

      .. math:: w \log \sum_y p(y) \exp \big( \textstyle\sum_s b_s f_s(y) / w \big),

      which is the maximum over :math:`r(y)` of :math:`E_r \sum_s b_s f_s(y) - w KL(r \| p)`. At
      w = 1 it is the marginal likelihood; below 1 it is the same annealed objective that the other
      methods have.

    Like Pyro's `TraceMeanField_ELBO` it needs a guide that factorises as the model does, and
    reparametrised draws at all sites that are not enumerated. At most one site may be enumerated.
    A site must have the same scale in model and guide.

    Args:
        chunk_size: how many values of a support that the guide enumerates are computed at a time.
            This limits memory to that of one chunk, but each chunk repeats the pass through the
            encoder. Gradients are computed for the parameters of model and guide, which must be
            modules. None computes all values at once.
        parameter_sites: whether model and guide have a site for each parameter, by which
            `pyro.infer.SVI` finds what to optimise. An optimizer that was given the parameters does
            without.
        elbo_options: options of `pyro.infer.ELBO`. The useful ones are ``num_particles``,
            ``max_plate_nesting`` (guessed by running the pair once if left out) and
            ``vectorize_particles``.

    Raises:
        ValueError: if ``chunk_size`` is below 1.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> elbo = TraceEnumMeanField_ELBO(max_plate_nesting=1)
    >>> loss = elbo.differentiable_loss(gmvae.model, gmvae.guide, torch.ones(8, 4))
    >>> loss.shape, loss.requires_grad
    (torch.Size([]), True)
    """

    def __init__(
        self, *, chunk_size: int | None = None, parameter_sites: bool = True, **elbo_options: Any
    ) -> None:
        super().__init__(**elbo_options)
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1, got {chunk_size}")
        self.chunk_size = chunk_size
        self.parameter_sites = parameter_sites

    def terms(self, model: Callable, guide: Callable, *args: Any, **kwargs: Any) -> ELBOTerms:
        """Compute the ELBO and the contribution of each site.

        Args:
            model, guide: Pyro programs; modules if ``chunk_size`` is set.
            args, kwargs: the arguments of both.

        Raises:
            ValueError: if more than one site is enumerated, or if ``chunk_size`` is set for a
                support that cannot be computed in chunks.
        """
        compute = partial(self.partial_terms, model, guide)
        chunks = self.chunks(model, guide, *args, **kwargs)
        modules = [m for m in (model, guide) if isinstance(m, nn.Module)]
        return summed_over_chunks(compute, chunks, modules, *args, **kwargs)

    def chunks(
        self, model: Callable, guide: Callable, *args: Any, **kwargs: Any
    ) -> list[Rows | None]:
        """Split the enumerated support into chunks of nearly equal size for `partial_terms`.

        Returns:
            Indices of the support's values for each chunk, or ``[None]`` for a single chunk.

        Raises:
            ValueError: if the guide does not enumerate the complete support of a site, or model or
                guide is not a module.
        """
        if self.chunk_size is None:
            return [None]
        if not (isinstance(model, nn.Module) and isinstance(guide, nn.Module)):
            raise ValueError("chunk_size needs a model and a guide that are modules")
        self._guess_nesting(model, guide, args, kwargs)
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        devices = {tensor.device for tensor in tensors}
        with torch.no_grad(), forked_rng(*devices), SomeRows(self._enum_dim, None):
            trace = poutine.trace(guide).get_trace(*args, **kwargs)
        enumerated = [s for s in _sample_sites(trace).values() if enumerate_dim(s) is not None]
        if not enumerated or isinstance(enumerated[0]["fn"], SparseOneHotCategorical):
            raise ValueError("chunk_size needs a guide that enumerates the whole support")
        size = support_size(enumerated[0])
        if size <= self.chunk_size:
            return [None]
        rows = torch.arange(size, device=enumerated[0]["value"].device)
        return list(rows.tensor_split(-(-size // self.chunk_size)))

    def partial_terms(
        self, model: Callable, guide: Callable, rows: Rows | None, *args: Any, **kwargs: Any
    ) -> ELBOTerms:
        """Compute the part of `terms` that comes from some rows of the enumerated support.

        A term that does not depend on the enumerated site is weighted by the rows' share of the
        support, so that the parts add up to the whole.

        Args:
            model, guide: Pyro programs.
            rows: indices of the support's values; None takes all.
            args, kwargs: the arguments of both.
        """
        total: Tensor | float = 0.0
        sites: dict[str, Tensor] = {}
        for model_trace, guide_trace in self._traces(model, guide, rows, args, kwargs):
            for name, (value, scale) in _site_terms(model_trace, guide_trace).items():
                total = total + scale_and_mask(value, scale).sum() / self.num_particles
                part = value.detach().sum() / self.num_particles
                sites[name] = sites[name] + part if name in sites else part
        return ELBOTerms(-torch.as_tensor(total), sites)

    def differentiable_loss(
        self, model: Callable, guide: Callable, *args: Any, **kwargs: Any
    ) -> Tensor:
        """Compute minus the ELBO, summed over the data; zero-dimensional and differentiable."""
        return self.terms(model, guide, *args, **kwargs).loss

    def loss(self, model: Callable, guide: Callable, *args: Any, **kwargs: Any) -> float:
        """Compute minus the ELBO as a number, which is read back to the host."""
        with torch.no_grad():
            return self.differentiable_loss(model, guide, *args, **kwargs).item()

    def loss_and_grads(self, model: Callable, guide: Callable, *args: Any, **kwargs: Any) -> float:
        """Backpropagate minus the ELBO and return it as a number, as `pyro.infer.SVI` asks."""
        loss = self.differentiable_loss(model, guide, *args, **kwargs)
        loss.backward(retain_graph=self.retain_graph)
        return loss.item()

    def _get_trace(
        self, model: Callable, guide: Callable, args: tuple, kwargs: dict
    ) -> tuple[Trace, Trace]:
        with SkipUnscored():
            guide_trace = poutine.trace(guide).get_trace(*args, **kwargs)
            replayed = poutine.replay(model, trace=guide_trace)
            model_trace = poutine.trace(replayed).get_trace(*args, **kwargs)
        if is_validation_enabled():
            check_model_guide_match(model_trace, guide_trace, self.max_plate_nesting)
        return prune_subsample_sites(model_trace), prune_subsample_sites(guide_trace)

    def _traces(
        self, model: Callable, guide: Callable, rows: Rows | None, args: tuple, kwargs: dict
    ) -> Iterator[tuple[Trace, Trace]]:
        self._guess_nesting(model, guide, args, kwargs)
        if not self.parameter_sites:
            model, guide = map(without_parameter_sites, (model, guide))
        if self.vectorize_particles:
            model, guide = map(self._vectorized_num_particles, (model, guide))
        guide = SomeRows(self._enum_dim, rows)(guide)
        model = EnumMessenger()(model)
        for _ in range(1 if self.vectorize_particles else self.num_particles):
            yield self._get_trace(model, guide, args, kwargs)

    def _guess_nesting(self, model: Callable, guide: Callable, args: tuple, kwargs: dict) -> None:
        if self.max_plate_nesting == float("inf"):
            self._guess_max_plate_nesting(model, guide, args, kwargs)

    @property
    def _enum_dim(self) -> int:
        return -1 - int(self.max_plate_nesting)


Term = tuple[Tensor, "Tensor | float"]  # a site's contribution and the scale of the site


def _site_terms(model_trace: Trace, guide_trace: Trace) -> dict[str, Term]:
    """Compute the term of each site, without enumeration dimensions."""
    model, guide = _sample_sites(model_trace), _sample_sites(guide_trace)
    latent = [n for n, site in model.items() if not site["is_observed"]]
    y_in_guide = [n for n in latent if n in guide and enumerate_dim(guide[n]) is not None]
    y_in_model = [n for n in latent if n not in guide]
    if len(y_in_guide) + len(y_in_model) > 1:
        raise ValueError(f"at most one site may be enumerated, got {y_in_guide + y_in_model}")

    y_dim = enumerate_dim(model[y_in_model[0]]) if y_in_model else None
    terms = {
        n: _latent_term(site, guide[n], y_dim) if n in guide else _log_prob(site)
        for n, site in model.items()
    }
    auxiliary = {n: site for n, site in guide.items() if n not in model}
    terms |= {n: -_log_prob(site) for n, site in auxiliary.items()}
    scales = {n: site["scale"] for n, site in (auxiliary | model).items()}

    if y_in_guide:
        terms = _averaged(terms, guide[y_in_guide[0]])
    if y_dim is not None:
        terms = _summed_out(terms, scales, y_in_model[0], y_dim)
    return {n: (term, scales[n]) for n, term in terms.items()}


def _sample_sites(trace: Trace) -> dict[str, Site]:
    return {n: site for n, site in trace.nodes.items() if site["type"] == "sample"}


def _log_prob(site: Site) -> Tensor:
    return scale_and_mask(site["fn"].log_prob(site["value"]), mask=site["mask"])


def _latent_term(model_site: Site, guide_site: Site, y_dim: int | None) -> Tensor:
    """Compute -KL(q || p), in closed form unless p depends on a y that the model sums out.

    In that case the draw itself tells which y it came from. The closed form averages log p over q
    first, which would give a looser bound.
    """
    if y_dim is None or len(model_site["fn"].batch_shape) < -y_dim:
        try:
            kl = kl_divergence(guide_site["fn"], model_site["fn"])
            return -scale_and_mask(kl, mask=guide_site["mask"])
        except NotImplementedError:
            pass
    return _log_prob(model_site) - _log_prob(guide_site)


def _averaged(terms: dict[str, Tensor], y: Site) -> dict[str, Tensor]:
    """Average the terms under the guide's q(y)."""
    dim, support = y["infer"]["_enumerate_dim"], y["value"]
    share = support.shape[0] / support_size(y)

    def expectation(term: Tensor) -> Tensor:
        if term.dim() < -dim:
            return share * term
        if term.shape[dim] != support.shape[0]:
            return share * term.squeeze(dim)  # broadcast along y, with the same value for each y
        return expected_value(y["fn"], support, term)

    return {n: expectation(term) for n, term in terms.items()}


def _summed_out(
    terms: dict[str, Tensor], scales: dict[str, Tensor | float], name: str, dim: int
) -> dict[str, Tensor]:
    """Average the terms under r(y), the posterior of y at this draw, which sums y out.

    r maximises the objective, so the gradient with respect to r is zero and is not computed.
    """
    log_p, weight = terms[name], scales[name]
    dependent = {n: t for n, t in terms.items() if n != name and t.dim() >= -dim}
    evidence = sum(scale_and_mask(t, scales[n]) for n, t in dependent.items())
    log_r = (log_p + evidence / weight).detach().log_softmax(dim)
    r = log_r.exp()
    averaged = {n: (r * term).sum(dim) for n, term in dependent.items()}
    return terms | averaged | {name: (r * (log_p - log_r)).sum(dim)}
