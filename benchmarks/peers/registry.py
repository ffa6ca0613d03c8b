"""List the peers: a name, the package it is from, and the module here that trains it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

__all__ = ["AIMS", "OURS", "PEERS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """Describe one row of the table.

    Attributes:
        distribution: the package's name for pip.
        package: the package's name for import.
        runner: the module of `benchmarks.peers` that trains it.
        once: whether it is trained in the first round only, because it takes long and enters no
            ratio.
    """

    distribution: str
    package: str
    runner: str
    once: bool = False

    @property
    def installed(self) -> bool:
        """Tell whether the package can be imported."""
        return find_spec(self.package) is not None


_OURS = Peer("pyro-gmvae", "pyro_gmvae", "run_ours")
OURS = {
    f"{method}{kind}": _OURS for method in ("exact", "concrete", "sparse") for kind in ("", "-same")
}
PEERS = {
    **OURS,
    "clustpy-vade": Peer("clustpy", "clustpy", "run_clustpy"),
    "pyroved-jivae": Peer("pyroved", "pyroved", "run_pyroved"),
    "pythae-vae": Peer("pythae", "pythae", "run_pythae"),
    "sklearn-gmm": Peer("scikit-learn", "sklearn", "run_sklearn", once=True),
}
# The aims: the largest ratio of our seconds per epoch to theirs, and the methods it is for.
AIMS = {
    "clustpy-vade": (0.6, ("concrete", "concrete-same")),
    "pythae-vae": (0.8, ("concrete", "concrete-same")),
    "pyroved-jivae": (0.4, ("exact", "exact-same")),
}
