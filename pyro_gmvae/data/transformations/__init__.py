"""Change data at random without changing their meaning, for augmentation and consistency.

Each transformation takes a batch of images `(B, C, H, W)`, or of rows `(B, D)`, on any device. It
draws anew for each datum from torch's global generator of that device. It works on the whole batch
at once and reads no value back, so that `make_fx` can trace it. Transformations hold no state,
compare by their settings and print as they are written, except `NearestRow`, which holds rows.
"""

from pyro_gmvae.data.transformations.affine import RandomAffine, affine
from pyro_gmvae.data.transformations.colour import ColourJitter, adjust_colour
from pyro_gmvae.data.transformations.columns import FeatureDropout, Resample
from pyro_gmvae.data.transformations.compose import Compose, Transformation
from pyro_gmvae.data.transformations.exact import RandomCrop, RandomFlip, shift
from pyro_gmvae.data.transformations.nearest import NearestRow

__all__ = [
    "ColourJitter",
    "Compose",
    "FeatureDropout",
    "NearestRow",
    "RandomAffine",
    "RandomCrop",
    "RandomFlip",
    "Resample",
    "Transformation",
    "adjust_colour",
    "affine",
    "shift",
]
