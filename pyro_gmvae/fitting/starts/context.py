"""Give a start its data and the model that is to begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from pyro_gmvae.models import GMVAE
from pyro_gmvae.training import Record, Reporter, TrainConfig, Transform

__all__ = ["Start", "StartContext", "StartProgress"]

ROWS_AT_A_TIME = 1024


@dataclass(frozen=True, eq=False)
class StartContext:
    """Hold the data, and the model that is to begin near clusters of them.

    Attributes:
        gmvae: gives K, Z and the networks; a start leaves it as it is.
        x: data ``(N, *raw_event)``, in whatever form ``transform`` takes.
        config: the settings of the training to come.
        transform: brings ``x`` to model scale as training sees it; None if it is there.
        encode_mean: does the same without random draws; None is ``transform``.
        epochs: passes over the data for what a start trains itself, at least.
        reporters: objects that report the progress of the start.
        weights: how much each datum counts, ``(N,)``; None if all count alike.
        covariates: w on model scale, ``(N, P)``; None for a model without.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,))
    >>> context = StartContext(gmvae, torch.zeros(5, 2), TrainConfig(), encode_mean=lambda x: x + 1)
    >>> context.n_clusters, context.encoded().sum().item()
    (3, 10.0)
    """

    gmvae: GMVAE
    x: Shaped[Tensor, "N *event"]
    config: TrainConfig
    transform: Transform | None = None
    encode_mean: Transform | None = None
    epochs: float = 4.0
    reporters: Sequence[Reporter] = ()
    weights: Float[Tensor, " N"] | None = None
    covariates: Float[Tensor, "N P"] | None = None

    @property
    def n_clusters(self) -> int:
        """Return K."""
        return self.gmvae.n_components

    @property
    def seed(self) -> int:
        """Return the seed of all that a start draws."""
        return self.config.seed or 0

    @property
    def device(self) -> torch.device:
        """Return the device of the training."""
        return torch.device(self.config.device or self.gmvae.model.component_loc.device)

    @torch.no_grad()
    def encoded(self, also: Callable[[Tensor], Tensor] | None = None) -> Float[Tensor, "N *shape"]:
        """Bring every row to model scale, then through ``also``; the result is on the CPU."""
        encode = self.encode_mean or self.transform
        parts = []
        for part in self.x.split(ROWS_AT_A_TIME):
            part = part.to(self.device)
            part = part if encode is None else encode(part)
            parts.append((part if also is None else also(part)).cpu())
        return torch.cat(parts)


class StartProgress(Reporter):
    """Tell the reporters of a training how far a part of its start is.

    Args:
        others: the reporters.
        done: parts of the start that are done.
        parts: parts in all.

    >>> class Printed(Reporter):
    ...     def beginning(self, share):
    ...         print(share)
    >>> progress = StartProgress([Printed()], done=1, parts=2)
    >>> progress.start(4, [])
    >>> progress.step(2)
    0.75
    """

    def __init__(self, others: Sequence[Reporter], *, done: int = 0, parts: int = 1) -> None:
        self.others = others
        self.done = done
        self.parts = parts
        self.share = 0.0

    def start(self, total_steps: int, history: list[Record]) -> None:
        """Note how many steps this part has."""
        self.total = total_steps

    def step(self, step: int) -> None:
        """Tell the share of all parts that is done."""
        self.share = step / self.total
        for other in self.others:
            other.beginning((self.done + self.share) / self.parts)

    def close(self) -> None:
        """Close the others if this part failed; else they go on to the training itself."""
        if self.share < 1:
            for other in self.others:
                other.close()


Start = Callable[[StartContext], Tensor]
