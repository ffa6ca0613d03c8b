"""Warn in plain words when clusters die, merge or are not used during training."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import log

import torch
from jaxtyping import Float
from torch import Tensor

from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.reporters import Record, Reporter

__all__ = ["ClusterWarning", "ClusterWatch", "merged_clusters"]

LEFT = 0.5  # clusters have died if no more than this share of the most ever used is left
VANISHED = 0.02  # share of log K; a KL(q(y|x) || p(y)) below it tells next to nothing
SETTLED = 100  # steps; until then components lie where they were drawn
MERGED = 0.1  # nats; components of p(z|y) closer than this count as one


class ClusterWarning(RuntimeWarning):
    """Warn that clusters die, merge or are not used.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always", ClusterWarning)
    ...     warnings.warn("two clusters have merged", ClusterWarning)
    >>> caught[0].category.__name__
    'ClusterWarning'
    """


class ClusterWatch(Reporter):
    """Warn once about each trouble with the clusters, and name what to change.

    Args:
        gmvae: the model in training.
        say: takes the text of each warning; `warnings.warn` by default.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> watch = ClusterWatch(ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,)), say=print)
    >>> watch.epoch({"epoch": 7, "clusters_in_use": 1})
    epoch 7: all data are in one cluster...
    """

    def __init__(self, gmvae: GMVAE, say: Callable[[str], None] | None = None) -> None:
        self.gmvae = gmvae
        self.say = say or _warn
        self.most = 0.0
        self.said: set[str] = set()

    def start(self, total_steps: int, history: list[Record]) -> None:
        self.most = max((record["clusters_in_use"] for record in history), default=0.0)

    def epoch(self, record: Record) -> None:
        self.most = max(self.most, record["clusters_in_use"])
        for name, message in self._troubles(record).items():
            if name not in self.said:
                self.said.add(name)
                self.say(f"epoch {record['epoch']:.0f}: {message}")

    def _troubles(self, record: Record) -> dict[str, str]:
        k, used = self.gmvae.n_components, int(record["clusters_in_use"])
        if k == 1:
            return {}
        if used == 1:
            return {
                "one": "all data are in one cluster: begin near a k-means clustering, let the "
                "weight of KL(y) rise from more than 0, or regularise"
            }
        found = {}
        if used <= LEFT * self.most:
            found["died"] = (
                f"clusters have died, {used} of {self.most:.0f} are left: regularise for balance, "
                "or ask for fewer clusters if the data have so few"
            )
        settled = record["kl_weight"] >= 1 and record["step"] >= SETTLED
        if settled and record["kl_y"] < VANISHED * log(k):
            found["vanished"] = (
                f"KL(y) has vanished ({record['kl_y']:.3f} nats of at most {log(k):.1f}), so "
                "that the clusters tell nothing about a datum: let its weight rise more slowly, or "
                "regularise"
            )
        if settled and (pairs := merged_clusters(self.gmvae)):
            first, second = pairs[0]
            found["merged"] = (
                f"clusters {first} and {second} are one and the same in latent space"
                f"{f', and {len(pairs) - 1} more pairs' if pairs[1:] else ''}: ask for fewer "
                "clusters, or regularise"
            )
        return found


@torch.no_grad()
def merged_clusters(gmvae: GMVAE) -> list[tuple[int, int]]:
    """Find pairs whose components p(z|y) are less than 0.1 nats apart, by the mean of both KLs.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> apart = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 0.0]])
    >>> with torch.no_grad():
    ...     loc = gmvae.model.component_loc.copy_(apart)
    >>> merged_clusters(gmvae)
    [(0, 2)]
    """
    model = gmvae.model
    distance = symmetric_kl(model.component_loc, model.component_scale)
    close = (distance < MERGED).triu(1)
    return [(int(i), int(j)) for i, j in close.nonzero().tolist()]


def symmetric_kl(loc: Float[Tensor, "K Z"], scale: Float[Tensor, "K Z"]) -> Float[Tensor, "K K"]:
    """Compute (KL(a || b) + KL(b || a)) / 2 of every pair of diagonal normals, in nats."""
    precision = scale**-2
    spread = (scale**2) @ precision.T  # sum over Z of var_a / var_b
    offset = (
        (loc**2) @ precision.T - 2 * loc @ (loc * precision).T + (loc**2 * precision).sum(-1)
    )  # sum over Z of (loc_a - loc_b)^2 / var_b
    both = spread + spread.T + offset + offset.T
    return both / 4 - loc.shape[-1] / 2


def _warn(message: str) -> None:
    warnings.warn(message, ClusterWarning, stacklevel=2)
