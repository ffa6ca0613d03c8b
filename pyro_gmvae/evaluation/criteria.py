"""Weigh the fit of a model against its number of parameters."""

from __future__ import annotations

from math import log

from torch import nn

from pyro_gmvae.evaluation.likelihood import LogLikelihood
from pyro_gmvae.models import GMVAE

__all__ = ["aic", "bic", "free_parameters"]


def free_parameters(gmvae: GMVAE) -> int:
    """Count the free parameters of the generative model: p(y), p(z|y) and the decoder.

    The guide, which only approximates the posterior, counts for nothing. p(y) has K - 1 free
    parameters if it is learned, else none; p(z|y) has 2 K Z; and p(x|z) has all weights of the
    decoder and of the likelihood.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> options = {"hidden": (4,), "likelihood": "bernoulli", "learn_mixture": True}
    >>> free_parameters(ExactGMVAE(5, n_components=3, latent_dim=2, **options))
    51
    """
    model = gmvae.model
    number = sum(parameter.numel() for parameter in model.parameters())
    # A constant that is added to all logits changes nothing.
    return number - isinstance(model.mixture_logits, nn.Parameter)


def bic(figures: LogLikelihood, n_parameters: int) -> float:
    r"""Compute the Bayesian information criterion, lower is better.

    .. math:: -2 \sum_i w_i \log p(x_i) + P \log \sum_i w_i

    Args:
        figures: the log-likelihood of N data, of weights w or 1 each.
        n_parameters: P.

    >>> import torch
    >>> one = torch.ones(10, dtype=torch.float64)
    >>> round(bic(LogLikelihood(-one, -one, one, one, num_samples=1), 3), 4)  # 20 + 3 log 10
    26.9078
    """
    n = _count(figures)
    return -2 * n * figures.mean + n_parameters * log(n)


def aic(figures: LogLikelihood, n_parameters: int) -> float:
    r"""Compute Akaike's information criterion, lower is better; see `bic`.

    .. math:: -2 \sum_i w_i \log p(x_i) + 2 P

    >>> import torch
    >>> one = torch.ones(10, dtype=torch.float64)
    >>> aic(LogLikelihood(-one, -one, one, one, num_samples=1), 3)
    26.0
    """
    return -2 * _count(figures) * figures.mean + 2 * n_parameters


def _count(figures: LogLikelihood) -> float:
    return len(figures.log_p) if figures.weights is None else figures.weights.sum().item()
