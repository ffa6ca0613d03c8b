"""Write files whole or not at all, one process at a time, and read tensors with suspicion."""

from pyro_gmvae.files.whole import (
    is_partial,
    reason_of,
    under_prefix,
    unwritable,
    with_prefix,
    written_whole,
)

__all__ = [
    "is_partial",
    "reason_of",
    "under_prefix",
    "unwritable",
    "with_prefix",
    "written_whole",
]
