"""Place rows by their columns, in this process or any other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyro_gmvae.data import from_array
from pyro_gmvae.data.checks import listed
from pyro_gmvae.data.shards import Conformer
from pyro_gmvae.data.shards.cells import Origin
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.runs import load
from pyro_gmvae.segments import assign
from pyro_gmvae.serving.cells import table_of
from pyro_gmvae.serving.posterior import checked_rows, cluster_posterior

__all__ = ["ROWS", "Predictor"]

ROWS = "x"  # the key of rows that have no names of columns: images, and tables that are arrays
SOURCE = "the input"


class Predictor:
    """Place rows with a run: arrays of columns go in, arrays of clusters come out.

    It is pickled by its path and its options alone, and reads the run when the other process calls
    it. A loop, Spark's ``mapInPandas``, Ray's ``map_batches`` and the ranks of torchrun may thus
    hand it around (see docs/scale.md). Several threads may call it at a time.

    Columns are found by the names that they have in the run's schema, in any order. Others are
    ignored. Cells are numbers, truth values, dates or text, and NaN, NaT or None where they are
    missing. A level that training did not have is a gap, and so is a whole column that is missing,
    where the model takes gaps; both are told by a warning. Images, and the rows of a model that was
    trained on an array, are given under the key ``"x"``, in the shapes that
    `pyro_gmvae.data.from_array` takes.

    Args:
        run: the folder of a run.
        density: whether to give log p(x) and typicality, which take 100 passes of the decoder.
        reject: the share of rows like those of training to put into cluster -1; None rejects none.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU if there is one.

    Raises:
        InputError: if there is no whole run, or its model cannot tell which rows to reject.

    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae import GMVAE
    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> with TemporaryDirectory() as folder:
    ...     GMVAE(n_components=2, max_iter=1).fit(x).save(folder)
    ...     predictor = Predictor(folder)
    >>> found = predictor({"x": x[:5]})
    >>> {name: values.shape for name, values in found.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'cluster': (5,), 'probability': (5,), 'second_cluster': (5,), 'second_probability': (5,),
     'probabilities': (5, 2)}
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        density: bool = False,
        reject: float | None = None,
        device: str = "cpu",
    ) -> None:
        self.run = Path(os.path.abspath(run))
        self.density = density
        self.reject = reject
        self.device = device
        # A run that is not there, or options that do not fit it, are refused here.
        self._nothing()

    @cached_property
    def fitted(self) -> FittedModel:
        """Return the model, which is read once in each process.

        >>> from tempfile import TemporaryDirectory
        >>> import torch
        >>> from pyro_gmvae.data import Schema, TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> from pyro_gmvae.runs import save_run
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
        >>> with TemporaryDirectory() as folder:
        ...     save_run(folder, FittedModel(gmvae.eval(), encoding))
        ...     Predictor(folder).fitted.gmvae.n_components
        3
        """
        return load(self.run, self.device)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns that it reads; ``("x",)`` where rows have none.

        >>> from tempfile import TemporaryDirectory
        >>> import torch
        >>> from pyro_gmvae.data import Schema, TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> from pyro_gmvae.runs import save_run
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
        >>> with TemporaryDirectory() as folder:
        ...     save_run(folder, FittedModel(gmvae.eval(), encoding))
        ...     Predictor(folder).columns
        ('age', 'spend')
        """
        return self.fitted.encoding.feature_names or (ROWS,)

    def __call__(self, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Place N rows; a row's figures depend on the row alone.

        Args:
            columns: the N cells of each column, by its name; or rows ``(N, ...)`` under ``"x"``.

        Returns:
            The figures of each row, each of N, by the names that ``pyro-gmvae predict`` gives them:
            ``cluster`` (int64), ``probability`` (float32), ``second_cluster`` and
            ``second_probability``; with ``density`` or ``reject`` also ``log_p`` and
            ``typicality``; with ``reject`` also ``rejected_because`` and ``likeliest_cluster``.
            ``probabilities`` is q(y|x) of all clusters, ``(N, K)`` float32.

        Warns:
            pyro_gmvae.data.checks.DataWarning: for cells and columns that are taken for gaps.

        Raises:
            InputError: for rows that do not fit the model, naming the column and the cell.
        """
        rows = self._rows(columns)
        return self._nothing() if rows is None else self._place(rows)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "fitted"}

    def __repr__(self) -> str:
        said = [f"{n}={v!r}" for n, v in (("density", self.density), ("reject", self.reject)) if v]
        return f"Predictor({', '.join([repr(os.fspath(self.run)), *said])})"

    def _rows(self, columns: Mapping[str, Any]) -> Tensor | None:
        """Return raw rows that conform; None for no rows."""
        encoding = self.fitted.encoding
        names = encoding.feature_names or ()
        known = {name: cells for name, cells in columns.items() if name in names}
        if known:
            return self._named(known)
        if ROWS in columns:
            values = _stacked(columns[ROWS])
            if not len(values):
                return None
            return self.fitted.conform(from_array(values, name=SOURCE, purpose="apply")).x
        if names:
            raise InputError(
                f"{SOURCE} has none of the columns {listed(names)}: name them as in training"
            )
        raise InputError(f"{SOURCE} has no names for columns: give rows under the key {ROWS!r}")

    def _named(self, columns: Mapping[str, Any]) -> Tensor | None:
        """Find the columns of the schema, as in a piece of a table."""
        encoding = self.fitted.encoding
        assert encoding.schema is not None
        table = table_of(columns, SOURCE)
        if not len(table):
            return None
        conformer = Conformer(encoding.schema, takes_gaps=encoding.takes_gaps)
        x = torch.from_numpy(conformer.rows(table, Origin(SOURCE)))
        conformer.warn(SOURCE)
        return checked_rows(self.fitted, x, SOURCE)

    def _place(self, x: Tensor) -> dict[str, np.ndarray]:
        responsibilities = cluster_posterior(self.fitted, x)
        density = self.density or self.reject is not None
        found = assign(
            self.fitted, x, density=density, reject=self.reject, responsibilities=responsibilities
        ).to_arrays()
        for name in ("probability", "second_probability"):
            found[name] = found[name].astype(np.float32)
        return found | {"probabilities": responsibilities.float().numpy()}

    def _nothing(self) -> dict[str, np.ndarray]:
        """Return the figures of no rows, of the same types as those of some."""
        row = torch.zeros(1, *self.fitted.encoding.event_shape, dtype=torch.float64)
        return {name: values[:0] for name, values in self._place(row).items()}


def _stacked(values: Any) -> Any:
    """Make one array of rows that are lists or arrays of their own, as engines hand them."""
    if getattr(values, "dtype", None) == np.dtype(object):
        return [np.asarray(row) for row in values]
    return values
