"""Describe columns of a table file that a model was not trained on, by its segments."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_gmvae.data import Dataset
from pyro_gmvae.data.sources.named import read_named_columns
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.run_data import load_run_rows, settings_of
from pyro_gmvae.segments import SegmentDescription, describe_run

__all__ = ["describe_columns"]


def describe_columns(
    fitted: FittedModel, names: Sequence[str], new: tuple[str, Dataset] | None = None
) -> SegmentDescription:
    """Describe columns by segment, corrected for classification error.

    Args:
        fitted: a trained model.
        names: columns of a table file, of which none was clustered on.
        new: another table file and all of its rows. None takes the file that the model was trained
            on, of which the rows that were held out count too.

    Raises:
        InputError: for a source that is no table file, or a column that is not there or was
            clustered on.

    >>> import pandas
    >>> import torch
    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae.data import Schema, TableEncoding, from_array
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> rows = fitted.conform(from_array(x.numpy()))
    >>> with TemporaryDirectory() as folder:
    ...     path = f"{folder}/new.csv"
    ...     pandas.DataFrame(x.numpy(), columns=["age", "spend"]).to_csv(path, index=False)
    ...     describe_columns(fitted, ["age"], (path, rows))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: the model clusters by age, so that no correction...
    """
    source, rows = new or (str(settings_of(fitted).source), load_run_rows(fitted, "all"))
    return describe_run(fitted, rows, read_named_columns(source, names))
