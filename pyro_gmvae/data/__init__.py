"""Data: where they come from, what scale a model sees, how batches are made."""

from pyro_gmvae.data.arrays import from_array
from pyro_gmvae.data.augmentation import augmentation
from pyro_gmvae.data.batches import Batches
from pyro_gmvae.data.dataset import Dataset, Splits
from pyro_gmvae.data.preprocessing import Preprocessor
from pyro_gmvae.data.scale import check_range, preprocessing
from pyro_gmvae.data.sources import BUILT_IN, load, load_splits
from pyro_gmvae.data.tables import from_frame

__all__ = [
    "BUILT_IN",
    "Batches",
    "Dataset",
    "Preprocessor",
    "Splits",
    "augmentation",
    "check_range",
    "from_array",
    "from_frame",
    "load",
    "load_splits",
    "preprocessing",
]
