"""Define the base of all GMVAEs: a pair of a generative model and a guide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from types import MappingProxyType
from typing import Any, ClassVar, Literal, SupportsIndex

import pyro
import pyro.distributions as dist
import torch
from jaxtyping import Float, Num
from pyro.nn import PyroModule
from torch import Tensor, nn

from pyro_gmvae.likelihoods import Likelihood, Table, TableStructure, make_likelihood
from pyro_gmvae.models.generative import GenerativeModel
from pyro_gmvae.models.guides import (
    Guide,
)
from pyro_gmvae.models.must_link import MUST_LINK, MustLink
from pyro_gmvae.models.objective import ObjectiveWeights
from pyro_gmvae.models.regularization import PENALTIES, Regularizer
from pyro_gmvae.models.table_networks import (
    apart,
    check_table,
    table_decoder,
    table_networks,
)
from pyro_gmvae.networks import (
    ConvDecoder,
    ConvEncoder,
    ConvSizes,
    GatedDecoder,
    GaussianHead,
    MLPDecoder,
    MLPEncoder,
    feature_size,
    linear,
)
from pyro_gmvae.process.alone import alone
from pyro_gmvae.ranges import (
    MOST_AXES,
    MOST_CLUSTERS,
    MOST_FEATURES,
    MOST_WIDTH,
    real,
    whole,
    widths,
)

__all__ = [
    "GMVAE",
    "METHODS",
    "built_in",
]

METHODS: dict[str, type[GMVAE]] = {}


def built_in(pair: type[GMVAE]) -> type[GMVAE]:
    """Enter a pair in `METHODS` under its method's name, so that runs and commands find it.

    >>> from pyro_gmvae.models import METHODS, ExactGMVAE
    >>> built_in(ExactGMVAE) is METHODS["exact"]  # as its decorator has done
    True
    """
    METHODS[pair.method] = pair
    return pair


class GMVAE(nn.Module):
    """Pair a generative model with a guide; the four methods differ in the guide.

    ``.model`` and ``.guide`` are PyroModules called as ``(x, y=None, *covariates)``. Pyro's own
    tools work on them unmodified. To change a conditional of the generative model, subclass one of
    the four methods with another ``model_class``.

    Args:
        input_dim: number of features, or the shape of one observation, such as ``(1, 28, 28)``.
        n_components: K, the number of clusters.
        latent_dim: Z, the size of the style z.
        hidden: sizes of the hidden layers of every built-in network. With convolutions only the
            last one is used, for the layer that joins features and cluster.
        likelihood: p(x|z): a name of `pyro_gmvae.likelihoods`, a `Likelihood` class or instance.
        encoder: replaces the built-in encoder; maps ``(B, *event)`` to features ``(B, F)``.
        decoder: replaces the built-in decoder; maps ``(..., Z)`` to ``(..., *output_shape)`` of the
            likelihood.
        cluster_encoder: an encoder for q(y|x) alone; without it q(y|x) and q(z|x,y) share a given
            ``encoder``.
        shared_trunk: let q(y|x) and q(z|x,y) share the built-in encoder; otherwise each has
            its own.
        learn_mixture: learn p(y); otherwise it is uniform.
        n_covariates: P, numbers w that are known of each datum and tell its cluster by p(y|w) (see
            `pyro_gmvae.models.MembershipLogit`); they are the first of the covariates.
        label_weight: weight of log q(label|x) for labelled data, in nats.
        network: kind of the built-in networks: linear layers, or convolutions for images.
        cluster_network: kind of the encoder that infers the cluster, which is that of q(y|x), or
            of q(z|x) in the marginal method; None takes ``network``.
        conv: sizes of the convolutional networks; None takes `ConvSizes.for_images`.
        table: columns of a table, for ``likelihood="table"``, or ``"gaussian"`` if all are real. It
            has networks of its own: each cluster has its own laws of the columns, and lies apart
            from the others in z (see `pyro_gmvae.networks.GatedDecoder`).
        model_options, guide_options: further arguments of the method's model and guide.

    Raises:
        ValueError: for a number out of range (see `pyro_gmvae.ranges`), contradicting arguments, or
            ``network="conv"`` for observations that are not images ``(C, H, W)``.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> isinstance(gmvae, GMVAE), gmvae.posterior(torch.ones(8, 4)).event_shape
    (True, torch.Size([2]))
    """

    method: ClassVar[str]
    # Sites that teach the guide and are no part of the bound.
    teaching_sites: ClassVar[tuple[str, ...]] = ("classifier", MUST_LINK, *PENALTIES)
    model_class: ClassVar[type[GenerativeModel]] = GenerativeModel
    guide_class: ClassVar[Callable[..., PyroModule]]

    model: GenerativeModel

    @alone
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
        n_covariates: int = 0,
        label_weight: float = 1.0,
        network: Literal["mlp", "conv"] = "mlp",
        cluster_network: Literal["mlp", "conv"] | None = None,
        conv: ConvSizes | None = None,
        table: TableStructure | None = None,
        model_options: Mapping[str, Any] = MappingProxyType({}),
        guide_options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        shape = input_dim if isinstance(input_dim, Sequence) else [input_dim]
        event_shape = tuple(whole("input_dim", size, least=1) for size in shape)
        whole("the number of axes of input_dim", len(shape), least=1, most=MOST_AXES)
        whole("the product of input_dim", prod(event_shape), most=MOST_FEATURES)
        n_components = whole("n_components", n_components, least=1, most=MOST_CLUSTERS)
        latent_dim = whole("latent_dim", latent_dim, least=1, most=MOST_WIDTH)
        hidden = widths("hidden", hidden)
        n_covariates = whole("n_covariates", n_covariates, least=0, most=MOST_WIDTH)
        label_weight = real("label_weight", label_weight, least=0)
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
        if table is not None:
            own = (encoder, decoder, cluster_encoder) != (None, None, None)
            check_table(likelihood, table, convolves=convolves, own=own, shared_trunk=shared_trunk)
        self.event_shape = event_shape
        self.n_components = n_components
        self.latent_dim = latent_dim
        self.options: dict[str, Any] = {
            "hidden": hidden,
            "likelihood": likelihood,
            "shared_trunk": shared_trunk,
            "learn_mixture": learn_mixture,
            "n_covariates": n_covariates,
            "label_weight": label_weight,
            "network": network,
            "cluster_network": cluster_network,
            "conv": (conv or ConvSizes.for_images(*event_shape[1:])) if convolves else None,
            "table": table,
        }
        self.custom_networks = any(n is not None for n in (encoder, decoder, cluster_encoder))

        self.weights = ObjectiveWeights()
        likelihood = (
            make_likelihood(likelihood, event_shape)
            if table is None
            else make_likelihood(Table, event_shape, structure=table)
        )
        # Modules made with local parameters work with local parameters, which our trainer uses to
        # keep the models of a process apart, and with Pyro's global store, which `SVI` needs.
        with pyro.settings.context(module_local_params=True):
            self.model = self.model_class(
                self._built_in_decoder(likelihood.output_shape) if decoder is None else decoder,
                likelihood,
                n_components,
                latent_dim,
                self.weights,
                learn_mixture=learn_mixture,
                n_covariates=n_covariates,
                **model_options,
            )
            self.guide = self.guide_class(
                **self._inference_networks(encoder, cluster_encoder),
                weights=self.weights,
                event_dim=len(event_shape),
                **guide_options,
            )
        self.guide.log_p_y = self.model.log_p_y
        if n_covariates:
            self.guide.tilt = self.model.tilt
        if table is not None:
            # The networks go by where the model puts the clusters in z.
            assert isinstance(self.model.decoder, GatedDecoder)
            self.model.decoder.gates = self.model.gates
            self.guide.z_head.components = self.model.components
            with torch.no_grad():
                self.model.component_loc.copy_(apart(n_components, latent_dim))

    def hold_clusters(self) -> None:
        """Keep q(y|x,w) as it is from now on: training changes the other networks alone.

        Raises:
            ValueError: for the marginal method, which has no q(y|x).
        """
        guide = self.guide
        if not isinstance(guide, Guide) or guide.cluster_encoder is None:
            raise ValueError("only a q(y|x) with an encoder of its own can be held")
        guide.cluster_encoder.requires_grad_(False)
        guide.y_head.requires_grad_(False)
        if self.model.membership is not None:
            self.model.membership.requires_grad_(False)

    def regularize(self, regularizer: Regularizer | None) -> None:
        """Train with the penalties of ``regularizer`` from now on; None trains without any.

        The regularizer belongs to training: a saved model has none.
        """
        self.guide.regularizer = regularizer

    @property
    def regularizer(self) -> Regularizer | None:
        """Return the regularizer that is used in training, or None."""
        return self.guide.regularizer

    def link(self, must_link: MustLink | None) -> None:
        """Train with the factor of ``must_link`` from now on; None removes the factor and its rows.

        The factor belongs to training: a saved model has none.
        """
        self.guide.must_link = must_link

    @property
    def must_link(self) -> MustLink | None:
        """Return the factor for rows that should be in one cluster, or None."""
        return self.guide.must_link

    def _inference_networks(
        self, encoder: nn.Module | None, cluster_encoder: nn.Module | None
    ) -> dict[str, Any]:
        if self.options["table"] is not None:
            return table_networks(self.options, self.n_components, self.latent_dim)
        shared = encoder is not None or self.options["shared_trunk"]
        encoder, head_hidden = self._z_trunk(encoder, self.options["network"], shared=shared)
        if not shared and cluster_encoder is None:
            cluster_encoder = self._built_in_encoder(self._cluster_network)
        n_features = feature_size(encoder, self.event_shape)
        seen = encoder if cluster_encoder is None else cluster_encoder  # the one that q(y|x) uses
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
        """Return the encoder before the head of q(z|x,y), and the hidden sizes of the head."""
        hidden = self.options["hidden"]
        if encoder is None and not shared and network == "mlp":
            # If q(z|x,y) shares no trunk, its first layer is the head, which takes the cluster.
            return MLPEncoder(self.event_shape, ()), hidden
        return self._built_in_encoder(network) if encoder is None else encoder, hidden[-1:]

    def _built_in_encoder(self, network: str) -> nn.Module:
        if network == "conv":
            return ConvEncoder(self.event_shape, self.options["conv"])
        return MLPEncoder(self.event_shape, self.options["hidden"])

    def _built_in_decoder(self, output_shape: Sequence[int]) -> nn.Module:
        if self.options["table"] is not None:
            return table_decoder(self.options, self.n_components, self.latent_dim)
        if self.options["network"] == "conv":
            return ConvDecoder(self.latent_dim, output_shape, self.options["conv"])
        return MLPDecoder(self.latent_dim, self.options["hidden"], output_shape)

    def extra_repr(self) -> str:
        return f"K={self.n_components}, Z={self.latent_dim}, event_shape={self.event_shape}"

    def posterior(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> dist.TorchDistribution:
        """Return q(z|x) of the discrete model, with the cluster summed out in closed form."""
        return self.guide.posterior(x, *covariates)

    def responsibilities(
        self, x: Num[Tensor, "*batch_and_event"], *covariates: Tensor
    ) -> Float[Tensor, "*batch K"]:
        """Compute q(y|x), the probability of each cluster for each datum."""
        return self.guide.encode(x, *covariates)[1].softmax(-1)
