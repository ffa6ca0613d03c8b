"""List the kinds of data, and rebuild the encoding of any kind."""

from __future__ import annotations

from typing import Any

from pyro_gmvae.data.embedding_encoding import EmbeddingEncoding
from pyro_gmvae.data.encoding import Encoding
from pyro_gmvae.data.image_encoding import ImageEncoding
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import shortened

__all__ = ["KINDS", "encoding_from_config"]

KINDS: dict[str, type[Encoding]] = {
    cls.kind: cls for cls in (ImageEncoding, TableEncoding, EmbeddingEncoding)
}


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
