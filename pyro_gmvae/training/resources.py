"""What a machine allows: compilation, bfloat16, how many clusters fit into its memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import psutil
import torch
from torch import Tensor, nn

from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import TraceEnumMeanField_ELBO
from pyro_gmvae.models import GMVAE
from pyro_gmvae.training.config import TrainConfig

__all__ = ["fitting_chunk_size", "has_fast_bfloat16", "whether_to_compile"]

# On a CPU compilation takes about 10 s and saved 2 ms a step or more (benchmarks/step.py). By the
# number of steps, not by a clock, so that the same training is compiled every time or never.
MIN_STEPS_ON_CPU = 5_000
PEAK = 2  # memory of a step over what it saves for the gradient, about
SHARE = 0.5  # of the free memory, at most


def whether_to_compile(
    config: TrainConfig, device: torch.device, total_steps: int
) -> Literal["auto"] | bool:
    """``config.compile``, or for ``"auto"``: False where it would not pay."""
    if config.compile != "auto":
        return config.compile
    pays = device.type == "cuda" or total_steps >= MIN_STEPS_ON_CPU
    return "auto" if pays else False


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, n, lambda: False)() for n in names)


def fitting_chunk_size(
    config: TrainConfig, gmvae: GMVAE, batch: Sequence[Tensor | None]
) -> int | None:
    """How many clusters to sum at a time; None for all.

    Args:
        config: its ``chunk_size``, and what shapes the ELBO.
        gmvae: on the device of the training, in training mode.
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
    elbo = TraceEnumMeanField_ELBO(
        num_particles=config.num_particles,
        vectorize_particles=True,
        max_plate_nesting=config.max_plate_nesting,
    )
    device = gmvae.model.component_loc.device
    one = torch.zeros(1, dtype=torch.long, device=device)
    gmvae.eval()  # what a network keeps of its training, such as batch norm's means, stays as it is
    per_cluster = PEAK * _bytes_saved(
        lambda: elbo.partial_terms(gmvae.model, gmvae.guide, one, *batch).loss, gmvae
    )
    gmvae.train()
    budget = SHARE * _free_memory(device)
    if gmvae.n_components * per_cluster <= budget:
        return None
    return max(1, int(budget // per_cluster))


def _bytes_saved(compute: Callable[[], Tensor], module: nn.Module) -> int:
    """The memory that a computation keeps for its gradient, parameters left out."""
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    saved: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    devices = {p.device for p in module.parameters() if p.is_cuda}
    with (
        torch.random.fork_rng(devices=devices),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        kept = compute()  # while this lives, so do the storages, and no address is used twice
    del kept
    return sum(size for address, size in saved.items() if address not in own)


def _free_memory(device: torch.device) -> int:
    """In bytes."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
