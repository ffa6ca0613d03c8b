r"""Estimate the log-likelihood by importance sampling, in the same way for all four methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, nan, prod

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from pyro_gmvae.evaluation._arviz import pareto_k
from pyro_gmvae.evaluation._batches import (
    ENTRIES,
    Transform,
    data_batches,
    default_batch_size,
    keys_of,
)
from pyro_gmvae.evaluation._draws import weighed
from pyro_gmvae.evaluation.weighting import standard_error, weighted_mean
from pyro_gmvae.models import GMVAE
from pyro_gmvae.modes import eval_mode
from pyro_gmvae.noise import RowNoise
from pyro_gmvae.process.alone import alone
from pyro_gmvae.ranges import MOST_DRAWS, MOST_ROWS, whole

__all__ = ["MAX_BAD_FRACTION", "MAX_PARETO_K", "LogLikelihood", "log_likelihood"]

MAX_PARETO_K = 0.7  # above this an importance-sampled mean converges too slowly to be of use
MAX_BAD_FRACTION = 0.05  # share of data above MAX_PARETO_K from which the mean is untrustworthy


@dataclass(frozen=True, eq=False)
class LogLikelihood:
    """Hold log p(x) of some data, with diagnostics of its quality.

    Attributes:
        log_p: the estimate for each datum, in nats, shape ``(N,)``.
        elbo_per_datum: mean log weight, which is the bound by one sample, in nats, shape ``(N,)``.
        ess: effective sample size of each datum's weights, between 1 and S, shape ``(N,)``.
        pareto_k: Pareto k-hat of each datum's weights (NaN below 30 samples), shape ``(N,)``.
        num_samples: S.
        diagnosed: True if k-hat was computed; otherwise `pareto_k` is NaN throughout.
        weights: how much each datum counts in the means, shape ``(N,)``; None if all count alike.

    >>> k, one = torch.tensor([0.1, 0.9]), torch.ones(2)
    >>> result = LogLikelihood(-one, -2 * one, 50 * one, k, num_samples=100)
    >>> result.mean, result.pareto_k_bad_fraction, result.trustworthy
    (-1.0, 0.5, False)
    """

    log_p: Float[Tensor, " N"]
    elbo_per_datum: Float[Tensor, " N"]
    ess: Float[Tensor, " N"]
    pareto_k: Float[Tensor, " N"]
    num_samples: int
    diagnosed: bool = True
    weights: Float64[Tensor, " N"] | None = None

    @property
    def mean(self) -> float:
        """Return the mean log p(x), in nats per datum."""
        return weighted_mean(self.log_p, self.weights).item()

    @property
    def standard_error(self) -> float:
        """Return the standard error of `mean` over the data, in nats; NaN for a single datum.

        With weights it is that of a mean of rows drawn with unequal chances.
        """
        if len(self.log_p) < 2:
            return float("nan")
        return standard_error(self.log_p, self.weights).item()

    @property
    def elbo(self) -> float:
        """Return the mean ELBO of the discrete model, in nats per datum."""
        return weighted_mean(self.elbo_per_datum, self.weights).item()

    @property
    def pareto_k_bad_fraction(self) -> float:
        """Return the share of data whose k-hat is above 0.7 or could not be fitted.

        The share is NaN if k-hat was not computed.
        """
        if not self.diagnosed:
            return nan
        return 1 - (self.pareto_k <= MAX_PARETO_K).double().mean().item()

    @property
    def trustworthy(self) -> bool:
        """Return True if k-hat is good for all but 5 % of the data."""
        return self.warning is None

    @property
    def warning(self) -> str | None:
        """Return a sentence about why the figure is not trustworthy, or None if it is."""
        if not self.diagnosed:
            return (
                "Pareto k-hat was not computed, so that nothing tells how good the log-likelihood "
                "is: ask for it by diagnostics=True."
            )
        if self.pareto_k.isnan().all():
            return (
                f"{self.num_samples} samples are too few to tell how good the log-likelihood is: "
                "take at least 100."
            )
        bad = self.pareto_k_bad_fraction
        if bad <= MAX_BAD_FRACTION:
            return None
        return (
            f"For {bad:.0%} of the data Pareto k-hat is above {MAX_PARETO_K}: q(z|x) misses part "
            "of the posterior there. The log-likelihood is probably too low by more than its "
            "standard error says; take more samples, and compare it only with figures of as many."
        )


@alone
def log_likelihood(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    num_samples: int = 500,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    batch_size: int | None = None,
    sample_chunk: int | None = None,
    seed: int = 0,
    keys: Sequence[int] | None = None,
    diagnostics: bool = True,
) -> LogLikelihood:
    r"""Estimate log p(x) under the discrete model by importance sampling.

    .. math::
        \log p(x) \approx \log \frac{1}{S} \sum_s w_s, \qquad
        \log w_s = \log p(x|z_s) + \log p(z_s) - \log q(z_s|x), \quad z_s \sim q(z|x)

    Both mixtures over y are in closed form, so that S samples cost S decoder passes. For finite S
    the estimate is a lower bound in expectation that rises with S; for S = 1 it is the ELBO.

    Four numbers are kept for each datum. Apart from them the memory in use depends on neither N nor
    S: the S x B log weights of one batch are held, for k-hat, and by default B falls as S rises.

    Args:
        gmvae: a model of any method.
        x: data, shape ``(N, *event)``, on any device.
        num_samples: S.
        covariates: further arguments of the guide and of the model's `p_x`, N rows each.
        transform: maps ``x`` to model scale, batch by batch, for example a binarisation. It may
            draw from torch's global generators.
        batch_size: B, data at a time.
        sample_chunk: samples decoded at a time.
        seed: fixes every draw. Batch and chunk sizes change the figures by rounding only.
        keys: a number for each datum that decides its draws together with ``seed``, such as
            `pyro_gmvae.noise.row_keys`, by which a datum's figures do not depend on its place in
            ``x``; None takes the places.
        diagnostics: whether to fit Pareto k-hat, which needs ArviZ; NaN otherwise.

    Raises:
        ValueError: if a size is below 1.
        InputError: for data that do not fit the model.
        TypeError: if q(z|x) is neither a diagonal normal nor a mixture of diagonal normals.

    Reference: Burda et al. 2016, Importance weighted autoencoders, arXiv 1509.00519.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> result = log_likelihood(gmvae, torch.ones(8, 4), num_samples=50, diagnostics=False)
    >>> result.log_p.shape, bool((result.elbo_per_datum <= result.log_p).all())
    (torch.Size([8]), True)
    """
    num_samples = whole("num_samples", num_samples, least=1, most=MOST_DRAWS)
    if batch_size is not None:
        batch_size = whole("batch_size", batch_size, least=1, most=MOST_ROWS)
    if sample_chunk is not None:
        sample_chunk = whole("sample_chunk", sample_chunk, least=1, most=MOST_DRAWS)
    if batch_size is None:
        batch_size = default_batch_size(gmvae, num_samples)
    decoded = max(prod(gmvae.event_shape), prod(gmvae.model.likelihood.output_shape))
    per_draw = max(512, decoded, gmvae.n_components * gmvae.latent_dim)
    chunk = sample_chunk or max(1, ENTRIES // (per_draw * batch_size))

    parts = []
    with eval_mode(gmvae):
        for rows, batch, given in data_batches(
            gmvae, x, batch_size=batch_size, covariates=covariates, transform=transform, seed=seed
        ):
            noise = RowNoise(seed, keys_of(rows, keys), 1 + gmvae.latent_dim)
            log_w = _log_weights(gmvae, batch, given, noise, num_samples, chunk)
            parts.append(_summary(log_w, diagnostics))
    log_p, elbo, ess, k = torch.cat(parts, -1)
    return LogLikelihood(log_p, elbo, ess, k, num_samples, diagnostics)


def _log_weights(
    gmvae: GMVAE,
    x: Tensor,
    covariates: tuple[Tensor, ...],
    noise: RowNoise,
    num_samples: int,
    chunk: int,
) -> Float[Tensor, "S B"]:
    """Compute log w of every sample, in float64 on the CPU."""
    q_z = gmvae.posterior(x, *covariates)
    parts = []
    for start in range(0, num_samples, chunk):
        uniform = noise.draw(min(chunk, num_samples - start), gmvae.model.component_loc)
        _, log_w = weighed(gmvae, q_z, x, uniform.expand(-1, len(x), -1), *covariates)
        parts.append(log_w.double().cpu())
    return torch.cat(parts)


def _summary(log_w: Float[Tensor, "S B"], diagnostics: bool) -> Float[Tensor, "4 B"]:
    """Compute log-likelihood, ELBO, effective sample size and k-hat of each datum."""
    log_sum = log_w.logsumexp(0)
    log_p = log_sum - log(len(log_w))
    ess = (2 * log_sum - (2 * log_w).logsumexp(0)).exp()
    k = torch.full_like(log_p, nan)
    if diagnostics:
        k = torch.from_numpy(pareto_k(log_w.T.contiguous().numpy()))
    return torch.stack([log_p, log_w.mean(0), ess, k])
