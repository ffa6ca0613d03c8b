"""Decide where a training runs, and set Pyro and torch up for its steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pyro
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import autocast_networks, own_stream
from pyro_gmvae.models import GMVAE
from pyro_gmvae.ranges import shown
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.heap import keeping_freed_memory
from pyro_gmvae.training.resources import records_steps

__all__ = ["check_device", "make_accelerator", "training_context"]


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        InputError: for another word than ``"cpu"`` or ``"cuda"``, or CUDA where there is none.

    >>> check_device("cpu")
    """
    if device not in ("cpu", "cuda"):
        raise InputError(f"unknown device {shown(device)}: use cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("this machine has no CUDA device: use device cpu")


def make_accelerator(device: str) -> Accelerator:
    """Make an `Accelerator` on ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: as `check_device`.

    >>> make_accelerator("cpu").device
    device(type='cpu')
    """
    check_device(device)
    # accelerate keeps one state for a process and refuses another device; each fit may change it.
    if PartialState._shared_state and PartialState().device.type != device:
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=device == "cpu")


@contextmanager
def training_context(gmvae: GMVAE, config: TrainConfig, accelerator: Accelerator) -> Iterator[None]:
    """Put ``gmvae`` on the device, in training mode, and set Pyro and torch up for steps.

    Raises:
        InputError: for weights that torch does not allow to change.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,)).eval()
    >>> with training_context(gmvae, TrainConfig(), make_accelerator("cpu")):
    ...     gmvae.training
    True
    """
    if any(t.is_inference() for t in [*gmvae.parameters(), *gmvae.buffers()]):
        raise InputError(
            "the model has a network made under torch.inference_mode(), which cannot be trained: "
            "make the network outside of it"
        )
    device = accelerator.device
    precision = autocast_networks if config.precision == "bfloat16" else nullcontext
    with (
        keeping_freed_memory() if device.type == "cpu" else nullcontext(),
        own_stream(device, wanted=records_steps(config, accelerator)),
        # Validation would read values back in every step, and Pyro's parameter store would be one
        # global dict.
        pyro.validation_enabled(False),
        pyro.settings.context(module_local_params=True),
        precision(gmvae.to(device).train()),
    ):
        yield
