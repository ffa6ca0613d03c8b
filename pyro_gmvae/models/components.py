"""Reorder the clusters of a trained model, or keep some of them."""

from __future__ import annotations

from jaxtyping import Int64
from torch import Tensor, nn

from pyro_gmvae.models.config import from_config, to_config
from pyro_gmvae.models.gmvae import GMVAE
from pyro_gmvae.process.alone import alone

__all__ = ["keep_components", "reorder_components"]


def reorder_components(gmvae: GMVAE, order: Int64[Tensor, " K"]) -> None:
    """Renumber the clusters in place: cluster ``order[i]`` becomes cluster ``i``.

    Every density stays the same.

    Args:
        gmvae: a model with the built-in networks.
        order: a permutation of 0 to K - 1.

    Raises:
        ValueError: if ``order`` is not a permutation.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> before = gmvae.model.component_loc.detach().clone()
    >>> reorder_components(gmvae, torch.tensor([2, 0, 1]))
    >>> torch.equal(gmvae.model.component_loc, before[[2, 0, 1]])
    True
    """
    if sorted(order.tolist()) != list(range(gmvae.n_components)):
        raise ValueError(f"order must hold each of 0 to {gmvae.n_components - 1} once, got {order}")
    gmvae.load_state_dict(_state_of(gmvae, order))


@alone
def keep_components(gmvae: GMVAE, kept: Int64[Tensor, " K_kept"]) -> GMVAE:
    """Build a model with some of the clusters only; cluster ``kept[i]`` becomes cluster ``i``.

    Their p(z|y), q(z|x,y) and p(x|z) stay the same. p(y) and q(y|x) (or p(y|z) of the marginal
    method) are renormalised over the kept clusters.

    Args:
        gmvae: a model that `to_config` can rebuild.
        kept: different numbers from 0 to K - 1.

    Raises:
        ValueError: for a model that cannot be rebuilt, or a method that needs more clusters.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=5, latent_dim=2, hidden=(5,))
    >>> keep_components(gmvae, torch.tensor([0, 3])).n_components
    2
    """
    smaller = from_config({**to_config(gmvae), "n_components": len(kept)})
    smaller.load_state_dict(_state_of(gmvae, kept))
    return smaller.to(gmvae.model.component_loc).train(gmvae.training)


def _state_of(gmvae: GMVAE, components: Int64[Tensor, " some"]) -> dict[str, Tensor]:
    dims = component_dims(gmvae)
    return {
        name: tensor.index_select(dims[name], components) if name in dims else tensor
        for name, tensor in gmvae.state_dict().items()
    }


def component_dims(module: nn.Module) -> dict[str, int]:
    """Collect which tensors of a module have a place for each cluster, and along which dimension.

    A submodule declares its own: ``component_dims`` maps names of tensors within it to a dimension.
    """
    return {
        f"{prefix}.{name}".lstrip("."): dim
        for prefix, part in module.named_modules()
        for name, dim in getattr(part, "component_dims", {}).items()
    }
