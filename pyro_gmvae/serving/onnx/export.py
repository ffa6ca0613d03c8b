"""Put a fitted model into one ONNX graph, from raw rows to what it says of them."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import pyro
import torch
from torch import Tensor, nn

from pyro_gmvae.data.schema import Column
from pyro_gmvae.errors import InputError
from pyro_gmvae.files import written_whole
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.process.alone import alone
from pyro_gmvae.runs import load
from pyro_gmvae.serving.answers import AnswersOfRows, ElboAt, RowAnswers
from pyro_gmvae.serving.onnx.graph import ML, Graph
from pyro_gmvae.serving.onnx.inputs import Dates, KnownCells, add_columns
from pyro_gmvae.serving.onnx.operators import decompositions

__all__ = ["METADATA", "onnx_model", "save_onnx"]

OPSET, ML_OPSET = 20, 4  # the first that splits text and matches it
METADATA = "pyro_gmvae"  # the name of the entry that describes the model
ROWS, MATRIX = "rows", "x"  # the names of the open dimension, and of the input without columns


@alone
def onnx_model(fitted: FittedModel, *, dates: Dates = "text", elbo_at: ElboAt = "points") -> Any:
    """Return the graph of a fitted model as an `onnx.ModelProto`.

    A table whose columns have names has one input ``(N,)`` for each of them, by its name: text
    (levels, written as in training), or float64 (numbers, counts, truth values as 0 and 1), with an
    empty text or NaN for a gap. Other tables have one input ``x`` ``(N, D)`` of float64, and images
    ``x`` ``(N, C, H, W)`` of uint8. The outputs are those of `RowAnswers`.

    What `predict` takes for a gap is one here: levels that training did not have, and text that is
    no date. So are numbers that `predict` refuses, such as a count of 2.5, for a graph cannot
    refuse. Where the model takes no gaps, all answers of a row that has one are NaN, and its
    cluster is -1. Blanks around text are not taken off, and dates with a time zone are not read.

    Args:
        fitted: the model.
        dates: how dates are given: as text of the format in training or of ISO 8601, or as the
            number of days since 1970-01-01.
        elbo_at: as in `AnswersOfRows`; with ``"mean"`` the last output is ``elbo_at_mean``.

    Raises:
        InputError: if onnx is not installed, for dates as text of a format that no graph reads,
            or for columns of text that have no names.

    >>> import torch
    >>> from pyro_gmvae.data import Schema, TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=2, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "cluster"]))
    >>> onnx_model(FittedModel(gmvae.eval(), encoding))
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: the column cluster has the name of an output of the graph...
    """
    _require_onnx()
    fitted = fitted.to("cpu")
    schema = fitted.encoding.schema
    names = None if schema is None else schema.names
    outputs = [*RowAnswers._fields[:-1], "elbo" if elbo_at == "points" else "elbo_at_mean"]
    for name in names or ():
        if name in outputs:
            raise InputError(
                f"the column {name} has the name of an output of the graph: rename it in the "
                "table, and train again"
            )
    if names is None and schema is not None and schema.has_other_cells:
        raise InputError("a graph takes columns of text by their names, and these have none")
    model = _translated(_RawPath(fitted, elbo_at), outputs)
    if names is not None and schema is not None:
        _take_columns(model, schema.columns, dates)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(_description(fitted, dates))
    return model


def save_onnx(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    dates: Dates = "text",
    elbo_at: ElboAt = "points",
) -> None:
    """Write the graph of a run to a file; see `onnx_model`.

    Args:
        run: the folder of the run.
        out: the file to write, whole or not at all.
        dates, elbo_at: as in `onnx_model`.

    Raises:
        InputError: as `onnx_model`, for a run that cannot be read, or a file that cannot be
            written.

    >>> save_onnx("no-such-run", "a.onnx")
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: there is no run folder no-such-run...
    """
    with written_whole(out) as partial:
        partial.write_bytes(
            onnx_model(load(run, "cpu"), dates=dates, elbo_at=elbo_at).SerializeToString()
        )


class _RawPath(nn.Module):
    """Map the matrix of raw rows, or images, to their answers."""

    def __init__(self, fitted: FittedModel, elbo_at: ElboAt) -> None:
        super().__init__()
        self.answers = AnswersOfRows(fitted, elbo_at)
        schema = fitted.encoding.schema
        self.known = None if schema is None else KnownCells(schema)
        self.takes_gaps = schema is None or fitted.encoding.takes_gaps

    def forward(self, raw: Tensor) -> RowAnswers:
        if self.known is not None:
            raw = self.known(raw)
        answers = self.answers(raw)
        if self.takes_gaps:
            return answers
        lacks = raw.isnan().any(-1)
        cluster, *others = answers
        return RowAnswers(
            cluster.masked_fill(lacks, -1),
            *(
                part.masked_fill(lacks.view(-1, *[1] * (part.dim() - 1)), torch.nan)
                for part in others
            ),
        )

    def example(self) -> Tensor:
        """Return rows to trace the operations with."""
        shape = self.answers.encoding.event_shape
        return torch.zeros(3, *shape, dtype=torch.uint8 if self.known is None else torch.float64)


@torch.no_grad()
def _translated(path: _RawPath, outputs: Sequence[str]) -> Any:
    """Translate a module into a graph whose number of rows is open."""
    open_rows = {"raw": {0: torch.export.Dim(ROWS)}}
    # Validation would read values, of which there are none.
    with (
        pyro.validation_enabled(False),
        warnings.catch_warnings(),
        _quiet("torch.onnx", "onnx_ir", "onnxscript"),
    ):
        warnings.simplefilter("ignore")
        program = torch.export.export(path.eval(), (path.example(),), dynamic_shapes=open_rows)
        program = program.run_decompositions(decompositions())
        made = torch.onnx.export(
            program,
            input_names=[MATRIX],
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert made is not None
    return made.model_proto


def _take_columns(model: Any, columns: Sequence[Column], dates: Dates) -> None:
    """Put the operations that join columns before a graph of a matrix, in place."""
    from onnx import compose, helper

    compose.add_prefix(model, "model/", rename_outputs=False, inplace=True)
    graph = Graph()
    inputs, matrix = add_columns(graph, columns, dates)
    (taken,) = model.graph.input
    graph.nodes[-1].output[0] = taken.name
    nodes = [*graph.nodes, *model.graph.node]
    for field, values in (("node", nodes), ("input", inputs)):
        model.graph.ClearField(field)
        getattr(model.graph, field).extend(values)
    model.graph.initializer.extend(graph.constants)
    model.opset_import.append(helper.make_opsetid(ML, ML_OPSET))


def _description(fitted: FittedModel, dates: Dates) -> dict[str, Any]:
    """Say what the model is and what it takes, as plain JSON."""
    gmvae, encoding = fitted.gmvae, fitted.encoding
    return {
        "version": version("pyro-gmvae"),
        "method": gmvae.method,
        "clusters": gmvae.n_components,
        "latent_dim": gmvae.latent_dim,
        "rows": encoding.kind,
        "schema": None if encoding.schema is None else encoding.schema.to_file(),
        "dates": dates,
        "trained_on": fitted.about.name,
    }


def _require_onnx() -> None:
    for name in ("onnx", "onnxscript"):
        if find_spec(name) is None:
            raise InputError(f"{name} is not installed: pip install 'pyro-gmvae[onnx]'")


@contextmanager
def _quiet(*loggers: str) -> Iterator[None]:
    """Keep the progress of libraries from the user."""
    found = {logger: logger.level for logger in map(logging.getLogger, loggers)}
    for logger in found:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in found.items():
            logger.setLevel(level)
