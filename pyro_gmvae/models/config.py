"""Turn a built-in model into plain values, and back."""

from __future__ import annotations

from dataclasses import asdict
from inspect import Parameter, signature
from math import prod
from typing import Any

from pyro_gmvae.errors import InputError
from pyro_gmvae.models.gmvae import GMVAE, METHODS
from pyro_gmvae.networks import ConvSizes
from pyro_gmvae.stored import shortened, typed

__all__ = ["from_config", "to_config"]

MOST_SIZE = 2**28  # of a layer, of a row, of the clusters: each would take gigabytes
MOST_LAYERS = 500
MOST_DIMENSIONS = 8  # of a row
REQUIRED = {"input_dim", "n_components", "latent_dim"}
# Arguments that only a user's code can give.
CODE = {"self", "encoder", "decoder", "cluster_encoder", "model_options", "guide_options"}


def to_config(gmvae: GMVAE) -> dict[str, Any]:
    """Return plain JSON values from which `from_config` rebuilds ``gmvae``.

    Raises:
        ValueError: for a model with a user's own networks, likelihood or class, which only the
            user's code can rebuild: save its ``state_dict`` instead; or for sizes beyond every use.

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
    sizes = {"n_components": gmvae.n_components, "latent_dim": gmvae.latent_dim, **gmvae.options}
    _check_limits({"input_dim": gmvae.event_shape, **sizes})  # `from_config` would refuse them
    return {
        "method": gmvae.method,
        "input_dim": list(gmvae.event_shape),
        **sizes,
        "hidden": list(gmvae.options["hidden"]),
        "conv": conv and conv.to_config(),
    }


def from_config(config: dict[str, Any]) -> GMVAE:
    """Build a freshly initialised model from the values of `to_config`.

    On torch's meta device nothing is allocated, whatever sizes the values name, and it takes at
    most seconds.

    Raises:
        ValueError: for an unknown method or option, a value of another type, values that the
            constructor refuses, or sizes beyond every use.

    >>> config = {"method": "exact", "input_dim": 4, "n_components": 3, "latent_dim": 2}
    >>> from_config(config).n_components
    3
    """
    arguments = dict(config)
    method = arguments.pop("method", None)
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"unknown method {shortened(method)}; choose from {sorted(METHODS)}")
    hints = _plain_arguments(METHODS[method])
    if unknown := arguments.keys() - hints.keys():
        raise ValueError(f"unknown option {shortened(min(unknown))} of the {method} method")
    if missing := REQUIRED - arguments.keys():
        raise ValueError(f"the model's {min(missing)} is missing")
    values = {name: typed(hints[name], value, name) for name, value in arguments.items()}
    _check_limits(values)
    return METHODS[method](**values)


def _plain_arguments(pair: type[GMVAE]) -> dict[str, Any]:
    """Collect the names and types of the arguments that `to_config` writes."""
    constructors = [c.__init__ for c in pair.__mro__ if issubclass(c, GMVAE)]
    parameters = {
        name: parameter
        for constructor in reversed(constructors)
        for name, parameter in signature(constructor, eval_str=True).parameters.items()
    }
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return {
        name: parameter.annotation
        for name, parameter in parameters.items()
        if parameter.kind in named and name not in CODE
    }


def _check_limits(values: dict[str, Any]) -> None:
    """Refuse sizes that no model has, which would take long to build even without numbers."""
    conv: ConvSizes | None = values.get("conv")
    groups = {name: value for name, value in values.items() if name != "conv"}
    groups |= asdict(conv) if conv else {}
    for name, value in groups.items():
        numbers = [v for v in (value if isinstance(value, tuple) else [value]) if _is_number(v)]
        if len(numbers) > MOST_LAYERS:
            raise InputError(f"{name} must be at most {MOST_LAYERS} sizes, got {len(numbers)}")
        for number in numbers:
            if not -MOST_SIZE <= number <= MOST_SIZE:  # neither is NaN
                raise InputError(f"{name} must be at most {MOST_SIZE:,}, got {number}")
    shape = values["input_dim"]
    if isinstance(shape, tuple) and (len(shape) > MOST_DIMENSIONS or prod(shape) > MOST_SIZE):
        raise InputError(
            f"input_dim must be at most {MOST_DIMENSIONS} sizes with a product of at most "
            f"{MOST_SIZE:,}, got {shortened(shape)}"
        )
    if conv and len(conv.channels) * conv.blocks > MOST_LAYERS:
        raise InputError(
            f"blocks must be at most {MOST_LAYERS} at all resolutions, got {conv.blocks} at each "
            f"of {len(conv.channels)}"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
