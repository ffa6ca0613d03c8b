"""Random changes of images that leave their meaning: for augmentation, and for consistency.

Each takes a batch `(B, C, H, W)` on any device and draws for every image anew, from torch's global
generator of that device: all at once, without a look at a value, so that `make_fx` can trace it.
They hold no state, compare by their settings and print as they are written.
"""

from pyro_gmvae.data.transformations.affine import RandomAffine, affine
from pyro_gmvae.data.transformations.colour import ColourJitter, adjust_colour
from pyro_gmvae.data.transformations.compose import Compose, Transformation
from pyro_gmvae.data.transformations.exact import RandomCrop, RandomFlip, shift

__all__ = [
    "ColourJitter",
    "Compose",
    "RandomAffine",
    "RandomCrop",
    "RandomFlip",
    "Transformation",
    "adjust_colour",
    "affine",
    "shift",
]
