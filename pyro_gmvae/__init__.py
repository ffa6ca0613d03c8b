"""Deep clustering with Gaussian mixture variational autoencoders, in Pyro.

`GMVAE` is the scikit-learn face; the Pyro programs are in `pyro_gmvae.models`, their training in
`pyro_gmvae.training`, their evaluation in `pyro_gmvae.evaluation`.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyro_gmvae.estimator import GMVAE

__all__ = ["GMVAE", "__version__"]

__version__ = version("pyro-gmvae")


def __getattr__(name: str) -> Any:
    # The estimator brings scikit-learn along, which the Pyro programs do without.
    if name == "GMVAE":
        from pyro_gmvae.estimator import GMVAE

        return GMVAE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
