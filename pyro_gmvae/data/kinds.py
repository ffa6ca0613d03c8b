"""List the kinds of data, and rebuild the encoding of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyro_gmvae.data.embedding_encoding import EmbeddingEncoding
from pyro_gmvae.data.encoding import Encoding
from pyro_gmvae.data.image_encoding import ImageEncoding
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import shortened

if TYPE_CHECKING:
    from pyro_gmvae.data.dataset import Dataset

__all__ = ["KINDS", "encoding_from_config", "named_kind", "suitable_kind"]

KINDS: dict[str, type[Encoding]] = {
    cls.kind: cls for cls in (ImageEncoding, TableEncoding, EmbeddingEncoding)
}


def suitable_kind(data: Dataset) -> type[Encoding]:
    """Return the kind that recognises the rows of a data set, or else the one it was read as.

    >>> from pyro_gmvae.data import from_array
    >>> suitable_kind(from_array([[1.0, 2.0], [3.0, 4.0]])).kind
    'table'
    """
    return next((kind for kind in KINDS.values() if kind.recognizes(data)), data.kind)


def named_kind(name: str, data: Dataset) -> type[Encoding]:
    """Return the kind of a name, for rows of numbers.

    Raises:
        InputError: for images.

    >>> from pyro_gmvae.data import from_array
    >>> named_kind("embedding", from_array([[1.0, 2.0], [3.0, 4.0]])).kind
    'embedding'
    """
    if not issubclass(data.kind, TableEncoding):
        raise InputError(
            f"{data.name} has {data.kind.plural}, and the kind {name} is for rows of numbers: "
            "leave kind out"
        )
    return KINDS[name]


def encoding_from_config(config: Any) -> Encoding:
    """Rebuild an encoding of any kind from what `Encoding.to_config` wrote.

    Raises:
        InputError: for another kind, or if the structure is not what this version writes.

    >>> import torch
    >>> encoding = ImageEncoding((1, 1, 2), binarize="static")
    >>> again = encoding_from_config(encoding.to_config())
    >>> again(torch.tensor([[[[100, 200]]]], dtype=torch.uint8)).flatten()
    tensor([0., 1.])
    """
    kind = config.get("kind") if isinstance(config, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(
            f"The stored encoding {shortened(config)} is not one that this version writes: train "
            "again."
        )
    return KINDS[kind].from_config(config)
