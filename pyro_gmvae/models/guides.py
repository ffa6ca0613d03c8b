"""The inference networks q(y|x) and q(z|x,y): one guide for each inference method."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pyro
import pyro.distributions as dist
import torch
from jaxtyping import Float, Num
from pyro import poutine
from pyro.nn import PyroModule
from pyro.poutine.runtime import InferDict
from torch import Tensor, nn

from pyro_gmvae.distributions import (
    Concrete,
    ConcreteCategorical,
    RelaxableOneHotCategorical,
    SparseOneHotCategorical,
)
from pyro_gmvae.models.effects import inferred
from pyro_gmvae.models.labels import is_labels, label_log_prob, pin_logits
from pyro_gmvae.models.must_link import MustLink
from pyro_gmvae.models.objective import ObjectiveWeights
from pyro_gmvae.models.regularization import Regularizer
from pyro_gmvae.networks import GaussianHead

__all__ = ["ConcreteGuide", "ExactGuide", "Guide", "MarginalGuide", "SparseGuide"]

ENUMERATED: InferDict = {"enumerate": "parallel"}
# A key of ours: Pyro's ELBOs, which would take these values for all there are, draw one instead.
ENUMERATED_IN_PART: Any = {"enumerate_in_part": True}


class Guide(PyroModule):
    """q(y|x) q(z|x,y) with sites ``y`` and ``z`` inside ``pyro.plate("data", B)``.

    Subclasses say how site ``y`` is inferred (`q_y` and ``infer_y``).

    Args:
        encoder: observations to the features that q(z|x,y) sees.
        cluster_encoder: observations to the features that q(y|x) sees; None shares ``encoder``.
        y_head: features to the logits of q(y|x).
        z_head: features and cluster to mean and scale of q(z|x,y).
        weights: the annealed quantities, shared with the model.
        event_dim: number of dimensions of one observation.
        label_weight: weight of log q(label|x) for labelled data, in nats.
    """

    infer_y: ClassVar[InferDict] = {}
    # As in `pyro_gmvae.models.GenerativeModel`.
    component_dims: ClassVar[Mapping[str, int]] = {"y_head.weight": 0, "y_head.bias": 0}
    regularizer: Regularizer | None
    must_link: MustLink | None
    log_p_y: Callable[[], Tensor]  # of the model

    def __init__(
        self,
        encoder: nn.Module,
        cluster_encoder: nn.Module | None,
        y_head: nn.Module,
        z_head: GaussianHead,
        weights: ObjectiveWeights,
        *,
        event_dim: int,
        label_weight: float = 1.0,
    ) -> None:
        super().__init__("guide")
        self.encoder = encoder
        self.cluster_encoder = cluster_encoder
        self.y_head = y_head
        self.z_head = z_head
        self.weights = weights
        self.event_dim = event_dim
        self.label_weight = label_weight
        self.regularizer = None
        self.must_link = None

    @abstractmethod
    def q_y(self, logits: Float[Tensor, "*batch K"]) -> dist.TorchDistribution:
        """The distribution of site ``y``."""

    def q_z(
        self, features: Float[Tensor, "*batch F"], y: Float[Tensor, "*any K"]
    ) -> dist.TorchDistribution:
        """q(z|x,y), event shape ``(Z,)``."""
        return dist.Normal(*inferred(self.z_head, features, y)).to_event(1)

    def accept_known(self) -> None:
        """Refuse known clusters where the guide cannot be certain of one."""

    def encode(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> tuple[Float[Tensor, "*batch F"], Float[Tensor, "*batch K"]]:
        """The features that q(z|x,y) sees, and the logits of q(y|x).

        Covariates are for a subclass to use; q need not look at them.
        """
        features = self.encoder(x)
        cluster_features = features if self.cluster_encoder is None else self.cluster_encoder(x)
        return features, self.y_head(cluster_features)

    def log_responsibilities(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """log q(y|x)."""
        return self.encode(x, *covariates)[1].log_softmax(-1)

    def forward(
        self,
        x: Num[Tensor, "*batch_and_event"],
        y: Num[Tensor, "..."] | None = None,
        *covariates: Tensor,
    ) -> None:
        """Draw the latent sites for observations ``x``; arguments as the model's.

        A one-hot ``y`` is observed in the model and has no site here; labels pin the site.
        """
        features, logits = self.encode(x, *covariates)
        with pyro.plate("data", x.shape[-1 - self.event_dim], dim=-1):
            regularize(self, x, lambda: logits.log_softmax(-1), *covariates)
            if y is not None:
                self.accept_known()
            if y is None or is_labels(y):
                if y is not None:
                    # The ELBO subtracts a guide's log-density: a reward is a negative factor.
                    reward = self.label_weight * label_log_prob(logits, y)
                    pyro.factor("classifier", -reward, has_rsample=True)
                    logits = pin_logits(logits, y)
                with poutine.scale(scale=self.weights.kl_weight):
                    y = pyro.sample("y", self.q_y(logits), infer=self.infer_y.copy())
            with poutine.scale(scale=self.weights.z_kl_weight):
                pyro.sample("z", self.q_z(features, y))

    def posterior(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> dist.TorchDistribution:
        r""":math:`q(z|x) = \sum_y q(y|x) q(z|x,y)` of the discrete model, in closed form."""
        features, logits = self.encode(x, *covariates)
        clusters = torch.eye(logits.shape[-1], dtype=logits.dtype, device=logits.device)
        loc, scale = self.z_head(features.unsqueeze(-2), clusters)
        return dist.MixtureSameFamily(
            dist.Categorical(logits=logits), dist.Normal(loc, scale).to_event(1)
        )


class ExactGuide(Guide):
    """``y`` enumerated in parallel: the sum over all K clusters, exact in y."""

    infer_y = ENUMERATED

    def q_y(self, logits: Float[Tensor, "*batch K"]) -> dist.TorchDistribution:
        return RelaxableOneHotCategorical(logits=logits)


class ConcreteGuide(Guide):
    """``y`` relaxed: one reparametrised draw inside the simplex.

    Args:
        relaxed_kl: score the draw by its relaxed density rather than by the categorical mass.
    """

    def __init__(self, *args: Any, relaxed_kl: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.relaxed_kl = relaxed_kl

    def accept_known(self) -> None:
        """The relaxed density of a certain cluster is without bound.

        Raises:
            ValueError: with ``relaxed_kl``.
        """
        if self.relaxed_kl:
            raise ValueError(
                'known clusters need kl="categorical": a relaxed density has no certain cluster'
            )

    def q_y(self, logits: Float[Tensor, "*batch K"]) -> dist.TorchDistribution:
        family = Concrete if self.relaxed_kl else ConcreteCategorical
        return family(self.weights.temperature, logits=logits)


class SparseGuide(Guide):
    """The ``n_likeliest`` clusters enumerated and one more drawn from the rest: unbiased.

    Pyro's own ELBOs, and what else does not know the sparse weights, see one ordinary draw.

    Args:
        n_likeliest: m, how many clusters are summed exactly.
        drawn_share: the share of a batch that the drawn one counts for in training; in evaluation
            it counts for all.
    """

    infer_y = ENUMERATED_IN_PART

    def __init__(
        self, *args: Any, n_likeliest: int = 1, drawn_share: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.n_likeliest = n_likeliest
        self.drawn_share = drawn_share

    def q_y(self, logits: Float[Tensor, "*batch K"]) -> dist.TorchDistribution:
        if self.n_likeliest >= logits.shape[-1]:
            return RelaxableOneHotCategorical(logits=logits)  # no rest to draw from
        share = self.drawn_share if self.training else 1.0
        return SparseOneHotCategorical(
            logits=logits, n_likeliest=self.n_likeliest, drawn_share=share
        )


class MarginalGuide(PyroModule):
    """q(z|x) only; without a site ``y`` here the ELBO sums it out in the model.

    Args: those of `Guide` that concern z.
    """

    regularizer: Regularizer | None
    must_link: MustLink | None
    log_p_y: Callable[[], Tensor]  # of the model
    log_p_y_given_z: Callable[[Tensor], Tensor]  # of the model

    def __init__(
        self, encoder: nn.Module, z_head: GaussianHead, weights: ObjectiveWeights, *, event_dim: int
    ) -> None:
        super().__init__("guide")
        self.encoder = encoder
        self.z_head = z_head
        self.weights = weights
        self.event_dim = event_dim
        self.regularizer = None
        self.must_link = None

    def posterior(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> dist.TorchDistribution:
        """q(z|x), event shape ``(Z,)``."""
        return dist.Normal(*self.z_head(self.encoder(x))).to_event(1)

    def forward(
        self,
        x: Num[Tensor, "*batch_and_event"],
        y: Num[Tensor, "..."] | None = None,
        *covariates: Tensor,
    ) -> None:
        """Draw ``z`` for observations ``x``; arguments as the model's."""
        q_z = self.posterior(x, *covariates)
        with pyro.plate("data", x.shape[-1 - self.event_dim], dim=-1):
            regularize(self, x, lambda: self.log_p_y_given_z(q_z.rsample()), *covariates)
            with poutine.scale(scale=self.weights.z_kl_weight):
                pyro.sample("z", q_z)

    def log_responsibilities(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """log p(y|z) at a draw of z from q(z|x)."""
        return self.log_p_y_given_z(self.posterior(x, *covariates).rsample())


def regularize(
    guide: Guide | MarginalGuide, x: Tensor, log_r: Callable[[], Tensor], *covariates: Tensor
) -> None:
    """Add the penalties that a guide is trained with, if there are any and it is being trained.

    Args:
        guide: within the plate of the data.
        x: the batch.
        log_r: its log responsibilities, shape ``(B, K)``, asked for where they are needed.
        covariates: as the guide's.
    """
    if not guide.training or (guide.regularizer is None and guide.must_link is None):
        return
    log_r_of_x = log_r()
    if guide.regularizer is not None:
        with poutine.scale(scale=guide.weights.regularizer_weight):
            guide.regularizer(
                lambda moved: guide.log_responsibilities(moved, *covariates),
                x,
                log_r_of_x,
                guide.log_p_y(),
            )
    if guide.must_link is not None:
        guide.must_link(guide.log_responsibilities, log_r_of_x)
