"""Load data, encode them for a model, and batch them."""

from pyro_gmvae.data.arrays import from_array
from pyro_gmvae.data.batches import BatchSource, ResidentBatches
from pyro_gmvae.data.dataset import Dataset, Splits, hold_out
from pyro_gmvae.data.embedding_encoding import EmbeddingEncoding
from pyro_gmvae.data.encoding import Binarize, Encoding, KindDefaults
from pyro_gmvae.data.image_encoding import ImageEncoding
from pyro_gmvae.data.kinds import KINDS, encoding_from_config
from pyro_gmvae.data.schema import Column, LeftOut, Schema
from pyro_gmvae.data.sources import BUILT_IN, MIN_VALIDATION, load, load_splits
from pyro_gmvae.data.table_encoding import TableEncoding
from pyro_gmvae.data.tables import from_frame

__all__ = [
    "BUILT_IN",
    "KINDS",
    "MIN_VALIDATION",
    "BatchSource",
    "Binarize",
    "Column",
    "Dataset",
    "EmbeddingEncoding",
    "Encoding",
    "ImageEncoding",
    "KindDefaults",
    "LeftOut",
    "ResidentBatches",
    "Schema",
    "Splits",
    "TableEncoding",
    "encoding_from_config",
    "from_array",
    "from_frame",
    "hold_out",
    "load",
    "load_splits",
]
