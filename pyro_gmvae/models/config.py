"""A built-in model as plain values, and back."""

from __future__ import annotations

from typing import Any

from pyro_gmvae.models.gmvae import GMVAE, METHODS
from pyro_gmvae.networks import ConvSizes

__all__ = ["from_config", "to_config"]


def to_config(gmvae: GMVAE) -> dict[str, Any]:
    """All that rebuilds ``gmvae``, as plain JSON values; the inverse of `from_config`.

    Raises:
        ValueError: for a model with a user's own networks, likelihood or class, which only the
            user's code can rebuild: save its ``state_dict`` instead.
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
    """A freshly initialised model from what `to_config` gave.

    Raises:
        ValueError: for an unknown method or values that the constructor refuses.
    """
    arguments = dict(config)
    method = arguments.pop("method", None)
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}; choose from {sorted(METHODS)}")
    if arguments.get("conv") is not None:
        arguments["conv"] = ConvSizes.from_config(arguments["conv"])
    return METHODS[method](**arguments)
