"""The scale on which a likelihood wants its data."""

from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.preprocessing import Binarize, Preprocessor
from pyro_gmvae.errors import InputError

UNIT_INTERVAL = ("bernoulli", "continuous_bernoulli")


def preprocessing(data: Dataset, likelihood: str = "auto") -> tuple[Preprocessor, str]:
    """What brings `data` to the scale of `likelihood`, and the name of that likelihood.

    Images go to [0, 1]. The columns of a table are standardised, or left alone for the likelihoods
    of the unit interval. `"bernoulli"` binarises dynamically.

    Args:
        data: the training rows.
        likelihood: a name; `"auto"` is `"bernoulli"` for images and tables of zeros and ones,
            `"gaussian"` for other tables.

    Raises:
        InputError: if a likelihood of the unit interval gets a table with values outside it.
    """
    if likelihood == "auto":
        binary = data.kind == "image" or bool(((data.x == 0) | (data.x == 1)).all())
        likelihood = "bernoulli" if binary else "gaussian"
    binarize: Binarize = "dynamic" if likelihood == "bernoulli" else "none"
    if data.kind == "image":
        return Preprocessor.for_images(data.event_shape, binarize), likelihood
    if likelihood not in UNIT_INTERVAL:
        return Preprocessor.standardize(data.x), likelihood
    check_range(data.x, likelihood)
    return Preprocessor("table", data.event_shape, binarize), likelihood


def check_range(x: Shaped[Tensor, "rows *event"], likelihood: str) -> None:
    """Raises InputError if values of a table `x` are none that `likelihood` knows."""
    if likelihood in UNIT_INTERVAL and not ((x >= 0) & (x <= 1)).all():
        raise InputError(
            f"The {likelihood} likelihood wants values in [0, 1], these are from {float(x.min())} "
            f"to {float(x.max())}: scale them, or take the gaussian likelihood."
        )
