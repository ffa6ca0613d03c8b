"""Drop the clusters that have hardly any rows."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from pyro_gmvae.data import Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import cluster_usage
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.models import keep_components
from pyro_gmvae.ranges import real
from pyro_gmvae.run_data import settings_of
from pyro_gmvae.runs import replace_run
from pyro_gmvae.runs.folder import open_run_folder
from pyro_gmvae.segments import calibrate
from pyro_gmvae.training_data import sources_of

__all__ = ["Pruned", "prune_run"]


@dataclass(frozen=True)
class Pruned:
    """Hold the result of `prune_run`.

    Attributes:
        fitted: the model with the clusters that stay, numbered anew in the same order.
        kept: the former numbers of the clusters that stay.
        dropped: the numbers of the clusters that were dropped.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> pruned = Pruned(fitted, kept=[0, 3], dropped=[1, 2])
    >>> len(pruned.kept), pruned.dropped
    (2, [1, 2])
    """

    fitted: FittedModel
    kept: list[int]
    dropped: list[int]


def prune_run(
    fitted: FittedModel,
    splits: Splits,
    folder: str | os.PathLike[str],
    *,
    least_share: float = 0.0,
    overwrite: bool = False,
) -> Pruned:
    """Write a model again without its emptiest clusters; their rows go to the others.

    Nothing is trained. Under a uniform p(y) the log-likelihood rises a little, as no probability is
    kept for clusters without data.

    Args:
        fitted: a trained model.
        splits: its own data (see `pyro_gmvae.run_data.load_run_splits`). The rows that were held
            out calibrate the smaller model, if there are any.
        folder: the folder to write to.
        least_share: the share of the rows that a cluster needs to stay; 0 drops empty ones only.
        overwrite: whether to replace a run that is in ``folder``.

    Raises:
        InputError: for a share outside [0, 1), if no cluster has so many rows, or for a folder that
            cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> none = data.subset(torch.arange(0))
    >>> with TemporaryDirectory() as folder:
    ...     pruned = prune_run(fitted, Splits(data, none, none), folder + "/smaller")
    >>> sorted(pruned.kept + pruned.dropped), pruned.fitted.gmvae.n_components == len(pruned.kept)
    ([0, 1], True)
    """
    least_share = real("the least share", least_share, least=0, below=1)
    rows = splits.train
    share = cluster_usage(fitted.responsibilities(rows.x, rows.w), rows.weights).share
    stays = (share > 0) & (share >= least_share)
    kept = stays.nonzero().squeeze(-1)
    if len(kept) == 0:
        raise InputError(
            f"no cluster has {least_share:.1%} of the rows, the largest has {share.max():.1%}: "
            "lower the least share"
        )
    try:
        gmvae = keep_components(fitted.gmvae, kept)
    except ValueError as error:
        raise InputError(f"clusters of this model cannot be dropped: {error}") from error
    about = replace(fitted.about, kept_clusters=tuple(kept.tolist()))
    if about.settings is not None:
        about = replace(about, settings={**about.settings, "clusters": len(kept)})
    # The calibration of the former model says nothing of this one.
    smaller = replace(fitted, gmvae=gmvae, about=about, calibration=None)
    smaller = replace(smaller, calibration=calibrate(smaller, splits))
    sources = [] if about.settings is None else sources_of(settings_of(fitted))
    with open_run_folder(folder, overwrite=overwrite, sources=sources) as path:
        replace_run(path, smaller)
    return Pruned(smaller, kept.tolist(), (~stays).nonzero().squeeze(-1).tolist())
