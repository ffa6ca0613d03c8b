"""Let another inference method go on with the weights of a model."""

from __future__ import annotations

from pyro_gmvae.models import METHODS, from_config, to_config
from pyro_gmvae.models.gmvae import GMVAE

__all__ = ["in_method"]

OWN = {"temperature", "kl", "n_likeliest", "drawn_share"}  # options that other methods lack


def in_method(gmvae: GMVAE, method: str) -> GMVAE:
    """Return a pair of another method with the same networks and the same weights.

    Args:
        gmvae: the pair, of any method but ``"marginal"``, whose q(z|x) does not take the cluster.
        method: ``"exact"``, ``"concrete"`` or ``"sparse"``.
    """
    shared = {name: value for name, value in to_config(gmvae).items() if name not in OWN}
    other: GMVAE = from_config(shared | {"method": METHODS[method].method})
    other.load_state_dict(gmvae.state_dict())
    return other.to(gmvae.model.component_loc.device)
