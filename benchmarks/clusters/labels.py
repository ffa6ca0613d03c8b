"""Take the classes that clusters are compared with."""

from __future__ import annotations

from jaxtyping import Int64
from torch import Tensor

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError

__all__ = ["class_labels"]


def class_labels(data: Dataset) -> Int64[Tensor, " N"]:
    """Return the class of each row.

    Raises:
        InputError: for data without classes.
    """
    if data.class_labels is None:
        raise InputError(f"{data.name} has no labels to compare clusters with")
    return data.class_labels
