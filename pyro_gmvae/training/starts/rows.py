"""What a strategy is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.device import make_accelerator
from pyro_gmvae.training.loop import Transform
from pyro_gmvae.training.reporters import Reporter

__all__ = ["Clustering", "Rows"]

AT_A_TIME = 1024


@dataclass(frozen=True, eq=False)
class Rows:
    """Data, and the model that is to begin near clusters of them.

    Attributes:
        gmvae: of which K, Z and the networks are taken; a strategy leaves it as it is.
        x: data ``(N, *raw_event)``, in whatever form ``transform`` takes.
        config: the settings of the training to come.
        transform: from ``x`` to model scale as training sees it; None if they are there.
        look: the same without random draws; None is ``transform``.
        epochs: passes over the data for what a strategy trains itself, at least.
        reporters: told how far it is.
    """

    gmvae: GMVAE
    x: Shaped[Tensor, "N *event"]
    config: TrainConfig
    transform: Transform | None = None
    look: Transform | None = None
    epochs: float = 4.0
    reporters: Sequence[Reporter] = ()

    @property
    def n_clusters(self) -> int:
        """K."""
        return self.gmvae.n_components

    @property
    def seed(self) -> int:
        """Of all that a strategy draws."""
        return self.config.seed or 0

    @property
    def device(self) -> torch.device:
        """Where the training will be."""
        return make_accelerator(self.config.device).device

    @torch.no_grad()
    def seen(self, also: Callable[[Tensor], Tensor] | None = None) -> Float[Tensor, "N *shape"]:
        """Every datum on model scale, then through ``also``; on the CPU."""
        look = self.look or self.transform
        parts = []
        for part in self.x.split(AT_A_TIME):
            part = part.to(self.device)
            part = part if look is None else look(part)
            parts.append((part if also is None else also(part)).cpu())
        return torch.cat(parts)


Clustering = Callable[[Rows], Tensor]
