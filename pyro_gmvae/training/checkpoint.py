"""Check what a checkpoint holds before a training continues from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pyro_gmvae.errors import InputError
from pyro_gmvae.files import under_prefix, with_prefix
from pyro_gmvae.files.tensors import TensorForm, compare_forms, form_of, require_finite
from pyro_gmvae.stored import DamagedError, shortened
from pyro_gmvae.training.reporters import Record

__all__ = ["Position", "StoppingState", "check_tensors", "check_weights"]

# Figures that every epoch has, and the pictures of a run show.
RECORDED = {"epoch", "step", "loss", "elbo", "log_likelihood", "kl_z", "kl_y", "kl_weight"}
RECORDED |= {"z_kl_weight", "temperature", "learning_rate", "clusters_in_use", "seconds"}
PARTS = ("weights", "best", "optimizer", "meter", "rng")  # of the tensors, beside the order


@dataclass(frozen=True)
class StoppingState:
    """Hold what `EarlyStopping.state` returns.

    >>> from dataclasses import asdict
    >>> asdict(StoppingState(elbo=-3.5, epoch=2.0, waited=1))
    {'elbo': -3.5, 'epoch': 2.0, 'waited': 1}
    """

    elbo: float
    epoch: float | None
    waited: int


@dataclass(frozen=True)
class Position:
    """Hold what a checkpoint keeps beside its tensors.

    >>> stopping = StoppingState(elbo=-3.5, epoch=2.0, waited=1)
    >>> Position(config={}, history=[], step=7, batch=2, count=512, stopping=stopping).step
    7
    """

    config: dict[str, Any]
    history: list[Record]
    step: int
    batch: int
    count: int
    stopping: StoppingState

    def __post_init__(self) -> None:
        counts = (self.step, self.batch, self.count, self.stopping.waited)
        if min(counts) < 0 or self.batch > self.step:
            raise DamagedError("its counts of steps and batches cannot be")
        if any(not record.keys() >= RECORDED for record in self.history):
            raise DamagedError("its history lacks figures")


def check_weights(path: Path, tensors: dict[str, Tensor], module: nn.Module) -> None:
    """Refuse a checkpoint whose weights are not those of a module.

    Raises:
        InputError: naming the first tensor that differs.

    >>> layer = nn.Linear(2, 1)
    >>> tensors = with_prefix("weights", layer.state_dict())
    >>> check_weights(Path("state"), tensors, layer)
    >>> check_weights(Path("state"), tensors, nn.Linear(3, 1))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: state is of another model...
    """
    try:
        compare_forms(_forms(under_prefix("weights", tensors)), _forms(module.state_dict()))
    except DamagedError as error:
        raise InputError(
            f"{path} is of another model ({error}): resume with the same one"
        ) from error


def check_tensors(
    tensors: dict[str, Tensor],
    position: Position,
    module: nn.Module,
    optimizer: Optimizer,
    order: torch.Generator,
) -> None:
    """Refuse tensors that do not fit together.

    Args:
        tensors: the tensors of the checkpoint.
        position: its other values.
        module, optimizer, order: the model, Adam and the generator that are to continue from it.

    Raises:
        DamagedError: naming the tensor.

    >>> layer, order = nn.Linear(2, 1), torch.Generator()
    >>> adam = torch.optim.Adam(layer.parameters())
    >>> position = Position({}, [], 0, 0, 0, StoppingState(elbo=0.0, epoch=None, waited=0))
    >>> check_tensors({"colour": torch.zeros(1)}, position, layer, adam, order)
    Traceback (most recent call last):
        ...
    pyro_gmvae.stored.DamagedError: the tensor 'colour' is unknown
    """
    parts = {part: under_prefix(part, tensors) for part in PARTS}
    if unknown := {n for n in tensors if n.partition("/")[0] not in PARTS} - {"order"}:
        raise DamagedError(f"the tensor {shortened(min(unknown))} is unknown")
    learned = dict(module.named_parameters())  # a buffer of a user's network may be infinite
    for part in ("weights", "best", "optimizer", "meter"):
        every = part in ("optimizer", "meter")
        kept = {name: t for name, t in parts[part].items() if every or name in learned}
        require_finite(with_prefix(part, kept))
    if parts["best"]:
        compare_forms(_forms(parts["best"]), _forms(module.state_dict()))
    moments = _forms(parts["optimizer"])
    compare_forms(moments, _moments(optimizer, moments))
    if any(v.dim() or not v.is_floating_point() for v in parts["meter"].values()):
        raise DamagedError("a sum of the meter is no number")
    if position.batch and not (position.count and "loss" in parts["meter"]):
        raise DamagedError("it is within an epoch, of which it has no sums")
    _check_generators(tensors, parts["rng"], order)


def _check_generators(
    tensors: dict[str, Tensor], states: dict[str, Tensor], order: torch.Generator
) -> None:
    for name in ("order", "rng/cpu"):
        if name not in tensors or tensors[name].dim() != 1:
            raise DamagedError(f"the tensor {name!r} is no state of a generator")
    # Another kind of device has another kind of generator, so the order begins anew there.
    if len(tensors["order"]) == len(order.get_state()):
        _check_generator("order", tensors["order"], order.device)
    for name, state in states.items():
        if name not in ("cpu", "cuda"):
            raise DamagedError(f"the tensor {shortened('rng/' + name)} is unknown")
        if name == "cpu" or torch.cuda.is_available():
            _check_generator(f"rng/{name}", state, torch.device(name))


def _forms(tensors: Mapping[str, Tensor]) -> dict[str, TensorForm]:
    return {name: form_of(tensor) for name, tensor in tensors.items()}


def _moments(optimizer: Optimizer, found: dict[str, TensorForm]) -> dict[str, TensorForm]:
    """Return the forms of Adam's tensors for each parameter that has had a gradient."""
    wanted: dict[str, TensorForm] = {}
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for i, parameter in enumerate(parameters):
        if f"{i}.step" in found:
            wanted[f"{i}.step"] = TensorForm((), found[f"{i}.step"].dtype)
            wanted |= {f"{i}.{name}": form_of(parameter) for name in ("exp_avg", "exp_avg_sq")}
    return wanted


def _check_generator(name: str, state: Tensor, device: torch.device) -> None:
    """Try a state on a generator that nothing is drawn from."""
    try:
        torch.Generator(device).set_state(state)
    except (RuntimeError, TypeError) as error:
        raise DamagedError(f"the tensor {name!r} is no state of a generator") from error
