"""Compare several runs on the same data, and a run with trainings on parts of its data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
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
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.plan import plan
from pyro_gmvae.fitting.train import train
from pyro_gmvae.ranges import MOST_TRAININGS, whole
from pyro_gmvae.run_data import settings_of
from pyro_gmvae.runs.findings import write_stability
from pyro_gmvae.runs.folder import open_run_folder
from pyro_gmvae.training import Reporter
from pyro_gmvae.visible import unicode_text

if TYPE_CHECKING:
    import pandas

__all__ = ["agreed_clusters", "compare_runs", "keep_resampled", "resampled"]

RESAMPLED_SHARE = 0.5  # share of the training rows in a resample


def compare_runs(models: Sequence[FittedModel], data: Sequence[Dataset]) -> Stability:
    """Measure how far several models agree on the same rows.

    Args:
        models: trained models; they may differ in method and in K.
        data: the rows as each model knows them, one data set for each model; they count by the
            weights of the first.

    Raises:
        InputError: for fewer than two models.

    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> compare_runs([fitted, fitted], [data, data]).agreement.min().item()  # a model with itself
    1.0
    """
    each = zip(models, data, strict=True)
    q = [fitted.responsibilities(rows.x, rows.w) for fitted, rows in each]
    return stability(q, data[0].weights if data else None)


def resampled(
    fitted: FittedModel,
    splits: Splits,
    resamples: int,
    *,
    seed: int = 0,
    device: str = "auto",
    reporters: Callable[[int], Sequence[Reporter]] = lambda resample: (),
) -> ClusterStability:
    """Find which clusters come back when a model is trained on other rows of the same kind.

    Each resample is a training by the model's own settings, with another seed, on half of the
    training rows drawn without replacement. Halves are better than bootstraps here, because a row
    that is drawn twice becomes a small cluster of its own in a model that can learn it by heart.
    All are compared on all rows of the run, some of which a resample has not seen. Early stopping
    uses the run's validation rows.

    Args:
        fitted: a model trained from a named source.
        splits: its own data, with the labels that it was trained with
            (see `pyro_gmvae.run_data.load_run_splits`).
        resamples: R, the number of trainings.
        seed: the seed of the halves and of the trainings.
        device: where to train.
        reporters: gives the reporters of the training of resample 0, 1, ...

    Raises:
        InputError: for ``resamples`` out of range, or halves with fewer rows than clusters.
        NonFiniteLossError: if a training fails.

    Reference: Hennig 2007 (see `pyro_gmvae.evaluation.cluster_stability`), the scheme of subsets.

    >>> from pyro_gmvae.data import ImageEncoding, load_splits
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE((1, 8, 8), n_components=3, latent_dim=2, hidden=(4,))
    >>> fitted = FittedModel(gmvae.eval(), ImageEncoding((1, 8, 8)))
    >>> resampled(fitted, load_splits("digits", seed=0), 2)
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: this run was not trained from a named source...
    """
    resamples = whole("resamples", resamples, least=1, most=MOST_TRAININGS)
    x = torch.cat([part.x for part in splits])
    weights = [part.weights for part in splits if part.weights is not None]
    reference = fitted.responsibilities(x, splits.w).argmax(-1)
    generator = torch.Generator().manual_seed(seed)
    others = []
    for resample in range(resamples):
        own = int(torch.randint(2**62, (), generator=generator))
        settings = settings_of(fitted).with_(seed=own, device=device)
        half = splits.with_share(RESAMPLED_SHARE, seed=own)
        trained = train(plan(settings, half), reporters=reporters(resample))
        others.append(trained.responsibilities(x, splits.w).argmax(-1))
    return cluster_stability(
        reference, others, fitted.gmvae.n_components, torch.cat(weights) if weights else None
    )


def keep_resampled(run: str, found: ClusterStability) -> None:
    """Keep the figures in the folder of the run, where its report finds them.

    Warns:
        RuntimeWarning: if the folder cannot be written. Hours of training are not lost for a file.

    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> from pyro_gmvae.runs import save_run
    >>> from pyro_gmvae.runs.findings import read_stability
    >>> labels = torch.tensor([0, 0, 1, 1])
    >>> with TemporaryDirectory() as folder:
    ...     save_run(folder, fitted)
    ...     keep_resampled(folder, cluster_stability(labels, [labels], n_clusters=2))
    ...     [each.verdict for each in read_stability(folder).clusters]
    ['stable', 'stable']
    """
    try:
        with open_run_folder(run, resume=True):
            write_stability(run, found)
    except InputError as error:
        warnings.warn(f"the report of {run} will not show this: {error}", RuntimeWarning, 2)


def agreed_clusters(report: Stability, data: Dataset) -> pandas.DataFrame:
    """Return the columns ``row``, ``cluster``, ``probability`` (the mean one) and ``agreement``.

    Agreement is the share of the runs that put the row into its cluster. The rows of a folder of
    images also have the column ``file``.

    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> frame = agreed_clusters(compare_runs([fitted, fitted], [data, data]), data)
    >>> list(frame.columns)
    ['row', 'cluster', 'probability', 'agreement']
    """
    import pandas

    probability, cluster = report.consensus.max(-1)
    columns: dict[str, object] = {"row": range(len(data))}
    if data.row_names is not None:
        columns["file"] = [unicode_text(name) for name in data.row_names]
    columns |= {
        "cluster": cluster.numpy(),
        "probability": probability.numpy(),
        "agreement": report.agreement.numpy(),
    }
    return pandas.DataFrame(columns)
