"""Turn a built-in model into plain values, and back."""

from __future__ import annotations

from typing import Any

import torch

from pyro_gmvae.models.gmvae import GMVAE, METHODS
from pyro_gmvae.networks import ConvSizes
from pyro_gmvae.rng import forked_rng

__all__ = ["from_config", "parameter_count", "to_config"]


def to_config(gmvae: GMVAE) -> dict[str, Any]:
    """Return plain JSON values from which `from_config` rebuilds ``gmvae``.

    Raises:
        ValueError: for a model with a user's own networks, likelihood or class, which only the
            user's code can rebuild: save its ``state_dict`` instead.

    >>> from pyro_gmvae.models import SparseGMVAE
    >>> gmvae = SparseGMVAE(4, n_components=3, latent_dim=2, hidden=(5,), n_likeliest=2)
    >>> to_config(gmvae)["n_likeliest"]
    2
    """
    own_class = type(gmvae) is not METHODS.get(gmvae.method)
    if own_class or gmvae.custom_networks or not isinstance(gmvae.options["likelihood"], str):
        raise ValueError(
            "a model with its own networks, likelihood or class cannot be rebuilt from a file: "
            "save its state_dict() and load it into a model that your code builds"
        )
    conv = gmvae.options["conv"]
    return {
        "method": gmvae.method,
        "input_dim": list(gmvae.event_shape),
        "n_components": gmvae.n_components,
        "latent_dim": gmvae.latent_dim,
        **gmvae.options,
        "hidden": list(gmvae.options["hidden"]),
        "conv": conv and conv.to_config(),
    }


def from_config(config: dict[str, Any]) -> GMVAE:
    """Build a freshly initialised model from the values of `to_config`.

    Raises:
        ValueError: for an unknown method or values that the constructor refuses.

    >>> config = {"method": "exact", "input_dim": 4, "n_components": 3, "latent_dim": 2}
    >>> from_config(config).n_components
    3
    """
    arguments = dict(config)
    method = arguments.pop("method", None)
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; choose from {sorted(METHODS)}")
    if arguments.get("conv") is not None:
        arguments["conv"] = ConvSizes.from_config(arguments["conv"])
    return METHODS[method](**arguments)


def parameter_count(config: dict[str, Any]) -> int:
    """Count the parameters of the model that `from_config` would build, without any memory.

    Raises:
        ValueError: as `from_config`.

    >>> config = {"method": "exact", "input_dim": 4, "n_components": 3, "latent_dim": 2}
    >>> parameter_count(config | {"hidden": (100_000, 100_000)}) > 10**10
    True
    """
    with forked_rng(), torch.device("meta"):
        gmvae = from_config(config)
    return sum(parameter.numel() for parameter in gmvae.parameters())
