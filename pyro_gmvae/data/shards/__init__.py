"""Read tables that are larger than memory, piece by piece."""

from pyro_gmvae.data.shards.conform import Conformer
from pyro_gmvae.data.shards.parts import CSVPart, ParquetPart, Part, can_stream, parts_of
from pyro_gmvae.data.shards.reader import RawRows, conforming_rows

__all__ = [
    "CSVPart",
    "Conformer",
    "ParquetPart",
    "Part",
    "RawRows",
    "can_stream",
    "conforming_rows",
    "parts_of",
]
