"""Run networks in bfloat16 and everything else in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pyro_gmvae.models import GMVAE

__all__ = ["autocast_networks"]


@contextmanager
def autocast_networks(gmvae: GMVAE, dtype: torch.dtype = torch.bfloat16) -> Iterator[None]:
    """Run the encoders, heads and the decoder of ``gmvae`` in ``dtype`` while the context lasts.

    Their outputs are converted back to the precision of their inputs. So distributions, KL
    divergences and sums stay in float32; the eight bits of bfloat16 would hide the differences
    between clusters. A user's own networks are treated in the same way.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(4, n_components=3, latent_dim=2, hidden=(5,))
    >>> with autocast_networks(gmvae), torch.no_grad():
    ...     gmvae.responsibilities(torch.ones(8, 4)).dtype
    torch.float32
    """
    parts = [gmvae.model.decoder, *gmvae.guide.children()]
    penalties = (gmvae.regularizer, gmvae.must_link)  # they call the networks themselves
    networks = [part for part in parts if part not in penalties]
    with ExitStack() as stack:
        for network in networks:
            for hook in _autocast(network, dtype):
                stack.callback(hook.remove)
        yield


def _autocast(network: nn.Module, dtype: torch.dtype) -> tuple[Any, Any]:
    entered: list[torch.autocast] = []

    def enter(module: nn.Module, args: tuple) -> None:
        # Weights are cast anew in every pass: a cached cast would be that of an earlier step.
        entered.append(torch.autocast(args[0].device.type, dtype, cache_enabled=False))
        entered[-1].__enter__()

    def leave(module: nn.Module, args: tuple, output: Any) -> Any:
        entered.pop().__exit__(None, None, None)
        return _to(args[0].dtype, output)

    before = network.register_forward_pre_hook(enter)
    return before, network.register_forward_hook(leave, always_call=True)


def _to(dtype: torch.dtype, output: Any) -> Any:
    if isinstance(output, tuple):
        return tuple(_to(dtype, part) for part in output)
    return output.to(dtype) if isinstance(output, Tensor) else output
