"""Decide how a training of images is computed, as the library does where the user does not say."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Literal

import torch
from torch import Tensor

from pyro_gmvae.data import Encoding, ImageEncoding
from pyro_gmvae.fitting import defaults
from pyro_gmvae.models import GMVAE
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training import TrainConfig

__all__ = ["Compile", "Precision", "resolved"]

Compile = Literal["auto", "on", "off"]
Precision = Literal["auto", "float32", "bfloat16"]


def resolved(
    config: TrainConfig,
    gmvae: GMVAE,
    x: Tensor,
    *,
    transform: Encoding | None = None,
    compile: Compile = "auto",
    precision: Precision = "auto",
) -> TrainConfig:
    """Return ``config`` with the decisions of `pyro_gmvae.fitting.defaults` on a training.

    They are compilation, the recording of steps, precision, and the clusters that the exact method
    sums at a time. A plan decides the same, but a benchmark builds its model and its data itself.

    Args:
        config: the settings of the training; it names a device.
        gmvae: the model that is trained.
        x: all training rows, shape ``(N, *event)``.
        transform: the map from rows to model scale; None if they are there.
        compile: ``"off"`` neither compiles nor records a step.
        precision: of the networks.
    """
    device = defaults.device(config.device or "auto")
    steps = config.total_steps(ceil(len(x) / config.batch_size))
    batch = x[: config.batch_size]
    with forked_rng(torch.device(device)):
        seen = batch if transform is None else transform(batch.to(transform.scale.device))
    seen = seen.to(gmvae.model.component_loc.device)
    return replace(
        config,
        compile=defaults.compiled(compile, device, steps),
        record=compile != "off",
        precision=defaults.precision(precision, device, ImageEncoding.defaults),
        chunk_size=defaults.chunk_size(None, gmvae, seen, device),
    )
