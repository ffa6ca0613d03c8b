"""Cluster deeply with Gaussian mixture variational autoencoders, in Pyro.

`GMVAE` is the scikit-learn face and `load` reads a run; the Pyro programs are in
`pyro_gmvae.models`, their training in `pyro_gmvae.training`, their evaluation in
`pyro_gmvae.evaluation`.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyro_gmvae.estimator import GMVAE
    from pyro_gmvae.runs import load

__all__ = ["GMVAE", "__version__", "load"]

__version__ = version("pyro-gmvae")

# The estimator brings scikit-learn along, which the Pyro programs do without.
_ROOMS = {"GMVAE": "estimator", "load": "runs"}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(f"pyro_gmvae.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
