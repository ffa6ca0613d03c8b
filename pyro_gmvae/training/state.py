"""Save the state of a training in one file that is data, not code."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import reason_of, under_prefix, with_prefix, written_whole
from pyro_gmvae.files.tensors import digest_of, read_metadata, read_tensors
from pyro_gmvae.stored import DamagedError, cut, parse_json, shortened, typed
from pyro_gmvae.training.checkpoint import Position, check_tensors, check_weights
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.metrics import Meter
from pyro_gmvae.training.reporters import Record
from pyro_gmvae.training.stopping import EarlyStopping

__all__ = ["TrainState", "load_checkpoint", "save_checkpoint", "save_or_warn"]

VERSION = 2
# A resumed training may change these; any other change would make it another training.
MAY_CHANGE = ("epochs", "max_steps", "patience", "device", "checkpoint_seconds")


class TrainState:
    """Hold the moving parts of a training and its position in the data.

    Attributes:
        history: records of the epochs done.
        step: gradient steps done.
        batch: batches done in the current epoch.

    >>> from tempfile import TemporaryDirectory
    >>> def new_state():
    ...     layer, stopping = nn.Linear(2, 1), EarlyStopping(None, keep_best=False)
    ...     adam = torch.optim.Adam(layer.parameters())
    ...     return TrainState(layer, adam, Meter(), stopping, torch.Generator(), TrainConfig())
    >>> state, other = new_state(), new_state()
    >>> state.step = 7
    >>> with TemporaryDirectory() as folder:
    ...     state.save(Path(folder) / "state")
    ...     other.load(Path(folder) / "state")
    >>> other.step, torch.equal(other.gmvae.weight, state.gmvae.weight)
    (7, True)
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
        """Note a finished epoch and make ready for the next.

        Raises:
            InputError: if the record has not the names of those before, which a checkpoint held.
        """
        if self.history and record.keys() != self.history[-1].keys():
            raise InputError(
                "the checkpoint's history is not that of such a training: train another run"
            )
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
            "optimizer": optimizer_tensors(self.optimizer),
            "meter": self.meter.sums,
            "rng": rng_tensors(),
        }.items():
            tensors |= with_prefix(prefix, group)
        values = {
            "config": asdict(self.config),
            "history": self.history,
            "step": self.step,
            "batch": self.batch,
            "count": self.meter.count,
            "stopping": self.stopping.state(),
        }
        save_checkpoint(path, tensors, values)

    def load(self, path: Path) -> None:
        """Continue from what `save` wrote.

        Raises:
            InputError: if the file is missing, damaged, or of other settings or another model.
        """
        tensors, values = load_checkpoint(path)
        try:
            position = typed(Position, values, "state")
            self._check_config(path, position.config)
            check_weights(path, tensors, self.gmvae)
            check_tensors(tensors, position, self.gmvae, self.optimizer, self.order)
        except DamagedError as error:
            raise _damaged(path, error) from error
        self._restore(tensors, position)

    def _restore(self, tensors: dict[str, Tensor], position: Position) -> None:
        self.gmvae.load_state_dict(under_prefix("weights", tensors))
        load_optimizer_tensors(self.optimizer, under_prefix("optimizer", tensors))
        device = next(self.gmvae.parameters()).device
        sums = under_prefix("meter", tensors)
        self.meter.sums = {name: value.to(device) for name, value in sums.items()}
        self.meter.count = position.count
        self.stopping.load(asdict(position.stopping), under_prefix("best", tensors))
        self.history, self.step, self.batch = position.history, position.step, position.batch
        # Another kind of device has another kind of generator, so the order begins anew there.
        if len(tensors["order"]) == len(self._order_at_epoch):
            self.order.set_state(tensors["order"])
        self._order_at_epoch = self.order.get_state()
        load_rng_tensors(under_prefix("rng", tensors))

    def _check_config(self, path: Path, saved: dict[str, Any]) -> None:
        ours = asdict(self.config)
        changed = [n for n in ours if n not in MAY_CHANGE and ours[n] != saved.get(n)]
        if changed:
            was = ", ".join(f"{n}={shortened(saved.get(n))}" for n in changed)
            raise InputError(f"{path} is of a training with {was}: resume with the same settings")


def save_or_warn(state: TrainState, path: Path) -> None:
    """Save ``state``, or warn in one line if the system does not let it be written.

    A full disk today need not cost the training, which may find room tomorrow. The last whole
    checkpoint stays.

    >>> from tempfile import TemporaryDirectory
    >>> layer, stopping = nn.Linear(2, 1), EarlyStopping(None, keep_best=False)
    >>> adam = torch.optim.Adam(layer.parameters())
    >>> state = TrainState(layer, adam, Meter(), stopping, torch.Generator(), TrainConfig())
    >>> with TemporaryDirectory() as folder:
    ...     save_or_warn(state, Path(folder) / "state")
    ...     (Path(folder) / "state").is_file()
    True
    """
    try:
        state.save(path)
    except (OSError, InputError) as error:
        kept = "the last one stays" if path.is_file() else "there is none yet"
        warnings.warn(
            f"the checkpoint {path} cannot be written ({reason_of(error)}), {kept}: "
            "training continues",
            RuntimeWarning,
            stacklevel=2,
        )


def save_checkpoint(path: Path, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    """Write ``tensors`` and JSON ``values`` to ``path``, whole or not at all.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     save_checkpoint(Path(folder) / "state", {"weights/bias": torch.ones(2)}, {"step": 7})
    ...     load_checkpoint(Path(folder) / "state")
    ({'weights/bias': tensor([1., 1.])}, {'step': 7})
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"version": VERSION, **values})
    # Clones: safetensors refuses tensors that share memory.
    clones = {
        n: t.detach().cpu().clone(memory_format=torch.contiguous_format) for n, t in tensors.items()
    }
    metadata = {"state": text, "digest": digest_of(clones, text)}
    # Bytes that Python writes: safetensors' own writing reports a full disk as a damaged file.
    content = save(clones, metadata)
    with written_whole(path) as partial:
        partial.write_bytes(content)


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_checkpoint` wrote.

    Raises:
        InputError: if there is no file, or it is damaged or of another version.

    >>> load_checkpoint(Path("no-such-state"))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: there is no checkpoint at no-such-state to resume from...
    """
    if not path.is_file():
        raise InputError(f"there is no checkpoint at {path} to resume from: train without --resume")
    try:
        metadata = read_metadata(path)
        text = metadata.get("state", "")
        values = parse_json(text)
        if not isinstance(values, dict):
            raise DamagedError("it holds no state")
        if values.pop("version", None) != VERSION:
            raise InputError(f"the checkpoint {path} is of another version: train anew")
        tensors = read_tensors(path)
        if digest_of(tensors, text) != metadata.get("digest"):
            raise DamagedError("its content is not what was saved")
    except DamagedError as error:
        raise _damaged(path, error) from error
    return tensors, values


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"the checkpoint {path} is damaged ({cut(error)}): train anew")


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's moments as a flat dict, by ``{parameter index}.{name}``."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": value for i, entry in state.items() for name, value in entry.items()}


def load_optimizer_tensors(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore the moments that `optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def rng_tensors() -> dict[str, Tensor]:
    """Return the states of the global generators."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def load_rng_tensors(states: dict[str, Tensor]) -> None:
    """Restore the states that `rng_tensors` returned."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
