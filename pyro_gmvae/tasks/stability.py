"""What several runs on the same data agree on, and whether a run comes back on parts of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from pyro_gmvae.data import Dataset, Splits
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import (
    ClusterStability,
    Stability,
    cluster_stability,
    stability,
)
from pyro_gmvae.runs import Run
from pyro_gmvae.tasks.data import row_responsibilities, settings_of, with_share
from pyro_gmvae.tasks.settings import Device
from pyro_gmvae.tasks.start import train_splits
from pyro_gmvae.training import Reporter

if TYPE_CHECKING:
    import pandas

__all__ = ["agreed_clusters", "compare_runs", "resampled"]

SHARE = 0.5  # of the training rows that a resample has


def compare_runs(runs: Sequence[Run], data: Sequence[Dataset], *, seed: int = 0) -> Stability:
    """How far ``runs`` agree on the same rows.

    Args:
        runs: trained models; they may differ in method and in K.
        data: the rows as each run knows them, one data set for each run.
        seed: of a random binarisation, where a model has no other input.

    Raises:
        InputError: for fewer than two runs.
    """
    each = zip(runs, data, strict=True)
    return stability(
        [row_responsibilities(r.gmvae, r.preprocessor, rows.x, seed=seed) for r, rows in each]
    )


def resampled(
    run: Run,
    splits: Splits,
    resamples: int,
    *,
    seed: int = 0,
    device: Device = "auto",
    reporters: Callable[[int], Sequence[Reporter]] = lambda resample: (),
) -> ClusterStability:
    """Which clusters of ``run`` come back when it is trained on other rows of the same kind.

    Trains anew, by the run's own settings and each time with another seed, on halves of the
    training rows drawn without replacement. Halves rather than bootstraps: a row that is there
    twice is a small cluster of its own to a model that can learn it by heart. All are compared on
    all rows of the run, as are those that a resample has not seen. Early stopping has the run's
    validation rows.

    Args:
        run: trained from a named source.
        splits: its own data, with the labels that it was trained with
            (see `pyro_gmvae.tasks.data.splits_of`).
        resamples: R, the number of trainings.
        seed: of the halves and of the trainings.
        device: where to train.
        reporters: who is told about the training of resample 0, 1, ...

    Raises:
        InputError: for ``resamples`` below 1, or halves with fewer rows than clusters.
        NonFiniteLossError: if a training fails.

    Reference: Hennig 2007 (see `pyro_gmvae.evaluation.cluster_stability`), the scheme of subsets.
    """
    if resamples < 1:
        raise InputError(f"resamples must be at least 1, got {resamples}")
    x = torch.cat([part.x for part in (splits.train, splits.validation, splits.test)])
    reference = row_responsibilities(run.gmvae, run.preprocessor, x, seed=seed).argmax(-1)
    generator = torch.Generator().manual_seed(seed)
    others = []
    for resample in range(resamples):
        own = int(torch.randint(2**62, (), generator=generator))
        settings = replace(settings_of(run), seed=own, device=device)
        trained = train_splits(settings, with_share(splits, SHARE, seed=own), reporters(resample))
        others.append(row_responsibilities(*trained, x, seed=seed).argmax(-1))
    return cluster_stability(reference, others, run.gmvae.n_components)


def agreed_clusters(report: Stability, data: Dataset) -> pandas.DataFrame:
    """Columns ``row``, ``cluster``, ``probability`` (the mean one) and ``agreement``.

    Agreement is the share of the runs that put the row there. The rows of a folder of images have
    their ``file`` as well.
    """
    import pandas

    probability, cluster = report.consensus.max(-1)
    columns: dict[str, object] = {"row": range(len(data))}
    if data.row_names is not None:
        columns["file"] = data.row_names
    columns |= {
        "cluster": cluster.numpy(),
        "probability": probability.numpy(),
        "agreement": report.agreement.numpy(),
    }
    return pandas.DataFrame(columns)
