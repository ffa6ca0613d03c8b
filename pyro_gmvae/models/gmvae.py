"""The four GMVAEs: pairs of a generative model and a guide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from operator import index
from types import MappingProxyType
from typing import Any, ClassVar, Literal, SupportsIndex

import pyro
import pyro.distributions as dist
import torch
from jaxtyping import Float, Num
from pyro.nn import PyroModule
from torch import Tensor, nn

from pyro_gmvae.likelihoods import Likelihood, make_likelihood
from pyro_gmvae.models.generative import GenerativeModel
from pyro_gmvae.models.guides import ConcreteGuide, ExactGuide, MarginalGuide, SparseGuide
from pyro_gmvae.models.must_link import MUST_LINK, MustLink
from pyro_gmvae.models.objective import ObjectiveWeights
from pyro_gmvae.models.regularization import PENALTIES, Regularizer
from pyro_gmvae.networks import (
    ConvDecoder,
    ConvEncoder,
    ConvSizes,
    GaussianHead,
    MLPDecoder,
    MLPEncoder,
    feature_size,
    linear,
)

__all__ = [
    "GMVAE",
    "METHODS",
    "ConcreteGMVAE",
    "ExactGMVAE",
    "MarginalGMVAE",
    "SparseGMVAE",
    "built_in",
]

METHODS: dict[str, type[GMVAE]] = {}


def built_in(pair: type[GMVAE]) -> type[GMVAE]:
    """Enter a pair in `METHODS` under its method's name, so that runs and commands find it."""
    METHODS[pair.method] = pair
    return pair


class GMVAE(nn.Module):
    """What the four methods share: the generative networks and the discrete posterior.

    ``.model`` and ``.guide`` are PyroModules called as ``(x, y=None, *covariates)``; Pyro's own
    tools work on them unmodified. Subclass one of the four with another ``model_class`` to change
    a conditional of the generative model.

    Args:
        input_dim: number of features, or the shape of one observation, such as ``(1, 28, 28)``.
        n_components: K, the number of clusters.
        latent_dim: Z, the size of the style z.
        hidden: sizes of the hidden layers of every built-in network; with convolutions only the
            last is used, for the layer where features and cluster meet.
        likelihood: p(x|z): a name of `pyro_gmvae.likelihoods`, a `Likelihood` class or instance.
        encoder: replaces the built-in one; maps ``(B, *event)`` to features ``(B, F)``.
        decoder: replaces the built-in one; maps ``(..., Z)`` to ``(..., *output_shape)`` of the
            likelihood.
        cluster_encoder: an encoder for q(y|x) alone; without it a given ``encoder`` serves both.
        shared_trunk: let q(y|x) and q(z|x,y) share the built-in encoder; otherwise each has
            its own.
        learn_mixture: learn p(y); otherwise it is uniform.
        label_weight: weight of log q(label|x) for labelled data, in nats.
        network: what is built in: linear layers, or convolutions for images.
        cluster_network: the same for the encoder that tells the cluster: that of q(y|x), or of
            q(z|x) in the marginal method; None is as ``network``.
        conv: sizes of the convolutional networks; None takes `ConvSizes.for_images`.
        model_options, guide_options: what the method's model and guide take beside that.

    Raises:
        ValueError: for sizes below 1, contradicting arguments, or ``network="conv"`` where
            observations are no images ``(C, H, W)``.
    """

    method: ClassVar[str]
    # Sites that teach the guide and are no part of the bound.
    teaching_sites: ClassVar[tuple[str, ...]] = ("classifier", MUST_LINK, *PENALTIES)
    model_class: ClassVar[type[GenerativeModel]] = GenerativeModel
    guide_class: ClassVar[Callable[..., PyroModule]]

    model: GenerativeModel

    def __init__(
        self,
        input_dim: SupportsIndex | Sequence[int],
        n_components: int,
        latent_dim: int,
        *,
        hidden: Sequence[int] = (512, 512),
        likelihood: str | type[Likelihood] | Likelihood = "bernoulli",
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        cluster_encoder: nn.Module | None = None,
        shared_trunk: bool = False,
        learn_mixture: bool = False,
        label_weight: float = 1.0,
        network: Literal["mlp", "conv"] = "mlp",
        cluster_network: Literal["mlp", "conv"] | None = None,
        conv: ConvSizes | None = None,
        model_options: Mapping[str, Any] = MappingProxyType({}),
        guide_options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        event_shape = tuple(input_dim) if isinstance(input_dim, Sequence) else (index(input_dim),)
        sizes = {"n_components": n_components, "latent_dim": latent_dim}
        sizes |= {"input_dim": prod(event_shape), "hidden": min(hidden, default=0)}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if label_weight < 0:
            raise ValueError(f"label_weight must not be negative, got {label_weight}")
        if cluster_encoder is not None and shared_trunk:
            raise ValueError("give a cluster_encoder or shared_trunk=True, not both")
        networks = {"network": network, "cluster_network": cluster_network or network}
        for name, kind in networks.items():
            if kind not in ("mlp", "conv"):
                raise ValueError(f'{name} must be "mlp" or "conv", got {kind!r}')
        convolves = "conv" in networks.values()
        if conv is not None and not convolves:
            raise ValueError('conv sizes need network="conv"')
        if convolves and len(event_shape) != 3:
            raise ValueError(f"conv needs observations of shape (C, H, W), got {event_shape}")
        if cluster_network not in (None, network) and shared_trunk:
            raise ValueError("a shared trunk is of one network: leave out cluster_network")
        self.event_shape = event_shape
        self.n_components = n_components
        self.latent_dim = latent_dim
        self.options: dict[str, Any] = {
            "hidden": tuple(hidden),
            "likelihood": likelihood,
            "shared_trunk": shared_trunk,
            "learn_mixture": learn_mixture,
            "label_weight": label_weight,
            "network": network,
            "cluster_network": cluster_network,
            "conv": (conv or ConvSizes.for_images(*event_shape[1:])) if convolves else None,
        }
        self.custom_networks = any(n is not None for n in (encoder, decoder, cluster_encoder))

        self.weights = ObjectiveWeights()
        likelihood = make_likelihood(likelihood, event_shape)
        # Made so, the modules work with Pyro's global parameter store (as `SVI` needs it) and with
        # local parameters (as our trainer sets it, so that models in one process stay apart).
        with pyro.settings.context(module_local_params=True):
            self.model = self.model_class(
                self._built_in_decoder(likelihood.output_shape) if decoder is None else decoder,
                likelihood,
                n_components,
                latent_dim,
                self.weights,
                learn_mixture=learn_mixture,
                **model_options,
            )
            self.guide = self.guide_class(
                **self._inference_networks(encoder, cluster_encoder),
                weights=self.weights,
                event_dim=len(event_shape),
                **guide_options,
            )
        self.guide.log_p_y = self.model.log_p_y

    def regularize(self, regularizer: Regularizer | None) -> None:
        """Train with the penalties of ``regularizer`` from now on; None with the ELBO alone.

        It belongs to training: a saved model has none.
        """
        self.guide.regularizer = regularizer

    @property
    def regularizer(self) -> Regularizer | None:
        """What it is trained with beside the ELBO."""
        return self.guide.regularizer

    def link(self, must_link: MustLink | None) -> None:
        """Train with the factor of ``must_link`` from now on; None forgets its rows.

        It belongs to training: a saved model has none.
        """
        self.guide.must_link = must_link

    @property
    def must_link(self) -> MustLink | None:
        """The rows that are to be in one cluster."""
        return self.guide.must_link

    def _inference_networks(
        self, encoder: nn.Module | None, cluster_encoder: nn.Module | None
    ) -> dict[str, Any]:
        shared = encoder is not None or self.options["shared_trunk"]
        encoder, head_hidden = self._z_trunk(encoder, self.options["network"], shared=shared)
        if not shared and cluster_encoder is None:
            cluster_encoder = self._built_in_encoder(self._cluster_network)
        n_features = feature_size(encoder, self.event_shape)
        seen = encoder if cluster_encoder is None else cluster_encoder  # by q(y|x)
        return {
            "encoder": encoder,
            "cluster_encoder": cluster_encoder,
            "y_head": linear(feature_size(seen, self.event_shape), self.n_components),
            "z_head": GaussianHead(n_features, self.n_components, head_hidden, self.latent_dim),
            "label_weight": self.options["label_weight"],
        }

    @property
    def _cluster_network(self) -> str:
        kind: str = self.options["cluster_network"] or self.options["network"]
        return kind

    def _z_trunk(
        self, encoder: nn.Module | None, network: str, *, shared: bool
    ) -> tuple[nn.Module, Sequence[int]]:
        """The encoder before the head of q(z|x,y), and the hidden sizes of the head."""
        hidden = self.options["hidden"]
        if encoder is None and not shared and network == "mlp":
            # An own trunk of q(z|x,y) begins at the head, where the cluster comes in.
            return MLPEncoder(self.event_shape, ()), hidden
        return self._built_in_encoder(network) if encoder is None else encoder, hidden[-1:]

    def _built_in_encoder(self, network: str) -> nn.Module:
        if network == "conv":
            return ConvEncoder(self.event_shape, self.options["conv"])
        return MLPEncoder(self.event_shape, self.options["hidden"])

    def _built_in_decoder(self, output_shape: Sequence[int]) -> nn.Module:
        if self.options["network"] == "conv":
            return ConvDecoder(self.latent_dim, output_shape, self.options["conv"])
        return MLPDecoder(self.latent_dim, self.options["hidden"], output_shape)

    def extra_repr(self) -> str:
        return f"K={self.n_components}, Z={self.latent_dim}, event_shape={self.event_shape}"

    def posterior(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> dist.TorchDistribution:
        """q(z|x) of the discrete model, the cluster summed out in closed form."""
        return self.guide.posterior(x, *covariates)

    def responsibilities(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """q(y|x), the probability of each cluster for each datum."""
        return self.guide.encode(x, *covariates)[1].softmax(-1)


@built_in
class ExactGMVAE(GMVAE):
    """The GMVAE with ``y`` summed over all K clusters; K decoder passes per datum.

    Args: those of `GMVAE`.
    """

    method = "exact"
    guide_class = ExactGuide


@built_in
class ConcreteGMVAE(GMVAE):
    """The GMVAE with ``y`` relaxed to a Concrete variable; one decoder pass per datum.

    Args:
        temperature: tau > 0; lower is closer to one-hot, with noisier gradients.
        kl: ``"categorical"`` pays the KL between categoricals; ``"relaxed"`` that between the
            relaxed densities, the proper bound of the relaxed model, whose prior is relaxed too.
        options: those of `GMVAE`.

    Reference: Collier and Urdiales 2019, Scalable deep unsupervised clustering with Concrete
    GMVAEs, arXiv 1909.08994.
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
        self.weights.set(temperature=temperature)
        self.options |= {"temperature": temperature, "kl": kl}


@built_in
class SparseGMVAE(GMVAE):
    """The GMVAE with the likeliest clusters summed and one more drawn; unbiased in expectation.

    By `pyro_gmvae.inference.TraceEnumMeanField_ELBO`, which knows the weights of the drawn cluster;
    ``n_likeliest + drawn_share`` decoder passes per datum. Other ELBOs draw one cluster.

    Args:
        n_likeliest: m, the number of clusters summed exactly.
        drawn_share: the share of a training batch whose drawn cluster is decoded: those that have
            most left for it are the likeliest to be among them, and it counts for more there. With
            less than all a step is shorter and the gradient varies more, little where q(y|x) is
            sure of most data, as under a regulariser.
        options: those of `GMVAE`.
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
        if n_likeliest < 1:
            raise ValueError(f"n_likeliest must be at least 1, got {n_likeliest}")
        if not 0 < drawn_share <= 1:
            raise ValueError(f"drawn_share must be above 0 and at most 1, got {drawn_share}")
        own = {"n_likeliest": n_likeliest, "drawn_share": drawn_share}
        super().__init__(input_dim, n_components, latent_dim, guide_options=own, **options)
        self.options |= own


@built_in
class MarginalGMVAE(GMVAE):
    """The GMVAE with q(z|x) only and ``y`` summed out in the model, given z; one decoder pass.

    Labels act through the model alone: there is no q(y|x) to teach.

    Args: those of `GMVAE`, but for what concerns q(y|x).
    """

    method = "marginal"
    guide_class = MarginalGuide

    N_DRAWS: ClassVar[int] = 32

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.guide.log_p_y_given_z = self.model.log_p_y_given_z

    def _inference_networks(
        self, encoder: nn.Module | None, cluster_encoder: nn.Module | None
    ) -> dict[str, Any]:
        if cluster_encoder is not None or self.options["shared_trunk"]:
            raise ValueError(
                "the marginal method has no q(y|x): leave out cluster_encoder and shared_trunk"
            )
        encoder, hidden = self._z_trunk(encoder, self._cluster_network, shared=False)
        n_features = feature_size(encoder, self.event_shape)
        return {"encoder": encoder, "z_head": GaussianHead(n_features, 0, hidden, self.latent_dim)}

    def responsibilities(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """E_q(z|x) p(y|z), averaged over fixed draws of z, so that it is the same every time."""
        q_z = self.guide.posterior(x, *covariates).base_dist
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(self.N_DRAWS, self.latent_dim, generator=generator).to(q_z.loc)
        # One draw at a time: the densities of all clusters for all draws would not fit.
        posteriors = (self.model.p_y_given_z(q_z.loc + q_z.scale * e) for e in noise)
        return sum(posteriors, torch.zeros(())) / self.N_DRAWS
