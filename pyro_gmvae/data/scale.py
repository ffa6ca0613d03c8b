"""The scale on which a likelihood wants its data."""

from typing import Literal

from jaxtyping import Shaped
from torch import Tensor

from pyro_gmvae.data.dataset import Dataset
from pyro_gmvae.data.preprocessing import Binarize, Preprocessor
from pyro_gmvae.errors import InputError

UNIT_INTERVAL = ("bernoulli", "continuous_bernoulli")
GREY, LOOKED_AT = 0.15, 10_000  # images grey enough to be lost if binarised; rows that tell it
EIGHT_BIT = ("discretized_logistic", "discretized_logistic_mixture")


def preprocessing(
    data: Dataset, likelihood: str = "auto", binarize: Binarize | Literal["auto"] = "auto"
) -> tuple[Preprocessor, str]:
    """What brings `data` to the scale of `likelihood`, and the name of that likelihood.

    Images go to [0, 1], level k of the 256 to k / 255. The columns of a table are standardised, or
    left alone for the likelihoods of the unit interval.

    Args:
        data: the training rows.
        likelihood: a name; `"auto"` is `"bernoulli"` for images that are nearly black and white,
            for images that are to be binarised and for tables of zeros and ones,
            `"continuous_bernoulli"` for other grey images, `"discretized_logistic"` for colour
            images (more than one channel), and `"gaussian"` for other tables.
        binarize: `"auto"` is `"dynamic"` under `"bernoulli"` and `"none"` under the others.

    Raises:
        InputError: if a likelihood of the unit interval gets a table with values outside it, one
            of 8-bit images gets any table, or the binarisation is not one for the likelihood or
            the kind of data.
    """
    if data.kind == "table" and binarize not in ("auto", "none"):
        raise InputError(f"{data.name} is a table: only images are binarised, leave binarize out")
    if data.kind == "table" and likelihood in EIGHT_BIT:
        raise InputError(
            f"the {likelihood} likelihood is for 8-bit images and {data.name} is a table: use "
            "likelihood gaussian"
        )
    if likelihood == "auto":
        likelihood = _likelihood_of(data, binarize)
    binarize = _binarize(binarize, likelihood, data.kind)
    if data.kind == "image":
        return Preprocessor.for_images(data.event_shape, binarize), likelihood
    if likelihood not in UNIT_INTERVAL:
        return Preprocessor.standardize(data.x), likelihood
    check_range(data.x, likelihood)
    return Preprocessor("table", data.event_shape, binarize), likelihood


def _likelihood_of(data: Dataset, binarize: Binarize | Literal["auto"]) -> str:
    if data.kind == "table":
        return "bernoulli" if ((data.x == 0) | (data.x == 1)).all() else "gaussian"
    if binarize not in ("auto", "none"):
        return "bernoulli"
    if data.event_shape[0] > 1:
        return "discretized_logistic"
    return "continuous_bernoulli" if greyness(data.x) > GREY else "bernoulli"


def greyness(x: Shaped[Tensor, "rows *event"]) -> float:
    """How little is left of uint8 pixels p in [0, 1] that are drawn black or white: mean 4 p (1-p).

    0 for black and white, 1 for middle grey. MNIST has 0.07, Fashion-MNIST 0.32.
    """
    p = x[:LOOKED_AT].float() / 255
    return (4 * p * (1 - p)).mean().item()


def _binarize(binarize: Binarize | Literal["auto"], likelihood: str, kind: str) -> Binarize:
    if binarize == "auto" or kind == "table":
        return "dynamic" if likelihood == "bernoulli" else "none"
    if likelihood == "bernoulli" and binarize == "none":
        raise InputError(
            "the bernoulli likelihood is for black and white pixels: use binarize dynamic or "
            "static, or likelihood continuous_bernoulli for grey levels"
        )
    if likelihood != "bernoulli" and binarize != "none":
        raise InputError(
            f"the {likelihood} likelihood is for grey levels: use binarize none, or likelihood "
            "bernoulli"
        )
    return binarize


def check_range(x: Shaped[Tensor, "rows *event"], likelihood: str) -> None:
    """Raises InputError if values of a table `x` are none that `likelihood` knows."""
    if likelihood in UNIT_INTERVAL and not ((x >= 0) & (x <= 1)).all():
        raise InputError(
            f"The {likelihood} likelihood wants values in [0, 1], these are from {float(x.min())} "
            f"to {float(x.max())}: scale them, or take the gaussian likelihood."
        )
