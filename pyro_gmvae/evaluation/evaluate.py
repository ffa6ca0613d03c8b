"""Compute all figures of a model on some data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log, prod
from typing import Any

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation._batches import Transform
from pyro_gmvae.evaluation.clustering import (
    ClusteringScores,
    ClusterUsage,
    cluster_usage,
    clustering_scores,
)
from pyro_gmvae.evaluation.latents import responsibilities
from pyro_gmvae.evaluation.likelihood import LogLikelihood, log_likelihood
from pyro_gmvae.models import GMVAE
from pyro_gmvae.process.alone import alone

__all__ = ["Evaluation", "evaluate", "summarize"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Hold the log-likelihood of the data, the use of the clusters and the agreement with labels.

    Attributes:
        likelihood: log p(x), its errors and diagnostics.
        usage: clusters in use, entropies, mutual information.
        scores: accuracy, NMI and ARI, or None without labels.
        bits_per_dim: -log p(x) / (D log 2) for data of D entries, or None if p(x) is not a
            probability over the levels of 8-bit data.

    >>> from pyro_gmvae.models import MarginalGMVAE
    >>> gmvae = MarginalGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> evaluation = evaluate(gmvae, torch.ones(8, 4), num_samples=10)
    >>> evaluation.usage.clusters_in_use, evaluation.scores
    (1, None)
    """

    likelihood: LogLikelihood
    usage: ClusterUsage
    scores: ClusteringScores | None = None
    bits_per_dim: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain JSON, in nats per datum; a figure that is not finite is null.

        Scores and bits per dimension are left out if they are None.
        """
        figures: dict[str, Any] = {
            "n": len(self.likelihood.log_p),
            "log_likelihood": self.likelihood.mean,
            "log_likelihood_se": self.likelihood.standard_error,
            "num_samples": self.likelihood.num_samples,
            "effective_sample_size": self.likelihood.ess.median().item(),
            "pareto_k_bad_fraction": self.likelihood.pareto_k_bad_fraction,
            "elbo": self.likelihood.elbo,
            "clusters_in_use": self.usage.clusters_in_use,
            "entropy_y": self.usage.entropy_y,
            "entropy_y_given_x": self.usage.entropy_y_given_x,
            "mutual_information": self.usage.mutual_information,
        }
        if self.likelihood.weights is not None:
            figures["sum_of_weights"] = self.likelihood.weights.sum().item()
        if self.bits_per_dim is not None:
            figures["bits_per_dim"] = self.bits_per_dim
        if self.scores is not None:
            figures |= {
                "accuracy": self.scores.accuracy,
                "purity": self.scores.purity,
                "nmi": self.scores.nmi,
                "ari": self.scores.ari,
                "n_labelled": self.scores.n_labelled,
            }
        return {name: value if isfinite(value) else None for name, value in figures.items()}


@alone
def evaluate(
    gmvae: GMVAE,
    x: Shaped[Tensor, "N *event"],
    *,
    labels: Int[Tensor, " labels"] | None = None,
    num_samples: int = 500,
    covariates: Sequence[Tensor] = (),
    transform: Transform | None = None,
    encode_mean: Transform | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate a model under the discrete mixture, in the same way for every method.

    Args:
        gmvae: a model of any method.
        x: data, shape ``(N, *event)``.
        labels: known classes, -1 where missing.
        num_samples: importance samples for each datum.
        covariates: further arguments of the model's `p_x`, N rows each.
        transform: maps ``x`` to model scale, on which the likelihood is computed.
        encode_mean: the same map without random draws, for the clusters; ``transform`` if None.
        batch_size: data at a time.
        seed: fixes every draw.

    Raises:
        InputError: for data or labels that do not fit the model.
        ValueError: if a size is below 1.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> labels = torch.tensor([0, 0, 0, 0, 0, 0, -1, -1])
    >>> evaluation = evaluate(gmvae, torch.ones(8, 4), labels=labels, num_samples=10)
    >>> evaluation.scores.accuracy, evaluation.scores.n_labelled
    (1.0, 6)
    """
    # Check before the long part, not after it.
    if labels is not None and len(labels) != len(x):
        raise InputError(f"There are {len(labels)} labels for {len(x)} data.")
    likelihood = log_likelihood(
        gmvae,
        x,
        num_samples=num_samples,
        covariates=covariates,
        transform=transform,
        batch_size=batch_size,
        seed=seed,
    )
    q_y = responsibilities(
        gmvae,
        x,
        covariates=covariates,
        transform=encode_mean or transform,
        batch_size=batch_size,
        seed=seed,
    )
    return summarize(gmvae, likelihood, q_y, labels)


def summarize(
    gmvae: GMVAE,
    likelihood: LogLikelihood,
    responsibilities: Float[Tensor, "N K"],
    labels: Int[Tensor, " labels"] | None = None,
) -> Evaluation:
    """Put the figures of a model on some data together.

    The weights of the data, which `likelihood` holds, count in all means; the scores count each
    datum once.

    Args:
        gmvae: the model.
        likelihood: its log-likelihood of the data.
        responsibilities: its q(y|x).
        labels: known classes, -1 where missing.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae, x = ExactGMVAE(4, n_components=2, latent_dim=2, hidden=(5,)), torch.ones(8, 4)
    >>> q_y = torch.eye(2)[[0, 0, 0, 0, 0, 0, 1, 1]]
    >>> evaluation = summarize(gmvae, log_likelihood(gmvae, x, num_samples=10), q_y)
    >>> evaluation.usage.share.tolist()
    [0.75, 0.25]
    """
    scores = None
    if labels is not None and bool((labels >= 0).any()):
        scores = clustering_scores(labels.cpu(), responsibilities.argmax(-1))
    bits_per_dim = None
    if gmvae.model.likelihood.support == "levels":
        bits_per_dim = -likelihood.mean / (prod(gmvae.event_shape) * log(2))
    usage = cluster_usage(responsibilities, likelihood.weights)
    return Evaluation(likelihood, usage, scores, bits_per_dim)
