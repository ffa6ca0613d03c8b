"""Describe columns of a table file that a model was not trained on, by its segments."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_gmvae.data.sources.named import read_named_columns
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.run_data import load_new_rows, load_run_rows, settings_of
from pyro_gmvae.segments import SegmentDescription, describe_run

__all__ = ["describe_columns"]


def describe_columns(
    fitted: FittedModel, source: str | None, names: Sequence[str]
) -> SegmentDescription:
    """Describe columns by segment, corrected for classification error.

    All rows of the file count, also those that were held out of training.

    Args:
        fitted: a trained model.
        source: a table file; None is the one that the model was trained on.
        names: columns of the file, of which none was clustered on.

    Raises:
        InputError: for a source that is no table file, or a column that is not there or was
            clustered on.
    """
    if source is None:
        return describe_run(
            fitted,
            load_run_rows(fitted, "all"),
            read_named_columns(str(settings_of(fitted).source), names),
        )
    return describe_run(fitted, load_new_rows(fitted, source), read_named_columns(source, names))
