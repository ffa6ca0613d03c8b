"""Where a training stands: all that a resumed run needs to continue as if nothing had happened."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pyro_gmvae.errors import InputError
from pyro_gmvae.training import checkpoint
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.metrics import Meter
from pyro_gmvae.training.reporters import Record
from pyro_gmvae.training.stopping import EarlyStopping

__all__ = ["TrainState"]

MAY_CHANGE = ("epochs", "max_steps", "patience", "device", "checkpoint_seconds")


class TrainState:
    """The moving parts of a training and its position in the data.

    Attributes:
        history: records of the epochs done.
        step: gradient steps done.
        batch: batches done in the current epoch.
    """

    def __init__(
        self,
        gmvae: nn.Module,
        optimizer: Optimizer,
        meter: Meter,
        stopping: EarlyStopping,
        order: torch.Generator,
        config: TrainConfig,
    ) -> None:
        self.gmvae = gmvae
        self.optimizer = optimizer
        self.meter = meter
        self.stopping = stopping
        self.order = order
        self.config = config
        self.history: list[Record] = []
        self.step = 0
        self.batch = 0
        self._order_at_epoch = order.get_state()

    def finish_epoch(self, record: Record) -> None:
        """Note a finished epoch and make ready for the next."""
        self.history.append(record)
        self.batch = 0
        self._order_at_epoch = self.order.get_state()
        self.meter.reset()

    def save(self, path: Path) -> None:
        """Write everything to ``path``, whole or not at all."""
        tensors = {"order": self._order_at_epoch}
        for prefix, group in {
            "weights": self.gmvae.state_dict(),
            "best": self.stopping.weights or {},
            "optimizer": checkpoint.optimizer_tensors(self.optimizer),
            "meter": self.meter.sums,
            "rng": checkpoint.rng_tensors(),
        }.items():
            tensors |= checkpoint.with_prefix(prefix, group)
        values = {
            "config": asdict(self.config),
            "history": self.history,
            "step": self.step,
            "batch": self.batch,
            "count": self.meter.count,
            "stopping": self.stopping.state(),
        }
        checkpoint.save_checkpoint(path, tensors, values)

    def load(self, path: Path) -> None:
        """Continue from what `save` wrote.

        Raises:
            InputError: if it is missing, damaged, or of a run with other settings or another model.
        """
        tensors, values = checkpoint.load_checkpoint(path)
        self._check_config(path, values["config"])
        try:
            self._restore(tensors, values)
        except (KeyError, RuntimeError) as error:
            raise InputError(f"{path} is of another model: resume with the same one") from error

    def _restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        self.gmvae.load_state_dict(checkpoint.under_prefix("weights", tensors))
        checkpoint.load_optimizer_tensors(
            self.optimizer, checkpoint.under_prefix("optimizer", tensors)
        )
        device = next(self.gmvae.parameters()).device
        sums = checkpoint.under_prefix("meter", tensors)
        self.meter.sums = {name: value.to(device) for name, value in sums.items()}
        self.meter.count = values["count"]
        self.stopping.load(values["stopping"], checkpoint.under_prefix("best", tensors))
        self.history, self.step, self.batch = values["history"], values["step"], values["batch"]
        # Another kind of device has another kind of generator: there the order begins anew.
        if len(tensors["order"]) == len(self._order_at_epoch):
            self.order.set_state(tensors["order"])
        self._order_at_epoch = self.order.get_state()
        checkpoint.load_rng_tensors(checkpoint.under_prefix("rng", tensors))

    def _check_config(self, path: Path, saved: dict) -> None:
        ours = asdict(self.config)
        changed = [n for n in ours if n not in MAY_CHANGE and ours[n] != saved.get(n)]
        if changed:
            was = ", ".join(f"{n}={saved.get(n)!r}" for n in changed)
            raise InputError(f"{path} is of a training with {was}: resume with the same settings")
