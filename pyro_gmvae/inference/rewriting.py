"""Rewrite a traced graph before it is compiled, without changing its values."""

from __future__ import annotations

import torch
from torch.fx import GraphModule

__all__ = ["put_constants", "turn_narrow_products"]

aten = torch.ops.aten

# MKL is slower for a product with up to NARROW columns than for its transpose, if both other sizes
# are LONG or more. With 16 columns or more it is faster.
NARROW, LONG = 10, 256


def put_constants(graph: GraphModule, device: torch.device) -> None:
    """Move the numbers that torch keeps as tensors in main memory to the device, once.

    >>> from torch.fx import symbolic_trace
    >>> class Doubled(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.register_buffer("two", torch.tensor(2.0))
    ...     def forward(self, x):
    ...         return x * self.two
    >>> graph = symbolic_trace(Doubled())
    >>> put_constants(graph, torch.device("cpu"))
    >>> graph.two.device, graph(torch.tensor(3.0)).item()
    (device(type='cpu'), 6.0)
    """
    for node in graph.graph.find_nodes(op="get_attr"):
        tensor = getattr(graph, node.target)
        if tensor.dim() == 0 and tensor.device != device:
            setattr(graph, node.target, tensor.to(device))


def turn_narrow_products(graph: GraphModule) -> None:
    """Compute products with few columns as the transpose of a product with few rows, on a CPU.

    The gradient of a decoder's first weights is such a product: it has a column for each latent
    dimension.

    >>> from torch.fx.experimental.proxy_tensor import make_fx
    >>> a, b = torch.ones(256, 256), torch.ones(256, 2)
    >>> graph = make_fx(torch.mm, tracing_mode="fake")(a, b)
    >>> turn_narrow_products(graph)
    >>> [node.target.__name__ for node in graph.graph.nodes if node.op == "call_function"]
    ['t.default', 't.default', 'mm.default', 't.default', 'clone.default']
    >>> bool((graph(a, b) == 256).all())
    True
    """
    for node in graph.graph.find_nodes(op="call_function", target=aten.mm.default):
        a, b = node.args
        product = node.meta["val"]
        (m, k), n = a.meta["val"].shape, product.shape[1]
        narrow = n <= NARROW and min(m, k) >= LONG
        if not narrow or product.device.type != "cpu" or product.dtype != torch.float32:
            continue
        call = graph.graph.call_function
        with graph.graph.inserting_before(node):
            turned = call(aten.mm.default, tuple(call(aten.t.default, (x,)) for x in (b, a)))
            back = call(aten.t.default, (turned,))
            result = call(aten.clone.default, (back,), {"memory_format": torch.contiguous_format})
        result.meta["val"] = product
        node.replace_all_uses_with(result)
        graph.graph.erase_node(node)
    graph.recompile()
