"""Stop early by the held-out ELBO, and keep the best weights seen."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Remember the best held-out ELBO since annealing ended, and its weights.

    Args:
        patience: evaluations without an improvement before `should_stop`; None never stops.
        keep_best: whether to keep the weights for `restore`.

    >>> stopping, layer = EarlyStopping(patience=2, keep_best=True), torch.nn.Linear(2, 1)
    >>> for epoch, elbo in enumerate([-5.0, -3.0, -4.0, -4.5]):
    ...     stopping.update(epoch, elbo, layer)
    >>> stopping.best_epoch, stopping.should_stop
    (1, True)
    """

    def __init__(self, patience: int | None, keep_best: bool) -> None:
        self.patience = patience
        self.keep_best = keep_best
        self.best_elbo = float("-inf")
        self.best_epoch: float | None = None
        self.waited = 0
        self.weights: dict[str, Tensor] | None = None

    def update(self, epoch: float, elbo: float, module: nn.Module) -> None:
        """Note the result of one evaluation."""
        if elbo > self.best_elbo:
            self.best_elbo, self.best_epoch, self.waited = elbo, epoch, 0
            if self.keep_best:
                self.weights = {n: t.detach().clone() for n, t in module.state_dict().items()}
        else:
            self.waited += 1

    @property
    def should_stop(self) -> bool:
        """Return True if patience has run out."""
        return self.patience is not None and self.waited >= self.patience

    def restore(self, module: nn.Module) -> None:
        """Put the best weights back, if any were kept."""
        if self.weights is not None:
            module.load_state_dict(self.weights)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps beside the weights."""
        return {"elbo": self.best_elbo, "epoch": self.best_epoch, "waited": self.waited}

    def load(self, state: dict[str, Any], weights: dict[str, Tensor]) -> None:
        """Restore what `state` returned, and the best weights."""
        self.best_elbo, self.best_epoch = state["elbo"], state["epoch"]
        self.waited, self.weights = state["waited"], weights or None
