"""A regulariser by name, for the kind of data."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.data import Encoding, ImageEncoding, TableEncoding
from pyro_gmvae.data.transformations import ColourJitter, Compose, RandomAffine, Resample
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.regularizers import make_regularizer, neighbour_distance
from pyro_gmvae.models import AdversarialPerturbation, Regularizer

IMAGES, TABLE = torch.rand(20, 1, 8, 8), torch.randn(30, 4)


def test_suitable_moves_depend_on_the_data() -> None:
    assert ImageEncoding.suitable_moves((1, 28, 28)) == "affine"
    assert ImageEncoding.suitable_moves((3, 32, 32)) == "affine+colour"
    assert TableEncoding.suitable_moves((12,)) == "none"
    assert make_regularizer("none", TABLE, TableEncoding) is None
    assert make_regularizer("none", IMAGES, ImageEncoding) is None
    made = make_regularizer("affine+colour", IMAGES, ImageEncoding)
    assert made is not None
    (transform,) = made.transforms
    assert isinstance(transform, Compose)
    assert [type(step) for step in transform.steps] == [RandomAffine, ColourJitter]


def test_moves_are_joined_and_adversarial_is_apart() -> None:
    made = make_regularizer("resample+adversarial", TABLE, TableEncoding, strength=2.0)
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
    assert neighbour_distance(raw, encode_mean=lambda x: 3.0 * x) == 15


@pytest.mark.parametrize(
    ("moves", "x", "kind", "words"),
    [
        ("sideways", IMAGES, ImageEncoding, "unknown move 'sideways' in regularize: use affine"),
        ("auto", IMAGES, ImageEncoding, "unknown move 'auto'"),  # decided by the defaults
        ("affine", TABLE, TableEncoding, "affine is for images: regularise tables by resample, dr"),
        ("resample", IMAGES, ImageEncoding, "resample is for tables: regularise images by affine,"),
        ("adversarial", torch.ones(20, 3), TableEncoding, "most rows are copies"),
    ],
)
def test_refusals(moves: str, x: torch.Tensor, kind: type[Encoding], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_regularizer(moves, x, kind)
