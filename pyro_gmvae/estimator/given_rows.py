"""Read what users hand to an estimator: data frames, arrays and images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data
from torch import Tensor

from pyro_gmvae.data import Dataset, Encoding, TableEncoding, from_array
from pyro_gmvae.data.checks import Purpose
from pyro_gmvae.data.columns.fill import fill_gaps, gaps_of, whole_counts
from pyro_gmvae.data.columns.wishes import Wishes
from pyro_gmvae.data.in_memory import as_array
from pyro_gmvae.data.tables import as_frame, from_frame, is_frame, library_of, refuse_same_names
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import shortened

__all__ = ["features_of", "filled_as_given", "read_rows"]


def read_rows(
    estimator: BaseEstimator, x: Any, *, wishes: Wishes | None = None
) -> tuple[Dataset, torch.dtype]:
    """Check data by scikit-learn's rules, and set or compare the estimator's features.

    Args:
        estimator: gets ``n_features_in_`` and, of a data frame, ``feature_names_in_``.
        x: images, an array of numbers, or a data frame of any columns, of pandas, polars or Arrow.
        wishes: what the user says about the columns, to fit; None to apply a fitted estimator.

    Returns:
        The rows, and the precision to answer in.

    Raises:
        ValueError: for other features than in training, or data that cannot be used.

    >>> class Rows(BaseEstimator):
    ...     pass
    >>> estimator = Rows()
    >>> data, precision = read_rows(estimator, [[1.0, 2.0], [3.0, 4.0]], wishes=Wishes())
    >>> estimator.n_features_in_, data.x.tolist(), precision
    (2, [[1.0, 2.0], [3.0, 4.0]], torch.float64)
    """
    fitting = wishes is not None
    # Constant columns may come from a fold of the data; they do no harm.
    purpose: Purpose = "fit" if fitting else "apply"
    x = _plain(x)
    if isinstance(x, np.ndarray) and x.ndim > 2 and x.dtype.kind in "biuf":
        data = from_array(x, name="X", purpose=purpose, wishes=wishes)
        if fitting:
            estimator.n_features_in_ = data.x[0].numel()
            estimator.__dict__.pop("feature_names_in_", None)
        return data, torch.float32
    x = _without_left_out(estimator, _named(estimator, x, fitting), fitting)
    if is_frame(x):
        frame = as_frame(x)
        refuse_same_names(frame, "X")
        validate_data(estimator, x, skip_check_array=True, reset=fitting)
        single = all(kind == np.float32 for kind in frame.dtypes)
        data = from_frame(frame, name="X", purpose=purpose, wishes=wishes)
        return data, torch.float32 if single else torch.float64
    try:
        x = validate_data(
            estimator,
            x,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
            ensure_min_samples=2 if fitting else 1,
            reset=fitting,
        )
    except ValueError:
        _refuse_text(x)
        raise
    data = from_array(x, name="X", purpose="apply", wishes=wishes)
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        data = replace(data, feature_names=tuple(names))
    return data, torch.float32 if x.dtype == np.float32 else torch.float64


def features_of(encoding: Encoding) -> tuple[int, np.ndarray | None]:
    """Return the number of features that rows of an encoding have, and their names if they do.

    >>> from pyro_gmvae.data import ImageEncoding
    >>> features_of(ImageEncoding((1, 8, 8)))
    (64, None)
    """
    schema, names = encoding.schema, encoding.feature_names
    if schema is not None and schema.is_numbered:
        return len(schema) + len(schema.left_out), None
    named = None if names is None else np.array(names, dtype=object)
    return prod(encoding.event_shape), named


def filled_as_given(
    estimator: BaseEstimator, x: Any, filled: Tensor, encoding: Encoding, times: int = 1
) -> Any:
    """Put rows without gaps into the form of the rows that they were made from.

    Args:
        estimator: a fitted one.
        x: N rows as the user gave them.
        filled: the columns of the model, ``(N * times, D)`` in raw units.
        encoding: the encoding of the model.
        times: how often each row was filled.

    Returns:
        A data frame of the columns of ``x`` if it is one, of polars if ``x`` is, else of pandas; an
        array if ``x`` is an array. Cells that are not missing are as they were.

    >>> class Rows(BaseEstimator):
    ...     pass
    >>> x, filled = np.array([[1.0, np.nan], [3.0, 4.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> filled_as_given(Rows(), x, filled, TableEncoding((2,))).tolist()  # an array, as x is
    [[1.0, 2.0], [3.0, 4.0]]
    """
    import pandas

    of_polars = library_of(x) == "polars"
    x = _without_left_out(estimator, _named(estimator, _plain(x), False), False)
    framed = is_frame(x)
    if framed:
        frame = as_frame(x)
        read = from_frame(frame, name="X", purpose="apply")
    else:
        names = getattr(estimator, "feature_names_in_", None)
        frame = pandas.DataFrame(np.asarray(x), columns=names).rename(columns=str)
        read = from_array(frame.to_numpy(np.float64), name="X", purpose="apply")
    assert isinstance(encoding, TableEncoding)  # other models have refused gaps
    filled = whole_counts(encoding.schema, filled)
    made = encoding.to_frame(filled) if framed else pandas.DataFrame(filled.double().numpy())
    own = encoding.feature_names
    made.columns = frame.columns if own is None else pandas.Index(own)
    each = np.arange(len(frame)).repeat(times)
    gaps = gaps_of(frame, read.x.isnan().numpy()[each], made.columns)
    done = fill_gaps(frame.iloc[each], gaps, made)
    if not framed:
        values = done.to_numpy(np.float64)
        return values.astype(np.float32) if np.asarray(x).dtype == np.float32 else values
    if of_polars:
        import polars

        return polars.from_pandas(done)
    return done.set_axis(x.columns, axis=1)


def _plain(x: Any) -> Any:
    """Bring rows to a data frame of pandas, an array or a list of rows, and refuse others."""
    x = as_array(x)
    if is_frame(x):
        return x if hasattr(x, "iloc") else as_frame(x)
    rows = x if isinstance(x, list | tuple) else ()
    if isinstance(x, Mapping) or any(isinstance(row, Mapping) for row in rows[:1]):
        raise InputError(
            f"X is a {'dict' if isinstance(x, Mapping) else 'list of dicts'}: give the data frame "
            "that pandas.DataFrame(X) makes of it."
        )
    if not isinstance(x, list | tuple) and not hasattr(x, "__array__"):
        raise InputError(
            f"X is a {type(x).__name__}: give a data frame, an array or a list of rows."
        )
    return x


def _refuse_text(x: Any) -> None:
    """Refuse an array with text that is no number, and show the first such cell."""
    cells = np.asarray(x)
    if cells.dtype.kind not in "OU":
        return
    for place, cell in np.ndenumerate(cells):
        if not isinstance(cell, str) or _is_float(cell):
            continue
        if len(place) != 2:
            raise InputError(
                f"X has the shape {cells.shape}: give a table, such as frame.iloc[[0]] for one row."
            )
        row, column = place
        raise InputError(
            f"X is an array with {shortened(str(cell))} in row {row} of column {column}, which is "
            "no number: give the data frame that pandas.DataFrame(X) makes of it, whose columns "
            "may hold text."
        )


def _is_float(text: str) -> bool:
    """Return True for text that NumPy reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _without_left_out(estimator: BaseEstimator, x: Any, fitting: bool) -> Any:
    """Drop columns that training left out, where the features are those of a loaded run."""
    names = getattr(estimator, "feature_names_in_", None)
    schema = getattr(getattr(estimator, "encoding_", None), "schema", None)
    if fitting or names is None or schema is None or not hasattr(x, "columns"):
        return x
    left_out = {c.name for c in schema.left_out} - set(names)
    extra = [c for c in x.columns if c in left_out]
    return as_frame(x).drop(columns=extra) if extra else x


def _named(estimator: BaseEstimator, x: Any, fitting: bool) -> Any:
    """Give rows of Python objects the columns of the data frame in training.

    Raises:
        InputError: for rows of text of another width.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if fitting or names is None:
        return x
    if isinstance(x, list) and len({len(row) if isinstance(row, list) else -1 for row in x}) == 1:
        x = np.array(x, dtype=object)
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "OU" or x.ndim != 2:
        return x
    if x.shape[1] != len(names):
        raise InputError(
            f"X has {x.shape[1]} columns, but the model was trained on {len(names)}: give it rows "
            "like those it was trained on"
        )
    import pandas

    return pandas.DataFrame(x, columns=names)
