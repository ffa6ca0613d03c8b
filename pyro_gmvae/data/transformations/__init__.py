"""Random changes of data that leave their meaning: for augmentation, and for consistency.

Each takes a batch of images `(B, C, H, W)`, or of rows `(B, D)`, on any device and draws for each
anew, from torch's global generator of that device: all at once, without a look at a value, so that
`make_fx` can trace it. They hold no state, compare by their settings and print as they are written.
"""

from pyro_gmvae.data.transformations.affine import RandomAffine, affine
from pyro_gmvae.data.transformations.colour import ColourJitter, adjust_colour
from pyro_gmvae.data.transformations.columns import FeatureDropout, Resample
from pyro_gmvae.data.transformations.compose import Compose, Transformation
from pyro_gmvae.data.transformations.exact import RandomCrop, RandomFlip, shift

__all__ = [
    "ColourJitter",
    "Compose",
    "FeatureDropout",
    "RandomAffine",
    "RandomCrop",
    "RandomFlip",
    "Resample",
    "Transformation",
    "adjust_colour",
    "affine",
    "shift",
]
