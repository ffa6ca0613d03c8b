"""Which likelihood data get, and the scale that goes with it."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.data import Dataset, preprocessing
from pyro_gmvae.errors import InputError

EIGHT_BIT = ["discretized_logistic", "discretized_logistic_mixture"]


def images(channels: int) -> Dataset:
    levels = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1)
    return Dataset("pictures", levels.expand(256, channels, 2, 2), None, "image")


def ink(grey: float) -> Dataset:
    """Black and white but for a share of middle grey."""
    x = torch.where(torch.arange(100) < 100 * grey, 128, 255).to(torch.uint8)
    return Dataset("ink", x.view(100, 1, 1, 1), None, "image")


def table(*rows: list[float]) -> Dataset:
    return Dataset("numbers", torch.tensor(rows), None, "table")


@pytest.mark.parametrize(
    ("data", "binarize", "likelihood", "binarized"),
    [
        (images(1), "auto", "continuous_bernoulli", "none"),
        (ink(0.1), "auto", "bernoulli", "dynamic"),
        (ink(0.2), "auto", "continuous_bernoulli", "none"),
        (ink(0.2), "dynamic", "bernoulli", "dynamic"),
        (images(1), "static", "bernoulli", "static"),
        (images(3), "auto", "discretized_logistic", "none"),
        (images(4), "none", "discretized_logistic", "none"),
        (images(3), "dynamic", "bernoulli", "dynamic"),
        (table([0.0, 1.0], [1.0, 1.0]), "auto", "bernoulli", "dynamic"),
        (table([0.0, 1.0], [1.0, 2.0]), "auto", "gaussian", "none"),
    ],
)
def test_auto(data: Dataset, binarize: str, likelihood: str, binarized: str) -> None:
    preprocessor, chosen = preprocessing(data, "auto", binarize)
    assert (chosen, preprocessor.binarize) == (likelihood, binarized)


@pytest.mark.parametrize("likelihood", EIGHT_BIT)
def test_levels_go_to_k_over_255(likelihood: str) -> None:
    preprocessor, chosen = preprocessing(images(1), likelihood)
    assert (chosen, preprocessor.binarize) == (likelihood, "none")
    x = preprocessor(images(1).x)
    assert torch.equal(x[:, 0, 0, 0], torch.arange(256) / 255)
    assert preprocessor.log_abs_det() == 0  # a probability has no units


@pytest.mark.parametrize("likelihood", EIGHT_BIT)
def test_8_bit_likelihoods_are_for_grey_levels_of_images(likelihood: str) -> None:
    with pytest.raises(InputError, match="for 8-bit images and numbers is a table: use likelihood"):
        preprocessing(table([0.0, 255.0], [1.0, 2.0]), likelihood)
    with pytest.raises(InputError, match="is for grey levels: use binarize none"):
        preprocessing(images(3), likelihood, "dynamic")
