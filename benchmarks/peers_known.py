"""Who takes part: a name, the package it is from, and the module here that trains it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

__all__ = ["AIMS", "OURS", "PEERS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """One row of the table.

    Attributes:
        distribution: the package's name for pip.
        package: its name for import.
        runner: module of `benchmarks`.
        once: trained in the first round only, for it takes long and enters no ratio.
    """

    distribution: str
    package: str
    runner: str
    once: bool = False

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None


_OURS = Peer("pyro-gmvae", "pyro_gmvae", "peers_ours")
OURS = {
    f"{method}{kind}": _OURS for method in ("exact", "concrete", "sparse") for kind in ("", "-same")
}
PEERS = {
    **OURS,
    "clustpy-vade": Peer("clustpy", "clustpy", "peers_clustpy"),
    "pyroved-jivae": Peer("pyroved", "pyroved", "peers_pyroved"),
    "pythae-vae": Peer("pythae", "pythae", "peers_pythae"),
    "sklearn-gmm": Peer("scikit-learn", "sklearn", "peers_sklearn", once=True),
}
# Seconds per epoch of ours over theirs, at most; said of the methods named.
AIMS = {
    "clustpy-vade": (0.6, ("concrete", "concrete-same")),
    "pythae-vae": (0.8, ("concrete", "concrete-same")),
    "pyroved-jivae": (0.4, ("exact", "exact-same")),
}
