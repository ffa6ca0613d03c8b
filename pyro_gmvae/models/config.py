"""Turn a built-in model into plain values, and back."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

import torch

from pyro_gmvae.models.gmvae import GMVAE, METHODS
from pyro_gmvae.process.alone import alone
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.stored import shortened, typed

__all__ = ["from_config", "parameter_count", "to_config"]

REQUIRED = {"input_dim", "n_components", "latent_dim"}
# Arguments that only a user's code can give.
CODE = {"self", "encoder", "decoder", "cluster_encoder", "model_options", "guide_options"}


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
    conv, table = gmvae.options["conv"], gmvae.options["table"]
    options = {n: v for n, v in gmvae.options.items() if n not in ("table", "n_covariates")}
    n_covariates = gmvae.options["n_covariates"]
    sizes = {"n_components": gmvae.n_components, "latent_dim": gmvae.latent_dim, **options}
    return {
        "method": gmvae.method,
        "input_dim": list(gmvae.event_shape),
        **sizes,
        "hidden": list(gmvae.options["hidden"]),
        "conv": conv and conv.to_config(),
        **({"n_covariates": n_covariates} if n_covariates else {}),
        **({} if table is None else {"table": table.to_config()}),
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
    return METHODS[method](**{n: typed(hints[n], value, n) for n, value in arguments.items()})


@alone
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
