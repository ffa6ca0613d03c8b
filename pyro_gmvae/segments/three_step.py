"""Maximise the likelihood of assignments whose errors are known: the third step of Vermunt 2010."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Maximum", "assignment_log_likelihoods", "maximise"]

ITERATIONS = 1_000
GRADIENT = 1e-7  # of the mean log-likelihood, at its maximum
SMALLEST = 1e-300  # of a probability whose logarithm is taken


@dataclass(frozen=True, eq=False)
class Maximum:
    """Hold where a likelihood of P parameters is largest.

    Attributes:
        parameters: ``(P,)``.
        sandwich: computes their covariance.

    >>> found = Maximum(np.array([2.5]), sandwich=lambda: np.array([[0.25]]))
    >>> float(found.covariance[0, 0] ** 0.5)  # the standard error, computed when it is asked for
    0.5
    """

    parameters: Float[np.ndarray, " P"]
    sandwich: Callable[[], Float[np.ndarray, "P P"]]

    @cached_property
    def covariance(self) -> Float[np.ndarray, "P P"]:
        """Return the covariance ``(P, P)``, by the sandwich H^-1 J H^-1 of Huber and White.

        It holds though rows of proportional assignment are no independent draws from the model. It
        takes many times as long as the maximum, and is computed when it is asked for.
        """
        return self.sandwich()


def assignment_log_likelihoods(
    log_joint: Float[Tensor, "N K"], d: Float[np.ndarray, "K K"], a: Float[np.ndarray, "N K"]
) -> Float[Tensor, " N"]:
    r"""Return :math:`\sum_s a_{is} \log \sum_t D_{ts} e^{J_{it}}` of each row.

    Args:
        log_joint: J, the log of p(X = t, outcome) of each row.
        d: D of `pyro_gmvae.segments.classification_error.classification_error`.
        a: the assignments.

    >>> log_joint = torch.tensor([[0.5, 0.5]], dtype=torch.float64).log()
    >>> assignment_log_likelihoods(log_joint, np.eye(2), np.eye(2)[:1])
    tensor([-0.6931], dtype=torch.float64)
    """
    errors, shares = torch.from_numpy(d), torch.from_numpy(a)
    if bool(((shares == 0) | (shares == 1)).all()):
        log_d = errors.clamp(min=SMALLEST).log()
        return (log_joint + log_d.T[shares.argmax(1)]).logsumexp(1)
    # One product of matrices for all s is many times as fast as a sum of logarithms for each.
    top = log_joint.detach().amax(1, keepdim=True)
    each = ((log_joint - top).exp() @ errors).clamp(min=SMALLEST).log() + top
    return (shares * each).sum(1)


def maximise(
    log_likelihoods: Callable[[Tensor], Tensor],
    start: Float[np.ndarray, " P"],
    weights: Float[np.ndarray, " N"],
    log_prior: Callable[[Tensor], Tensor] | None = None,
) -> Maximum:
    """Maximise the sum of weighted log-likelihoods, and a log prior if there is one.

    Args:
        log_likelihoods: gives the log-likelihood of each row, ``(N,)``, for parameters ``(P,)``.
        start: where to begin.
        weights: how much each row counts.
        log_prior: of parameters.

    >>> heights = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    >>> found = maximise(lambda p: -((heights - p) ** 2), np.zeros(1), np.ones(4))
    >>> found.parameters.round(6), found.covariance.round(6)  # the mean, and its variance
    (array([2.5]), array([[0.3125]]))
    """
    from scipy.optimize import minimize

    counts = torch.from_numpy(weights)
    total = float(counts.sum())

    def objective(p: Tensor) -> Tensor:
        value = (counts * log_likelihoods(p)).sum()
        return value if log_prior is None else value + log_prior(p)

    def negative(p: np.ndarray) -> tuple[float, np.ndarray]:
        at = torch.tensor(p, dtype=torch.float64, requires_grad=True)
        value = -objective(at) / total
        value.backward()
        assert at.grad is not None
        return float(value.detach()), at.grad.numpy()

    options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": 1e-13, "gtol": GRADIENT}
    found = minimize(negative, start, jac=True, method="L-BFGS-B", options=options)
    best = torch.from_numpy(np.array(found.x, dtype=np.float64))
    return Maximum(best.numpy(), partial(_sandwich, log_likelihoods, objective, best, counts))


def _sandwich(
    log_likelihoods: Callable[[Tensor], Tensor],
    objective: Callable[[Tensor], Tensor],
    at: Tensor,
    counts: Tensor,
) -> np.ndarray:
    """Return H^-1 J H^-1, column by column, for the rows may be many."""
    axes = torch.eye(len(at), dtype=at.dtype)
    gradient = torch.func.grad(objective)
    hessian = torch.stack([torch.func.jvp(gradient, (at,), (axis,))[1] for axis in axes])
    scores = torch.stack([torch.func.jvp(log_likelihoods, (at,), (axis,))[1] for axis in axes], 1)
    scores = scores * counts[:, None]
    inverse = torch.linalg.pinv((hessian + hessian.T) / 2, hermitian=True)
    return (inverse @ (scores.T @ scores) @ inverse).numpy()
