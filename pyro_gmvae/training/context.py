"""Where the steps of a training are made: the device, its precision, Pyro without checks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pyro
from accelerate import Accelerator

from pyro_gmvae.inference import autocast_networks, own_stream
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.config import TrainConfig
from pyro_gmvae.training.heap import keeping_freed_memory
from pyro_gmvae.training.resources import networks_in_bfloat16, whether_to_record

__all__ = ["training_context"]


@contextmanager
def training_context(gmvae: GMVAE, config: TrainConfig, accelerator: Accelerator) -> Iterator[None]:
    """Put ``gmvae`` on the device, in training mode, and make ready for steps of this config."""
    device = accelerator.device
    precision = autocast_networks if networks_in_bfloat16(config, device) else nullcontext
    with (
        keeping_freed_memory() if device.type == "cpu" else nullcontext(),
        own_stream(device, wanted=whether_to_record(config, accelerator)),
        # Validation reads values back in every step; the parameter store would be one global dict.
        pyro.validation_enabled(False),
        pyro.settings.context(module_local_params=True),
        precision(gmvae.to(device).train()),
    ):
        yield
