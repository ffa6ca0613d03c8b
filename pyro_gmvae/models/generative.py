"""Define the generative model y -> z -> x, one class for all four inference methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import expm1, log
from typing import ClassVar

import pyro
import pyro.distributions as dist
import torch
from jaxtyping import Float, Num
from pyro import poutine
from pyro.nn import PyroModule
from torch import Tensor, nn
from torch.nn.functional import softplus

from pyro_gmvae.distributions import Concrete, RelaxableOneHotCategorical
from pyro_gmvae.likelihoods import Likelihood
from pyro_gmvae.models.effects import observation
from pyro_gmvae.models.labels import is_labels, label_log_evidence
from pyro_gmvae.models.membership import MembershipLogit
from pyro_gmvae.models.objective import ObjectiveWeights
from pyro_gmvae.networks import MIN_SCALE, xavier_normal
from pyro_gmvae.networks.gates import FEW, Gates, nearest_clusters

__all__ = ["GenerativeModel"]


class GenerativeModel(PyroModule):
    r"""Draw a cluster y, a style z in that cluster, and an observation x from the style.

    .. math::
        y \sim \mathrm{Categorical}(\pi), \quad
        z | y \sim N(\mu_y, \mathrm{diag}\, \sigma_y^2), \quad
        x | z \sim p(x | \mathrm{decoder}(z))

    This is a Pyro program with sites ``y`` (one-hot), ``z`` and ``x`` inside
    ``pyro.plate("data", B)``.

    With covariates w the cluster is drawn from p(y|w) (see `MembershipLogit`). They are the first
    argument after ``y``; without it, p(y) stands for a datum of which no covariate is known.

    Subclass it to change one conditional: `p_y`, `p_z` or `p_x`. The other arguments after ``y``
    (exposures) are passed on to `p_x`, and a subclass may use them there.

    Args:
        decoder: maps latents ``(..., B, Z)`` to likelihood parameters ``(..., B, *output_shape)``.
        likelihood: turns the decoder's output into p(x|z).
        n_components: K.
        latent_dim: Z.
        weights: the annealed quantities, shared with the guide.
        learn_mixture: learn p(y); otherwise it is uniform.
        n_covariates: P, covariates of p(y|w); 0 for none.
        relaxed: make ``y`` a relaxed variable in the model too, which gives the bound of the
            relaxed model (see `pyro_gmvae.distributions.Concrete`).

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> model = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)).model
    >>> isinstance(model, GenerativeModel), model(y=torch.eye(3)).shape  # one x from each cluster
    (True, torch.Size([3, 4]))
    """

    # Tensors with a place for each cluster, and the dimension of that place.
    component_dims: ClassVar[Mapping[str, int]] = {
        "component_loc": 0,
        "component_raw_scale": 0,
        "mixture_logits": 0,
    }

    def __init__(
        self,
        decoder: nn.Module,
        likelihood: Likelihood,
        n_components: int,
        latent_dim: int,
        weights: ObjectiveWeights,
        *,
        learn_mixture: bool = False,
        n_covariates: int = 0,
        relaxed: bool = False,
    ) -> None:
        super().__init__("model")
        self.n_components = n_components
        self.latent_dim = latent_dim
        self.relaxed = relaxed
        self.weights = weights
        self.decoder = decoder
        self.likelihood = likelihood
        # Components start close together and separate as needed. If they start far apart in many
        # dimensions, the ELBO rises more slowly.
        self.component_loc = nn.Parameter(xavier_normal(n_components, latent_dim))
        start = log(expm1(1.0))  # sigma_y = 1
        self.component_raw_scale = nn.Parameter(torch.full((n_components, latent_dim), start))
        mixture_logits = torch.zeros(n_components)
        if learn_mixture:
            self.mixture_logits = nn.Parameter(mixture_logits)
        else:
            self.register_buffer("mixture_logits", mixture_logits)
        self.membership = MembershipLogit(n_covariates, n_components) if n_covariates else None

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Return the shape of one observation."""
        return self.likelihood.event_shape

    @property
    def component_scale(self) -> Float[Tensor, "K Z"]:
        """Return sigma_y, the standard deviations of p(z|y)."""
        return softplus(self.component_raw_scale) + MIN_SCALE

    def components(self) -> tuple[Float[Tensor, "K Z"], Float[Tensor, "K Z"]]:
        """Return mu_y and sigma_y."""
        return self.component_loc, self.component_scale

    def tilt(self, *covariates: Tensor) -> Float[Tensor, "*batch K"] | None:
        """Compute log p(y|w) - log p(y) but for a constant; None without covariates."""
        if self.membership is None or not covariates:
            return None
        tilt: Tensor = self.membership(covariates[0])
        return tilt

    def covariates_of_y(self, covariates: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the arguments of `p_y` and `log_p_y`: w, of a model that has p(y|w)."""
        return () if self.membership is None else tuple(covariates[:1])

    def covariates_of_x(self, covariates: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the arguments of `p_x` after z: all covariates but that of p(y|w)."""
        return tuple(covariates if self.membership is None else covariates[1:])

    def y_logits(self, *covariates: Tensor) -> Float[Tensor, "*batch K"]:
        """Compute the logits of p(y|w), of p(y) without covariates."""
        tilt = self.tilt(*covariates)
        return self.mixture_logits if tilt is None else self.mixture_logits + tilt

    def p_y(self, *covariates: Tensor) -> dist.TorchDistribution:
        """Return p(y|w), of p(y) without covariates, event shape ``(K,)``."""
        logits = self.y_logits(*covariates)
        if self.relaxed:
            return Concrete(self.weights.temperature, logits=logits)
        return RelaxableOneHotCategorical(logits=logits)

    def p_z(self, y: Float[Tensor, "*batch K"]) -> dist.TorchDistribution:
        """Return p(z|y), event shape ``(Z,)``; a relaxed y blends the components' parameters."""
        return dist.Normal(y @ self.component_loc, y @ self.component_scale).to_event(1)

    def p_x(self, z: Float[Tensor, "*batch Z"]) -> dist.TorchDistribution:
        """Return p(x|z), event shape `event_shape`."""
        return self.likelihood(self.decoder(z))

    def forward(
        self,
        x: Num[Tensor, "*batch_and_event"] | None = None,
        y: Num[Tensor, "..."] | None = None,
        *covariates: Tensor,
    ) -> Tensor:
        """Draw or score a batch.

        Args:
            x: observations, shape ``(B, *event_shape)``; None draws them.
            y: one-hot clusters, shape ``(B, K)``; or integer labels, shape ``(B,)``, -1 where
                missing; None draws or infers them. With neither x nor y, B is 1.
            covariates: w, ``(B, P)``, if there are covariates of p(y|w); what follows is passed
                on to `p_x`.

        Returns:
            The value of site ``x``.
        """
        labels = y if is_labels(y) else None
        of_x = self.covariates_of_x(covariates)
        p_y = self.p_y(*self.covariates_of_y(covariates))
        with pyro.plate("data", self._batch_size(x, y), dim=-1):
            with poutine.scale(scale=self.weights.kl_weight):
                y = pyro.sample(
                    "y",
                    p_y,
                    obs=None if labels is not None else y,
                    # It is summed out here only if the guide has no site y.
                    infer={"enumerate": "parallel"} if p_y.has_enumerate_support else {},
                )
            if labels is not None:
                pyro.factor("label", label_log_evidence(y, labels))
            with poutine.scale(scale=self.weights.z_kl_weight):
                z = pyro.sample("z", self.p_z(y))
            return pyro.sample("x", observation(self.p_x, z, *of_x), obs=x)

    def _batch_size(self, x: Tensor | None, y: Tensor | None) -> int:
        if x is not None:
            return x.shape[-1 - len(self.event_shape)]
        if y is not None:
            return y.shape[0] if is_labels(y) else y.shape[-2]
        return 1

    # Evaluation needs the model's distributions of z under the discrete y.

    def log_p_z_given_y(self, z: Float[Tensor, "*batch Z"]) -> Float[Tensor, "*batch K"]:
        """Compute log p(z|y) for every cluster."""
        components = dist.Normal(self.component_loc, self.component_scale).to_event(1)
        return components.log_prob(z.unsqueeze(-2))

    def log_p_y(self, *covariates: Tensor) -> Float[Tensor, "*batch K"]:
        """Compute log p(y|w), log p(y) without covariates."""
        return torch.log_softmax(self.y_logits(*covariates), -1)

    def log_p_z(self, z: Float[Tensor, "*batch Z"], *covariates: Tensor) -> Float[Tensor, "*batch"]:
        r"""Compute :math:`\log p(z|w) = \log \sum_y p(y|w) p(z|y)`."""
        return self._log_joint(z, covariates).logsumexp(-1)

    def log_p_y_given_z(
        self, z: Float[Tensor, "*batch Z"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """Compute the log of the posterior p(y|z,w), exactly by Bayes' rule."""
        return self._log_joint(z, covariates).log_softmax(-1)

    def _log_joint(self, z: Tensor, covariates: Sequence[Tensor]) -> Tensor:
        return self.log_p_y(*self.covariates_of_y(covariates)) + self.log_p_z_given_y(z)

    def gates(self, z: Float[Tensor, "B Z"]) -> Gates:
        """Compute p(y|z) and (z - mu_y) / sigma_y, of many clusters those of the nearest."""
        log_p_y, loc, scale = self.log_p_y(), *self.components()
        near = None
        if self.n_components > FEW:
            near = nearest_clusters(z, loc, scale, log_p_y)
            log_p_y, loc, scale = log_p_y[near], loc[near], scale[near]
        u = (z.unsqueeze(-2) - loc) / scale
        log_joint = log_p_y - 0.5 * (u * u).sum(-1) - scale.log().sum(-1)
        return Gates(log_joint.softmax(-1), u, near)

    def p_y_given_z(
        self, z: Float[Tensor, "*batch Z"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """Compute the posterior p(y|z,w)."""
        return self.log_p_y_given_z(z, *covariates).exp()
