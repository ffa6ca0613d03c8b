"""Assign each row to a cluster, in a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.run_data import load_run_splits
from pyro_gmvae.segments import assign, calibrate
from pyro_gmvae.serving.posterior import cluster_posterior
from pyro_gmvae.visible import unicode_text

if TYPE_CHECKING:
    import pandas

__all__ = ["calibrated", "predict_run"]


def calibrated(fitted: FittedModel, *, data_dir: str | None = None) -> FittedModel:
    """Return a model with a calibration: its own, or one by the rows that its training held out.

    A run of an earlier version has no calibration of its own.

    Args:
        fitted: the model.
        data_dir: where the built-in data sets are, if it is another folder than at training.

    Raises:
        InputError: if the model has none and its training held out no rows, or they are not found.

    >>> import torch
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> from pyro_gmvae.evaluation import Calibration
    >>> log_p = torch.arange(9.0, dtype=torch.float64)
    >>> calibration = Calibration(log_p, torch.full((9,), 0.95), log_p[:0], num_samples=100)
    >>> calibrated(replace(fitted, calibration=calibration)).calibration is calibration
    True
    """
    if fitted.calibration is not None:
        return fitted
    try:
        splits = load_run_splits(fitted, data_dir=data_dir)
    except InputError as error:
        raise InputError(
            "this run has no calibration for --density and --reject, and its held-out rows are not "
            f"found ({error}): train it again, or leave these options out"
        ) from error
    calibration = calibrate(fitted, splits)
    if calibration is None:
        raise InputError(
            "the training of this run held out no rows, which --density and --reject need: train "
            "it again with --test-fraction above 0, or leave these options out"
        )
    return replace(fitted, calibration=calibration)


def predict_run(
    fitted: FittedModel,
    data: Dataset,
    *,
    density: bool = False,
    reject: float | None = None,
) -> pandas.DataFrame:
    """Return the column ``row``, counted from 0, and the columns of a `ClusterAssignment`.

    The rows of a folder of images also have the column ``file``, a path in that folder;
    a name that is no text, as of another encoding, has escapes.

    Args:
        fitted: the model; for ``density`` and ``reject`` a `calibrated` one.
        data: rows that conform.
        density: whether to give log p(x) and typicality.
        reject: the share of rows like those of training to reject; None rejects none.

    Raises:
        InputError: as `pyro_gmvae.segments.assign`.

    >>> import numpy as np
    >>> from pyro_gmvae.data import TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> data = from_array(np.arange(40.0).reshape(20, 2))
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(data.x))
    >>> frame = predict_run(fitted, data)
    >>> list(frame.columns[:3]), len(frame)
    (['row', 'cluster', 'probability'], 20)
    """
    import pandas

    rows: dict[str, Any] = {"row": range(len(data))}
    if data.row_names is not None:
        rows["file"] = [unicode_text(name) for name in data.row_names]
    probabilities = cluster_posterior(fitted, data.x, data.w)
    found = assign(
        fitted, data.x, data.w, density=density, reject=reject, responsibilities=probabilities
    ).to_frame()
    return pandas.concat([pandas.DataFrame(rows), found], axis=1)
