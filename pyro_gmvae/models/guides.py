"""Define the inference networks q(y|x) and q(z|x,y): one guide for each inference method."""

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
from pyro_gmvae.networks import GaussianHead, PlacedMixtureHead

__all__ = ["ConcreteGuide", "ExactGuide", "Guide", "MarginalGuide", "SparseGuide"]

ENUMERATED: InferDict = {"enumerate": "parallel"}
# A key of our own. Pyro's ELBOs ignore it and draw one value; they would assume that the enumerated
# values are complete.
ENUMERATED_IN_PART: Any = {"enumerate_in_part": True}


class Guide(PyroModule):
    """Infer q(y|x) q(z|x,y) with sites ``y`` and ``z`` inside ``pyro.plate("data", B)``.

    Subclasses define how site ``y`` is inferred, by `q_y` and ``infer_y``.

    Args:
        encoder: maps observations to the features for q(z|x,y).
        cluster_encoder: maps observations to the features for q(y|x); None shares ``encoder``.
        y_head: maps features to the logits of q(y|x).
        z_head: maps features and cluster to mean and scale of q(z|x,y).
        weights: the annealed quantities, shared with the model.
        event_dim: number of dimensions of one observation.
        label_weight: weight of log q(label|x) for labelled data, in nats.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> guide = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)).guide
    >>> isinstance(guide, Guide), guide.log_responsibilities(torch.ones(8, 4)).shape
    (True, torch.Size([8, 3]))
    """

    infer_y: ClassVar[InferDict] = {}
    # As in `pyro_gmvae.models.GenerativeModel`.
    component_dims: ClassVar[Mapping[str, int]] = {"y_head.weight": 0, "y_head.bias": 0}
    regularizer: Regularizer | None
    must_link: MustLink | None
    log_p_y: Callable[[], Tensor]  # the model's method
    tilt: Callable[..., Tensor | None] | None = None  # the model's method

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
        """Return the distribution of site ``y``, event shape ``(K,)``."""

    def q_z(
        self, features: Float[Tensor, "*batch F"], y: Float[Tensor, "*any K"]
    ) -> dist.TorchDistribution:
        """Return q(z|x,y), event shape ``(Z,)``."""
        return dist.Normal(*inferred(self.z_head, features, y)).to_event(1)

    def accept_known(self) -> None:
        """Refuse known clusters if the guide cannot represent a certain cluster."""

    def encode(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> tuple[Float[Tensor, "*batch F"], Float[Tensor, "*batch K"]]:
        """Compute the features for q(z|x,y) and the logits of q(y|x,w).

        These are the logits of q(y|x), tilted as the model tilts p(y) by w. Other covariates are
        ignored here; a subclass may use them.
        """
        features = self.encoder(x)
        logits = self.y_head(features if self.cluster_encoder is None else self.cluster_encoder(x))
        tilt = None if self.tilt is None else self.tilt(*covariates)
        return features, logits if tilt is None else logits + tilt

    def log_responsibilities(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """Compute log q(y|x)."""
        return self.encode(x, *covariates)[1].log_softmax(-1)

    def forward(
        self,
        x: Num[Tensor, "*batch_and_event"],
        y: Num[Tensor, "..."] | None = None,
        *covariates: Tensor,
    ) -> None:
        """Draw the latent sites for observations ``x``.

        A one-hot ``y`` is observed in the model and has no site here. Labels pin the site.

        Args:
            x, y, covariates: the arguments of the model.
        """
        features, logits = self.encode(x, *covariates)
        with pyro.plate("data", x.shape[-1 - self.event_dim], dim=-1):
            regularize(self, x, lambda: logits.log_softmax(-1), *covariates)
            if y is not None:
                self.accept_known()
            if y is None or is_labels(y):
                if y is not None:
                    # The ELBO subtracts a guide's log-density, so a reward is a negative factor.
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
        r"""Return :math:`q(z|x) = \sum_y q(y|x) q(z|x,y)` of the discrete model, in closed form."""
        features, logits = self.encode(x, *covariates)
        clusters = torch.eye(logits.shape[-1], dtype=logits.dtype, device=logits.device)
        loc, scale = self.z_head(features.unsqueeze(-2), clusters)
        return dist.MixtureSameFamily(
            dist.Categorical(logits=logits), dist.Normal(loc, scale).to_event(1)
        )


class ExactGuide(Guide):
    """Enumerate ``y`` in parallel, which sums over all K clusters exactly.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> guide = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)).guide
    >>> guide.q_y(torch.zeros(8, 3)).enumerate_support().shape  # every cluster for every datum
    torch.Size([3, 8, 3])
    """

    infer_y = ENUMERATED

    def q_y(self, logits: Float[Tensor, "*batch K"]) -> dist.TorchDistribution:
        return RelaxableOneHotCategorical(logits=logits)


class ConcreteGuide(Guide):
    """Relax ``y``: draw one reparametrised point inside the simplex.

    Args:
        args, kwargs: the arguments of `Guide`.
        relaxed_kl: score the draw by its relaxed density instead of the categorical mass.

    >>> from pyro_gmvae.models import ConcreteGMVAE
    >>> guide = ConcreteGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)).guide
    >>> y = guide.q_y(torch.zeros(8, 3)).rsample()  # inside the simplex
    >>> y.shape, bool((y.sum(-1) - 1).abs().max() < 1e-5)
    (torch.Size([8, 3]), True)
    """

    def __init__(self, *args: Any, relaxed_kl: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.relaxed_kl = relaxed_kl

    def accept_known(self) -> None:
        """Refuse known clusters with ``relaxed_kl``.

        The relaxed density of a certain cluster has no bound.

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
    """Enumerate the ``n_likeliest`` clusters and draw one of the rest, without bias.

    An ELBO that does not know the sparse weights, such as Pyro's own, gets one ordinary draw.

    Args:
        args, kwargs: the arguments of `Guide`.
        n_likeliest: m, how many clusters are summed exactly.
        drawn_share: the share of a batch for which the drawn cluster is scored in training; in
            evaluation it is scored for all data.

    >>> from pyro_gmvae.models import SparseGMVAE
    >>> guide = SparseGMVAE(4, n_components=9, latent_dim=2, hidden=(5,), n_likeliest=2).guide
    >>> guide.q_y(torch.zeros(8, 9)).enumerate_support().shape  # the two likeliest, and one draw
    torch.Size([3, 8, 9])
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
    """Infer q(z|x) only; the guide has no site ``y``, so the ELBO sums y out in the model.

    Args:
        encoder: maps observations to features.
        z_head: maps features to mean and scale of q(z|x).
        weights: the annealed quantities, shared with the model.
        event_dim: number of dimensions of one observation.

    >>> from pyro_gmvae.models import MarginalGMVAE
    >>> guide = MarginalGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)).guide
    >>> isinstance(guide, MarginalGuide), guide.posterior(torch.ones(8, 4)).event_shape
    (True, torch.Size([2]))
    """

    regularizer: Regularizer | None
    must_link: MustLink | None
    log_p_y: Callable[[], Tensor]  # the model's method
    log_p_y_given_z: Callable[..., Tensor]  # the model's method
    tilt: Callable[..., Tensor | None] | None = None  # the model's method

    def __init__(
        self,
        encoder: nn.Module,
        z_head: GaussianHead | PlacedMixtureHead,
        weights: ObjectiveWeights,
        *,
        event_dim: int,
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
        """Return q(z|x,w), event shape ``(Z,)``; a `GaussianHead` does not look at w."""
        features = self.encoder(x)
        if isinstance(self.z_head, PlacedMixtureHead) and self.tilt is not None:
            loc, scale = self.z_head(features, self.tilt(*covariates))
        else:
            loc, scale = self.z_head(features)
        return dist.Normal(loc, scale).to_event(1)

    def forward(
        self,
        x: Num[Tensor, "*batch_and_event"],
        y: Num[Tensor, "..."] | None = None,
        *covariates: Tensor,
    ) -> None:
        """Draw ``z`` for observations ``x``.

        Args:
            x, y, covariates: the arguments of the model.
        """
        q_z = self.posterior(x, *covariates)
        with pyro.plate("data", x.shape[-1 - self.event_dim], dim=-1):
            regularize(
                self, x, lambda: self.log_p_y_given_z(q_z.rsample(), *covariates), *covariates
            )
            with poutine.scale(scale=self.weights.z_kl_weight):
                pyro.sample("z", q_z)

    def log_responsibilities(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """Compute log p(y|z) at a draw of z from q(z|x)."""
        return self.log_p_y_given_z(self.posterior(x, *covariates).rsample(), *covariates)


def regularize(
    guide: Guide | MarginalGuide, x: Tensor, log_r: Callable[[], Tensor], *covariates: Tensor
) -> None:
    """Add the penalties of a guide in training mode, if it has any.

    Call it inside the plate of the data.

    Args:
        guide: the guide.
        x: the batch.
        log_r: computes the log responsibilities of the batch, shape ``(B, K)``; called only if
            there is a penalty.
        covariates: the covariates of the batch.
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
