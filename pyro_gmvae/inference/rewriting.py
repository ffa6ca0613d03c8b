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
    """Move the numbers that torch keeps as tensors in main memory to the device, once."""
    for node in graph.graph.find_nodes(op="get_attr"):
        tensor = getattr(graph, node.target)
        if tensor.dim() == 0 and tensor.device != device:
            setattr(graph, node.target, tensor.to(device))


def turn_narrow_products(graph: GraphModule) -> None:
    """Compute products with few columns as the transpose of a product with few rows, on a CPU.

    The gradient of a decoder's first weights is such a product: it has a column for each latent
    dimension.
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
