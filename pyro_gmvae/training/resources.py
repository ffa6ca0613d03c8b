"""What a machine allows: compilation, bfloat16, how many clusters fit into its memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import psutil
import torch
from accelerate import Accelerator
from torch import Tensor

from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.inference.memory import bytes_saved
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.config import TrainConfig

__all__ = [
    "fitting_chunk_size",
    "networks_in_bfloat16",
    "whether_to_compile",
    "whether_to_record",
]

# On a CPU compilation takes about 10 s and saves 2 ms a step or more, on a GPU 4 to 12 s and 0.4 ms
# (benchmarks/step.py, benchmarks/epoch.py). By the number of steps, not by a clock, so that the
# same training is compiled every time or never.
MIN_STEPS_ON_CPU = 5_000
MIN_STEPS_ON_CUDA = 20_000
PEAK = 2  # memory of a step over what it saves for the gradient, about
SHARE = 0.5  # of the free memory, at most


def whether_to_compile(
    config: TrainConfig, device: torch.device, total_steps: int
) -> Literal["auto"] | bool:
    """``config.compile``, or for ``"auto"``: False where it would not pay."""
    if config.compile != "auto":
        return config.compile
    least = MIN_STEPS_ON_CUDA if device.type == "cuda" else MIN_STEPS_ON_CPU
    return "auto" if total_steps >= least else False


def whether_to_record(config: TrainConfig, accelerator: Accelerator) -> bool:
    """Whether a step is recorded as a CUDA graph: on one GPU, unless compilation is off."""
    on_one = accelerator.device.type == "cuda" and accelerator.num_processes == 1
    return on_one and config.compile is not False


def networks_in_bfloat16(config: TrainConfig, device: torch.device) -> bool:
    """Say whether the networks run in bfloat16; ``"auto"`` uses it on GPUs that have it alone.

    On a CPU ``"auto"`` is float32 whatever the processor can do, so that the same training gives
    the same clusters on every machine.
    """
    if config.precision != "auto":
        return config.precision == "bfloat16"
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def fitting_chunk_size(
    config: TrainConfig,
    gmvae: GMVAE,
    elbo: TraceEnumMeanField_ELBO,
    batch: Sequence[Tensor | None],
) -> int | None:
    """How many clusters to sum at a time; None for all.

    Args:
        config: its ``chunk_size``.
        gmvae: on the device of the training, in training mode.
        elbo: of the training.
        batch: arguments of the pair, as many rows as a step has.

    Raises:
        InputError: for a number, where the method does not sum over all clusters.
    """
    if gmvae.method != "exact":
        if isinstance(config.chunk_size, int):
            raise InputError(
                f"chunk_size is for the exact method, which sums over all clusters, not for "
                f"{gmvae.method}: leave it out"
            )
        return None
    if config.chunk_size != "auto":
        return config.chunk_size
    device = gmvae.model.component_loc.device
    one = torch.zeros(1, dtype=torch.long, device=device)
    gmvae.eval()  # what a network keeps of its training, such as batch norm's means, stays as it is
    per_cluster = PEAK * bytes_saved(
        lambda: elbo.partial_terms(gmvae.model, gmvae.guide, one, *batch).loss, gmvae
    )
    gmvae.train()
    budget = SHARE * _free_memory(device)
    if gmvae.n_components * per_cluster <= budget:
        return None
    return max(1, int(budget // per_cluster))


def _free_memory(device: torch.device) -> int:
    """In bytes."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
