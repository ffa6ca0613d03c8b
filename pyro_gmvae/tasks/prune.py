"""A run without the clusters that hardly anything is in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import cluster_usage
from pyro_gmvae.models import keep_components
from pyro_gmvae.runs import Run, open_run_folder, save_run
from pyro_gmvae.tasks.data import row_responsibilities

__all__ = ["Pruned", "prune_run"]


@dataclass(frozen=True)
class Pruned:
    """What `prune_run` did.

    Attributes:
        run: with the clusters that stay, numbered anew in the same order.
        kept: their numbers before.
        dropped: those of the others.
    """

    run: Run
    kept: list[int]
    dropped: list[int]


def prune_run(
    run: Run,
    data: Dataset,
    folder: str | os.PathLike[str],
    *,
    least_share: float = 0.0,
    overwrite: bool = False,
    seed: int = 0,
) -> Pruned:
    """Write ``run`` again without its emptiest clusters; rows that they have go to the others.

    Nothing is trained. Under a uniform p(y) the log-likelihood rises a little, as no probability is
    kept for clusters without data.

    Args:
        run: a trained model.
        data: the rows it was trained on.
        folder: to write to.
        least_share: of the rows, that a cluster needs to stay; 0 drops empty ones only.
        overwrite: whether to replace a run that is there.
        seed: of a random binarisation, where a model has no other input.

    Raises:
        InputError: for a share outside [0, 1), if no cluster has so many rows, or for a folder that
            cannot be written.
    """
    if not 0 <= least_share < 1:
        raise InputError(f"the least share must be from 0 up to below 1, got {least_share}")
    share = cluster_usage(
        row_responsibilities(run.gmvae, run.preprocessor, data.x, seed=seed)
    ).share
    stays = (share > 0) & (share >= least_share)
    kept = stays.nonzero().squeeze(-1)
    if len(kept) == 0:
        raise InputError(
            f"no cluster has {least_share:.1%} of the rows, the largest has {share.max():.1%}: "
            "lower the least share"
        )
    try:
        gmvae = keep_components(run.gmvae, kept)
    except ValueError as error:
        raise InputError(f"this model cannot do without these clusters: {error}") from error
    details: dict[str, Any] = {**run.details, "kept_clusters": kept.tolist()}
    if "settings" in details:
        details["settings"] = {**details["settings"], "clusters": len(kept)}
    smaller = Run(gmvae, run.preprocessor, details)
    save_run(open_run_folder(folder, overwrite=overwrite), smaller)
    return Pruned(smaller, kept.tolist(), (~stays).nonzero().squeeze(-1).tolist())
