"""Run a Pyro program without a site for each of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pyro.nn import PyroModule
from torch import nn

__all__ = ["without_parameter_sites"]

PACKAGE = __name__.partition(".")[0]


def without_parameter_sites(program: Callable[..., Any]) -> Callable[..., Any]:
    """Return the program without the sites by which `pyro.infer.SVI` finds its parameters.

    A `PyroModule` makes a site of every parameter that it reads, and each site passes through all
    handlers. An optimizer that was given the parameters needs no such site. Without them a step of
    a small model takes about a sixth less time.

    Returns:
        The program as it is if it is no `PyroModule`, if it has a `PyroParam` or `PyroSample`, or
        if one of its modules is not of this package and may have parameters of its own.

    >>> from pyro import poutine
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> model = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)).model
    >>> kinds = []
    >>> for program in (model, without_parameter_sites(model)):
    ...     nodes = poutine.trace(program).get_trace().nodes.values()
    ...     kinds.append({node["type"] for node in nodes} & {"param", "sample"})
    >>> [sorted(found) for found in kinds]
    [['param', 'sample'], ['sample']]
    """
    if not isinstance(program, PyroModule):
        return program
    parts = [m for m in program.modules() if isinstance(m, PyroModule)]
    if all(map(_is_plain, parts)):
        return partial(nn.Module.__call__, program)
    return program


def _is_plain(module: PyroModule) -> bool:
    ours = type(module).__module__.partition(".")[0] == PACKAGE
    return ours and not (module._pyro_params or module._pyro_samples)
