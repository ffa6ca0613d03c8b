"""Define the four inference methods: pairs that differ in how the guide infers the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, SupportsIndex

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from pyro_gmvae.models.gmvae import GMVAE, built_in
from pyro_gmvae.models.guides import ConcreteGuide, ExactGuide, MarginalGuide, SparseGuide
from pyro_gmvae.models.objective import LEAST_WEIGHT, MOST_WEIGHT
from pyro_gmvae.models.table_networks import marginal_networks
from pyro_gmvae.networks import GaussianHead, feature_size
from pyro_gmvae.ranges import MOST_CLUSTERS, real, whole

__all__ = ["ConcreteGMVAE", "ExactGMVAE", "MarginalGMVAE", "SparseGMVAE"]


@built_in
class ExactGMVAE(GMVAE):
    """Sum over all K clusters, which takes K decoder passes per datum.

    Args:
        input_dim, n_components, latent_dim, options: as in `GMVAE`.

    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> gmvae.responsibilities(torch.ones(8, 4)).shape
    torch.Size([8, 3])
    """

    method = "exact"
    guide_class = ExactGuide


@built_in
class ConcreteGMVAE(GMVAE):
    """Relax ``y`` to a Concrete variable, which takes one decoder pass per datum.

    Args:
        input_dim, n_components, latent_dim, options: as in `GMVAE`.
        temperature: tau > 0; lower is closer to one-hot, with noisier gradients.
        kl: ``"categorical"`` uses the KL between categoricals; ``"relaxed"`` uses that between the
            relaxed densities, which gives the proper bound of the relaxed model, whose prior is
            relaxed too.

    Reference: Collier and Urdiales 2019, Scalable deep unsupervised clustering with Concrete
    GMVAEs, arXiv 1909.08994.

    >>> gmvae = ConcreteGMVAE(4, n_components=3, latent_dim=2, hidden=(5,), temperature=0.3)
    >>> gmvae.weights.temperature
    tensor(0.3000)
    """

    method = "concrete"
    guide_class = ConcreteGuide

    def __init__(
        self,
        input_dim: SupportsIndex | Sequence[int],
        n_components: int,
        latent_dim: int,
        *,
        temperature: float = 0.5,
        kl: Literal["categorical", "relaxed"] = "categorical",
        **options: Any,
    ) -> None:
        if kl not in ("categorical", "relaxed"):
            raise ValueError(f'kl must be "categorical" or "relaxed", got {kl!r}')
        relaxed = kl == "relaxed"
        super().__init__(
            input_dim,
            n_components,
            latent_dim,
            model_options={"relaxed": relaxed},
            guide_options={"relaxed_kl": relaxed},
            **options,
        )
        temperature = real("temperature", temperature, least=LEAST_WEIGHT, most=MOST_WEIGHT)
        self.weights.set(temperature=temperature)
        self.options |= {"temperature": temperature, "kl": kl}


@built_in
class SparseGMVAE(GMVAE):
    """Sum over the likeliest clusters and draw one of the rest, unbiased in expectation.

    This takes ``n_likeliest + drawn_share`` decoder passes per datum. It needs
    `pyro_gmvae.inference.TraceEnumMeanField_ELBO`, which knows the weight of the drawn cluster.
    Other ELBOs draw one cluster.

    Args:
        input_dim, n_components, latent_dim, options: as in `GMVAE`.
        n_likeliest: m, the number of clusters summed exactly.
        drawn_share: the share of a training batch whose drawn cluster is decoded. Data with more
            mass outside the likeliest clusters are more likely to be chosen, and the drawn cluster
            has a larger weight in the chosen data. With a share below 1 a step is shorter and the
            gradient varies more. The difference is small if q(y|x) is sure of most data, as under a
            regulariser.

    >>> gmvae = SparseGMVAE(4, n_components=3, latent_dim=2, hidden=(5,), n_likeliest=2)
    >>> gmvae.responsibilities(torch.ones(8, 4)).shape
    torch.Size([8, 3])
    """

    method = "sparse"
    guide_class = SparseGuide

    def __init__(
        self,
        input_dim: SupportsIndex | Sequence[int],
        n_components: int,
        latent_dim: int,
        *,
        n_likeliest: int = 1,
        drawn_share: float = 1.0,
        **options: Any,
    ) -> None:
        own: dict[str, Any] = {
            "n_likeliest": whole("n_likeliest", n_likeliest, least=1, most=MOST_CLUSTERS),
            "drawn_share": real("drawn_share", drawn_share, above=0, most=1),
        }
        super().__init__(input_dim, n_components, latent_dim, guide_options=own, **options)
        self.options |= own


@built_in
class MarginalGMVAE(GMVAE):
    """Infer q(z|x) only and sum ``y`` out in the model given z, with one decoder pass per datum.

    Labels act through the model alone, because there is no q(y|x) to learn them.

    Args:
        args, options: as in `GMVAE`, without those of q(y|x).

    >>> gmvae = MarginalGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> gmvae.responsibilities(torch.ones(8, 4)).shape
    torch.Size([8, 3])
    """

    method = "marginal"
    guide_class = MarginalGuide

    N_DRAWS: ClassVar[int] = 32
    draws: Tensor

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        size, generator = (self.N_DRAWS, self.latent_dim), torch.Generator().manual_seed(0)
        draws = torch.randn(size, generator=generator, dtype=torch.float32, device="cpu")
        # Made like the weights, which may have a shape alone.
        self.register_buffer("draws", draws.to(self.model.component_loc), persistent=False)
        self.guide.log_p_y_given_z = self.model.log_p_y_given_z

    def _inference_networks(
        self, encoder: nn.Module | None, cluster_encoder: nn.Module | None
    ) -> dict[str, Any]:
        if cluster_encoder is not None or self.options["shared_trunk"]:
            raise ValueError(
                "the marginal method has no q(y|x): leave out cluster_encoder and shared_trunk"
            )
        if self.options["table"] is not None:
            return marginal_networks(self.options, self.n_components, self.latent_dim)
        encoder, hidden = self._z_trunk(encoder, self._cluster_network, shared=False)
        n_features = feature_size(encoder, self.event_shape)
        return {"encoder": encoder, "z_head": GaussianHead(n_features, 0, hidden, self.latent_dim)}

    def responsibilities(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """Estimate E_q(z|x,w) p(y|z,w) by fixed draws of z, so that the result is reproducible."""
        q_z = self.guide.posterior(x, *covariates).base_dist
        # One draw at a time: the densities of all clusters for all draws would not fit in memory.
        noise = self.draws.to(q_z.loc)
        posteriors = (self.model.p_y_given_z(q_z.loc + q_z.scale * e, *covariates) for e in noise)
        return sum(posteriors, torch.zeros(())) / self.N_DRAWS
