"""A regulariser by name, for the kind of data."""

from __future__ import annotations

import pytest
import torch

from pyro_gmvae.data import Column, Dataset, Encoding, ImageEncoding, Schema, TableEncoding
from pyro_gmvae.data.transformations import ColourJitter, Compose, RandomAffine, Resample
from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.regularizers import make_regularizer, neighbour_distance
from pyro_gmvae.models import AdversarialPerturbation, Regularizer

IMAGES, TABLE = torch.rand(20, 1, 8, 8), torch.randn(30, 4)
IMAGE_ENCODING, TABLE_ENCODING = ImageEncoding((1, 8, 8)), TableEncoding((4,))


def test_suitable_moves_depend_on_the_data() -> None:
    assert ImageEncoding.suitable_moves((1, 28, 28)) == "affine"
    assert ImageEncoding.suitable_moves((3, 32, 32)) == "affine+colour"
    assert TableEncoding.suitable_moves((12,)) == "none"
    assert make_regularizer("none", TABLE, TABLE_ENCODING) is None
    assert make_regularizer("none", IMAGES, IMAGE_ENCODING) is None
    made = make_regularizer("affine+colour", IMAGES, IMAGE_ENCODING)
    assert made is not None
    (transform,) = made.transforms
    assert isinstance(transform, Compose)
    assert [type(step) for step in transform.steps] == [RandomAffine, ColourJitter]


def test_moves_are_joined_and_adversarial_is_apart() -> None:
    made = make_regularizer("resample+adversarial", TABLE, TABLE_ENCODING, strength=2.0)
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
    ("moves", "x", "encoding", "words"),
    [
        ("sideways", IMAGES, IMAGE_ENCODING, "unknown move 'sideways' in regularize: use affine"),
        ("auto", IMAGES, IMAGE_ENCODING, "unknown move 'auto'"),  # decided by the defaults
        (
            "affine",
            TABLE,
            TABLE_ENCODING,
            "affine is for images: regularise tables by resample, dr",
        ),
        (
            "resample",
            IMAGES,
            IMAGE_ENCODING,
            "resample is for tables: regularise images by affine,",
        ),
        ("adversarial", torch.ones(20, 3), TableEncoding((3,)), "most rows are copies"),
    ],
)
def test_refusals(moves: str, x: torch.Tensor, encoding: Encoding, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_regularizer(moves, x, encoding)


def test_mixed_columns_get_cells_of_other_rows_or_gaps() -> None:
    columns = (
        Column("gain", "spike", usual=0.0),
        Column("tier", "category", "text", levels=("a", "b", "c")),
    )
    x = torch.tensor([[0.0, 2.0], [5.0, 0.0], [9.0, torch.nan], [0.0, 1.0]] * 50).double()
    encoding = TableEncoding.fit(
        Dataset("t", x, None, TableEncoding, schema=Schema(columns)), "mixed"
    )
    seen = encoding.encode_mean(x)
    rows = {tuple(row) for row in seen.nan_to_num(-9.0).tolist()}
    for moves in ("resample", "dropout", "resample+dropout"):
        made = make_regularizer(moves, x, encoding)
        assert made is not None
        torch.manual_seed(0)
        moved = made.transforms[0](seen).nan_to_num(-9.0)
        assert not moved.equal(seen.nan_to_num(-9.0))
        # The two columns of the spike stay those of some row, or become gaps together.
        spikes = {row[:2] for row in rows} | {(-9.0, -9.0)}
        assert {tuple(row) for row in moved[:, :2].tolist()} <= spikes
        assert set(moved[:, 2].tolist()) <= {-9.0, 0.0, 1.0, 2.0}
    with pytest.raises(InputError, match="other kinds or gaps: regularise by resample or dropout"):
        make_regularizer("resample+adversarial", x, encoding)
