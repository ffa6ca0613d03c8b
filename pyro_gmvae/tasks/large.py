"""Decide whether the rows of a table are placed in pieces or at once."""

from __future__ import annotations

import warnings
from itertools import islice
from pathlib import Path

import numpy as np

from pyro_gmvae.data import BUILT_IN, from_frame
from pyro_gmvae.data.checks import DataWarning
from pyro_gmvae.data.shards import CSVPart, ParquetPart, Part, can_stream, parts_of
from pyro_gmvae.data.shards.reader import conforming_rows
from pyro_gmvae.data.sources.delimited import read_delimited
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import FittedModel

__all__ = ["is_large"]

WHOLE_BYTES = 2**25  # of a text, or of numbers in Parquet: what is larger is read in pieces
SEEN_BYTES = 2**19  # of a text, by which it is told whether pieces are read as the whole is
NUMBER = 8  # bytes


def is_large(fitted: FittedModel, source: str) -> bool:
    """Return True for a table of more than 32 MiB whose rows can be placed in pieces.

    A text cannot if it is written otherwise than pieces are read, as with decimal commas or signs
    of currency, or in another encoding than UTF-8. Its first rows tell: they are read as those of
    the whole table, and as those of a piece.

    Args:
        fitted: the model.
        source: a name of data, as in `pyro_gmvae.data.load`.

    >>> import torch
    >>> from pyro_gmvae.data import Schema
    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
    >>> fitted = FittedModel(gmvae.eval(), encoding)
    >>> is_large(fitted, "no-such-file.csv"), is_large(fitted, "digits")
    (False, False)
    """
    if fitted.covariates is not None:  # they are read with the whole table
        return False
    named = fitted.encoding.feature_names is not None and source not in BUILT_IN
    if not (named and can_stream(source) and Path(source).exists()):
        return False
    try:
        parts = parts_of(source)
        size = sum(map(_bytes, parts))
        texts = [part for part in parts if isinstance(part, CSVPart)]
        return size > WHOLE_BYTES and all(_reads_alike(fitted, part) for part in texts)
    except InputError:  # who reads the whole table says what is wrong with it
        return False


def _bytes(part: Part) -> int:
    if isinstance(part, ParquetPart):
        return NUMBER * part.n_rows * len(part.names)
    return part.path.stat().st_size


def _reads_alike(fitted: FittedModel, part: CSVPart) -> bool:
    """Compare the first rows of a text, read as a whole and as a piece."""
    schema, takes_gaps = fitted.encoding.schema, fitted.encoding.takes_gaps
    assert schema is not None
    with part.path.open("rb") as file:
        start = file.read(SEEN_BYTES)
    start = start[: start.rfind(b"\n") + 1] if len(start) == SEEN_BYTES else start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        frame = read_delimited(start, str(part.path)).frame
        wanted = fitted.encoding.conform(from_frame(frame, purpose="apply")).x.numpy()
        pieces = conforming_rows(part.path, schema, takes_gaps=takes_gaps, rows=len(wanted))
        found = np.concatenate([piece.x for piece in islice(pieces, 1)])
    n = min(len(found), len(wanted))
    return n > 0 and np.array_equal(found[:n], wanted[:n], equal_nan=True)
