"""A regulariser by name, for the kind of data."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.data.transformations import Compose, RandomAffine, Resample
from pyro_gmvae.errors import InputError
from pyro_gmvae.models import AdversarialPerturbation, Regularizer
from pyro_gmvae.training import make_regularizer
from pyro_gmvae.training.regularizers import neighbour_distance, suitable_moves

IMAGES, TABLE = torch.rand(20, 1, 8, 8), torch.randn(30, 4)


def test_auto_depends_on_the_data() -> None:
    assert suitable_moves((1, 28, 28)) == "affine"
    assert suitable_moves((3, 32, 32)) == "affine+colour"
    assert suitable_moves((12,)) == "none"
    assert make_regularizer("auto", TABLE) is None
    assert make_regularizer("none", IMAGES) is None
    made = make_regularizer("auto", IMAGES)
    assert made is not None
    (transform,) = made.transforms
    assert isinstance(transform, Compose) and isinstance(transform.steps[0], RandomAffine)


def test_moves_are_joined_and_adversarial_is_apart() -> None:
    made = make_regularizer("resample+adversarial", TABLE, strength=2.0)
    assert made is not None
    random, adversarial = made.transforms
    assert isinstance(random, Compose) and random.steps == (Resample(),)
    assert isinstance(adversarial, AdversarialPerturbation)
    assert adversarial.radius == pytest.approx(neighbour_distance(TABLE) / 4)
    plain = Regularizer(Resample())
    assert made.weights == {name: 2 * weight for name, weight in plain.weights.items()}


def test_distance_to_the_tenth_neighbour() -> None:
    line = torch.arange(200.0).unsqueeze(-1) * 3
    assert neighbour_distance(line) == 15  # five to each side
    raw = torch.arange(200).unsqueeze(-1)
    assert neighbour_distance(raw, look=lambda x: 3.0 * x) == 15


@pytest.mark.parametrize(
    ("moves", "x", "words"),
    [
        ("sideways", IMAGES, "unknown move 'sideways'"),
        ("affine", TABLE, "affine is for images: regularise tables by resample, dropout, adv"),
        ("resample", IMAGES, "resample is for tables: regularise images by affine, flip, colour"),
        ("adversarial", torch.ones(20, 3), "most rows are copies"),
    ],
)
def test_refusals(moves: str, x: torch.Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_regularizer(moves, x)
