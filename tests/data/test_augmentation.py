import pytest
import torch

from pyro_gmvae.data import Dataset, ImageEncoding, TableEncoding
from pyro_gmvae.data.transformations import Compose, RandomCrop, RandomFlip
from pyro_gmvae.errors import InputError


def images(*shape: int) -> Dataset:
    return Dataset("toy", torch.zeros(2, *shape, dtype=torch.uint8), None, ImageEncoding)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("flip", (RandomFlip(),)),
        ("crop", (RandomCrop(4),)),
        ("flip+crop", (RandomFlip(), RandomCrop(4))),
    ],
)
def test_names(name: str, steps: tuple) -> None:
    assert ImageEncoding.augmentation(images(3, 32, 40), name) == Compose(steps)


def test_none_is_nothing() -> None:
    assert ImageEncoding.augmentation(images(3, 32, 32), "none") is None


@pytest.mark.parametrize(("side", "padding"), [(1, 0), (2, 1), (8, 1), (28, 3), (64, 8)])
def test_a_crop_goes_by_the_size_of_the_images(side: int, padding: int) -> None:
    data = images(1, side, side)
    augment = data.kind.augmentation(data, "crop")
    assert augment == Compose((RandomCrop(padding),))
    assert augment is not None and augment(data.x).shape == data.x.shape


def test_tables_have_nothing_to_mirror() -> None:
    table = Dataset("toy", torch.zeros(2, 3), None, TableEncoding)
    assert table.kind.augmentation(table, "none") is None
    with pytest.raises(InputError, match="toy is a table: only images are augmented"):
        table.kind.augmentation(table, "flip")
