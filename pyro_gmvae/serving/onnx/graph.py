"""Write ONNX operations as expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["ML", "Graph", "Value"]

ML = "ai.onnx.ml"  # the domain of the operators for tables
PREFIX = "columns/"  # of the names in a graph, which are not those of the inputs


class Graph:
    """Collect the operations of a graph, in their order.

    Attributes:
        nodes: the operations, as `onnx.NodeProto`.
        constants: the tensors that they take, as `onnx.TensorProto`.

    >>> Graph().nodes
    []
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def op(
        self, kind: str, *inputs: Any, outputs: int = 1, domain: str = "", **options: Any
    ) -> Any:
        """Add an operation and return its value, or a tuple of ``outputs`` values.

        Args:
            kind: the name of the operator.
            inputs: values, or numbers, texts and arrays, which become constants.
            outputs: how many values it has.
            domain: the domain of the operator; the empty one is ONNX's own.
            options: the attributes of the operator.
        """
        from onnx import helper

        names = [self.value(each).name for each in inputs]
        made = [f"{PREFIX}{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, domain=domain, **options))
        values = tuple(Value(self, name) for name in made)
        return values[0] if outputs == 1 else values

    def value(self, given: Any) -> Value:
        """Return a value as it is, and anything else as a constant."""
        from onnx import numpy_helper

        if isinstance(given, Value):
            return given
        array = np.array(given, dtype=object) if _is_text(given) else np.asarray(given)
        name = f"{PREFIX}constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return Value(self, name)


@dataclass(frozen=True)
class Value:
    """Name a tensor in a graph; the operators of Python add operations to it.

    Whole numbers stay whole: ``//`` rounds towards zero, as ONNX does.

    >>> Value(Graph(), "days").name
    'days'
    """

    graph: Graph
    name: str

    def __add__(self, other: Any) -> Value:
        return self.graph.op("Add", self, other)

    def __sub__(self, other: Any) -> Value:
        return self.graph.op("Sub", self, other)

    def __mul__(self, other: Any) -> Value:
        return self.graph.op("Mul", self, other)

    def __floordiv__(self, other: Any) -> Value:
        return self.graph.op("Div", self, other)

    def __mod__(self, other: Any) -> Value:
        return self.graph.op("Mod", self, other)

    def __le__(self, other: Any) -> Value:
        return self.graph.op("LessOrEqual", self, other)

    def __and__(self, other: Any) -> Value:
        return self.graph.op("And", self, other)

    def __or__(self, other: Any) -> Value:
        return self.graph.op("Or", self, other)

    def equals(self, other: Any) -> Value:
        """Compare elementwise; ``==`` stays the comparison of Python objects."""
        return self.graph.op("Equal", self, other)

    def where(self, chosen: Any, otherwise: Any) -> Value:
        """Choose elementwise by this truth value."""
        return self.graph.op("Where", self, chosen, otherwise)

    def cast(self, kind: str) -> Value:
        """Convert to the ONNX type of a name, such as ``"DOUBLE"``."""
        from onnx import TensorProto

        return self.graph.op("Cast", self, to=getattr(TensorProto, kind))


def _is_text(given: Any) -> bool:
    first = given[0] if isinstance(given, list | tuple) and given else given
    return isinstance(first, str)
