r"""Fit p(y|w) beside the laws of clusters, and let a GMVAE begin at it.

With covariates w the mixture is :math:`p(x|w) = \sum_y p(y|w) p(x|y)`, and the E step is that of a
mixture whose shares differ from row to row. The M step of p(y|w) is a multinomial logit of the
responsibilities, beside that of the laws (Dayton and Macready 1988, "Concomitant-variable
latent-class models", Journal of the American Statistical Association 83).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from pyro_gmvae.fitting.starts.heads import cluster_head
from pyro_gmvae.models import GMVAE, MarginalGuide
from pyro_gmvae.networks import PlacedMixtureHead

__all__ = ["Joined", "MembershipRows", "begin_membership", "centre_membership", "join"]

WIDE = 10.0  # standard deviation of the prior of a coefficient, per deviation of its column
ROUNDS, GAIN = 500, 1e-6  # rounds at most, and nats a row by which one must gain to go on
MANY_ROWS, FEW_ROUNDS = 10_000, 50  # with more rows a round takes long
STEPS, LAST_STEPS = 5, 200  # of the logit in a round, and at the end
SMALLEST = 1e-30  # of a responsibility whose logarithm is taken

Laws = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class MembershipRows:
    """Hold the covariates of rows, in float64 on the CPU.

    Attributes:
        design: a column of ones, and the P standardised covariates, ``(N, 1 + P)``.
        weights: how much each row counts, ``(N,)``.

    >>> rows = MembershipRows.of(torch.tensor([[-1.0], [1.0]]))
    >>> r = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    >>> rows.log_p(rows.fitted(r, steps=50)).exp().round(decimals=1)
    tensor([[0.9000, 0.1000],
            [0.1000, 0.9000]], dtype=torch.float64)
    """

    design: Float64[Tensor, "N columns"]
    weights: Float64[Tensor, " N"]

    @classmethod
    def of(
        cls, w: Float[Tensor, "N P"], weights: Float[Tensor, " N"] | None = None
    ) -> MembershipRows:
        """Take covariates on model scale."""
        w = w.double().cpu()
        ones = torch.ones(len(w), 1, dtype=torch.float64)
        kept = ones[:, 0] if weights is None else weights.double().cpu()
        return cls(torch.cat([ones, w], 1), kept)

    def take(self, rows: Int64[Tensor, " n"]) -> MembershipRows:
        """Take some rows."""
        return MembershipRows(self.design[rows], self.weights[rows])

    def weighted(self, weights: Float[Tensor, " N"]) -> MembershipRows:
        """Let the rows count by other weights."""
        return MembershipRows(self.design, weights.double())

    def log_p(self, coefficients: Float64[Tensor, "columns K"]) -> Float64[Tensor, "N K"]:
        """Compute log p(y|w) of each row."""
        return (self.design @ coefficients).log_softmax(-1)

    def fitted(
        self,
        r: Float[Tensor, "N K"],
        begun: Float64[Tensor, "columns K"] | None = None,
        *,
        steps: int,
    ) -> Float64[Tensor, "columns K"]:
        """Improve the logit of responsibilities by steps of L-BFGS: the M step of p(y|w).

        A weak prior keeps coefficients finite where a covariate parts the clusters. It also lets
        the coefficients of all clusters sum to 0, for the likelihood sees only their differences.

        Args:
            r: p(y|x,w) of each row.
            begun: the coefficients to begin at; None is 0.
            steps: at most.
        """
        from scipy.optimize import minimize

        x, target = self.design.numpy(), (self.weights.unsqueeze(-1) * r.double()).numpy()
        total = max(float(self.weights.sum()), 1e-9)
        each = target.sum(1, keepdims=True)
        shape = (x.shape[1], r.shape[1])

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            coefficients = flat.reshape(shape)
            logits = x @ coefficients
            logits -= logits.max(1, keepdims=True)
            shares = np.exp(logits)
            sums = shares.sum(1, keepdims=True)
            value = (target * (logits - np.log(sums))).sum() - (flat @ flat) / (2 * WIDE**2)
            gradient = x.T @ (target - each * shares / sums) - coefficients / WIDE**2
            return -value / total, -gradient.ravel() / total

        start = np.zeros(shape) if begun is None else begun.numpy()
        options = {"maxiter": steps, "ftol": 1e-14, "gtol": 1e-9}
        found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options)
        return torch.from_numpy(np.array(found.x).reshape(shape))


@dataclass(frozen=True, eq=False)
class Joined:
    """Hold what a fit of laws and logit found.

    Attributes:
        responsibilities: p(y|x,w), ``(N, K)``.
        coefficients: of the logit, the constants first, ``(1 + P, K)``.

    >>> Joined(torch.eye(2).double(), torch.zeros(1, 2).double()).responsibilities.sum().item()
    2.0
    """

    responsibilities: Float64[Tensor, "N K"]
    coefficients: Float64[Tensor, "columns K"]


def join(
    rows: MembershipRows,
    begun: Float[Tensor, "N K"],
    laws: Laws,
    *,
    rounds: int | None = None,
    least_gain: float = GAIN,
) -> Joined:
    """Fit laws of clusters and p(y|w) together, by expectation maximisation.

    Args:
        rows: the covariates.
        begun: the first responsibilities.
        laws: estimates the laws from responsibilities, and gives log p(x|y) of each row; laws that
            are kept give the same whatever the responsibilities.
        rounds: at most; None is 500, or 50 for more than 10,000 rows.
        least_gain: nats a row by which a round must raise a fit that goes on.

    >>> w = torch.linspace(-2, 2, 100).unsqueeze(-1)
    >>> log_p_x = torch.zeros(100, 2)  # x tells nothing: the shares alone are fitted
    >>> first = torch.tensor([0.25, 0.75]).expand(100, 2)
    >>> found = join(MembershipRows.of(w), first, lambda r: log_p_x)
    >>> found.responsibilities.mean(0).round(decimals=2).tolist()
    [0.25, 0.75]
    """
    r, coefficients, value = begun.double(), None, -torch.inf
    if rounds is None:
        rounds = ROUNDS if len(begun) <= MANY_ROWS else FEW_ROUNDS
    for _ in range(rounds):
        log_p_x = laws(r).double()
        coefficients = rows.fitted(r, coefficients, steps=STEPS)
        joint = log_p_x + rows.log_p(coefficients)
        log_p = joint.logsumexp(-1)
        r = (joint - log_p.unsqueeze(-1)).exp()
        reached = float(rows.weights @ log_p / rows.weights.sum())
        if reached - value < least_gain:
            break
        value = reached
    coefficients = rows.fitted(r, coefficients, steps=LAST_STEPS)
    return Joined((laws(r).double() + rows.log_p(coefficients)).softmax(-1), coefficients)


@torch.no_grad()
def begin_membership(
    gmvae: GMVAE, q: Float[Tensor, "N K"], w: Float[Tensor, "N P"], weights: Tensor | None
) -> None:
    """Fit p(y|w) to a pair that has begun without covariates, whose laws are kept.

    The responsibilities q(y|x) give log p(x|y) but for a constant of each row, by Bayes' rule. A
    pair that began at a mixture is then exactly that mixture with covariates.

    Args:
        gmvae: a pair with covariates.
        q: q(y|x) of the rows.
        w: their covariates on model scale.
        weights: how much each row counts; None if all count alike.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(
    ...     1, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian", learn_mixture=True,
    ...     n_covariates=1,
    ... )
    >>> w, q = torch.tensor([[-1.0], [-1.0], [1.0], [1.0]]), torch.eye(2)[[0, 0, 1, 1]]
    >>> begin_membership(gmvae, q, w, None)
    >>> gmvae.model.log_p_y(w).argmax(-1).tolist()
    [0, 0, 1, 1]
    """
    rows = MembershipRows.of(w, weights)
    log_p_y = gmvae.model.log_p_y().double().cpu()
    log_p_x = q.double().clamp(min=SMALLEST).log() - log_p_y
    found = join(rows, q, lambda r: log_p_x)
    constant, slope = found.coefficients[0], found.coefficients[1:].T
    membership = gmvae.model.membership
    assert membership is not None
    membership.slope.copy_(slope.to(membership.slope))
    membership.constant.copy_((constant - log_p_y).to(membership.constant))
    centre_membership(gmvae, w, weights)


@torch.no_grad()
def centre_membership(gmvae: GMVAE, w: Float[Tensor, "N P"], weights: Tensor | None) -> None:
    """Let p(y) be the mean of p(y|w) over rows, without a change of p(y|w) or q(y|x,w).

    Then q(y|x) without covariates is the posterior of a row like them of which none is known.

    Args:
        gmvae, w, weights: as in `begin_membership`.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(
    ...     1, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian", learn_mixture=True,
    ...     n_covariates=1,
    ... )
    >>> _ = gmvae.model.membership.constant.data.copy_(torch.tensor([0.0, 3.0]))
    >>> w = torch.tensor([[-1.0], [1.0]])
    >>> centre_membership(gmvae, w, None)
    >>> mean = gmvae.model.log_p_y(w).exp().mean(0)
    >>> bool((gmvae.model.log_p_y().exp() - mean).abs().max() < 1e-5)
    True
    """
    model, membership = gmvae.model, gmvae.model.membership
    assert membership is not None
    each = model.log_p_y(w.to(model.component_loc)).double()
    counts = torch.ones(len(w)) if weights is None else weights
    counts = counts.to(each)
    mean = (counts.unsqueeze(-1) * each.exp()).sum(0) / counts.sum()
    moved = (mean.clamp(min=SMALLEST).log() - model.log_p_y().double()).to(model.component_loc)
    model.mixture_logits.copy_(model.log_p_y() + moved)
    membership.constant.sub_(moved)
    head = _logits_layer(gmvae)
    if head is not None:
        head.bias.add_(moved)


def _logits_layer(gmvae: GMVAE) -> nn.Linear | None:
    """Return the layer of the logits of q(y|x); the marginal method may have none."""
    guide = gmvae.guide
    if isinstance(guide, MarginalGuide) and not isinstance(guide.z_head, PlacedMixtureHead):
        return None
    return cluster_head(gmvae)
