"""The whole state of a training in one file that is data, not code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole

__all__ = ["load_checkpoint", "save_checkpoint"]

VERSION = 1


def save_checkpoint(path: Path, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    """Write ``tensors`` and JSON ``values`` to ``path``, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"state": json.dumps({"version": VERSION, **values})}
    # Clones: safetensors refuses tensors that share memory.
    clones = {n: t.detach().cpu().clone() for n, t in tensors.items()}
    with written_whole(path) as partial:
        save_file(clones, partial, metadata)


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_checkpoint` wrote.

    Raises:
        InputError: if there is none, or it is damaged or of another version.
    """
    if not path.is_file():
        raise InputError(f"there is no checkpoint at {path} to resume from: train without --resume")
    try:
        with safe_open(path, "pt") as file:
            values = json.loads((file.metadata() or {})["state"])
            version = values.pop("version", None)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"the checkpoint {path} is damaged ({error}): train anew") from error
    if version != VERSION:
        raise InputError(f"the checkpoint {path} is of another version: train anew")
    return tensors, values


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's moments, flat: ``{parameter index}.{name}``."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": value for i, entry in state.items() for name, value in entry.items()}


def load_optimizer_tensors(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under ``prefix/``."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `with_prefix` put under ``prefix/``."""
    start = f"{prefix}/"
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def rng_tensors() -> dict[str, Tensor]:
    """The states of the global generators."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def load_rng_tensors(states: dict[str, Tensor]) -> None:
    """The inverse of `rng_tensors`."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
