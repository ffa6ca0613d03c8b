"""Take the raw columns of a table into a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from pyro_gmvae.data.schema import Column, Schema
from pyro_gmvae.serving.onnx.dates import days_of_texts
from pyro_gmvae.serving.onnx.graph import ML, Graph, Value

__all__ = ["Dates", "KnownCells", "add_columns", "takes_text"]

Dates = Literal["text", "number"]


def takes_text(column: Column, dates: Dates) -> bool:
    """Return True if the cells of a column are given to the graph as text.

    >>> takes_text(Column("tier", "category", "text", levels=("gold",)), "number")
    True
    """
    return column.cells == "text" or (column.cells == "date" and dates == "text")


def add_columns(graph: Graph, columns: Sequence[Column], dates: Dates) -> tuple[list[Any], Value]:
    """Add an input for each column, and the operations that join them to one matrix.

    A text that is no level of training, such as an empty one, is NaN.

    Returns:
        The inputs, as `onnx.ValueInfoProto`, ``(N,)`` each, named as the columns; and the matrix
        ``(N, D)`` of float64.

    >>> columns = (Column("age"), Column("tier", "category", "text", levels=("gold", "silver")))
    >>> inputs, matrix = add_columns(Graph(), columns, "text")
    >>> [put.name for put in inputs]
    ['age', 'tier']
    """
    from onnx import TensorProto, helper

    inputs, parts = [], []
    for column in columns:
        text = takes_text(column, dates)
        kind = TensorProto.STRING if text else TensorProto.DOUBLE
        inputs.append(helper.make_tensor_value_info(str(column.name), kind, ["rows"]))
        cells = Value(graph, str(column.name))
        if column.cells == "text":
            cells = _codes(graph, cells, column.level_names)
        elif text:
            assert column.format is not None
            cells = days_of_texts(graph, cells, column.format)
        parts.append(graph.op("Unsqueeze", cells, [1]))
    return inputs, graph.op("Concat", *parts, axis=1)


def _codes(graph: Graph, texts: Value, levels: Sequence[str]) -> Value:
    options: dict[str, Any] = {
        "keys_strings": list(levels),
        "values_floats": [float(code) for code in range(len(levels))],
        "default_float": float("nan"),
    }
    return graph.op("LabelEncoder", texts, domain=ML, **options).cast("DOUBLE")


class KnownCells(nn.Module):
    """Make cells missing that are not as in training, where `predict` takes them so or refuses.

    These are numbers that are no level of a column of levels, truth values other than 0 and 1,
    counts other than 0, 1, 2, ..., and infinite numbers.

    Args:
        schema: the columns.

    >>> known = KnownCells(Schema((Column("visits", "count"), Column("stars", "ordinal",
    ...     levels=(1.0, 5.0)))))
    >>> known(torch.tensor([[2.5, 5.0], [2.0, 4.0]], dtype=torch.float64))
    tensor([[nan, 5.],
            [2., nan]], dtype=torch.float64)
    """

    counts: Tensor
    leveled: Tensor
    levels: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        kinds = schema.columns
        self.of_levels = [i for i, c in enumerate(kinds) if c.has_levels and c.cells != "text"]
        known = [
            (0.0, 1.0) if kinds[i].cells == "boolean" else kinds[i].levels for i in self.of_levels
        ]
        levels = np.full((len(known), max(map(len, known), default=1)), np.nan)
        for row, own in zip(levels, known, strict=True):
            row[: len(own)] = own
        self.register_buffer("leveled", torch.tensor(self.of_levels, dtype=torch.long))
        self.register_buffer("levels", torch.from_numpy(levels))
        self.register_buffer("counts", torch.tensor([c.kind == "count" for c in kinds]))

    def forward(self, raw: Float64[Tensor, "N D"]) -> Float64[Tensor, "N D"]:
        odd = raw.isinf() | (self.counts & ((raw < 0) | (raw != raw.floor())))
        raw = raw.masked_fill(odd, torch.nan)
        if not self.of_levels:
            return raw
        cells = raw[:, self.leveled]
        known = (cells.unsqueeze(-1) == self.levels).any(-1)
        return raw.index_copy(1, self.leveled, cells.masked_fill(~known, torch.nan))
