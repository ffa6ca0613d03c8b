from dataclasses import replace

import pytest
import torch

from pyro_gmvae.data import Dataset
from pyro_gmvae.errors import InputError


def make(y: torch.Tensor | None = None) -> Dataset:
    return Dataset("toy", torch.arange(12.0).reshape(4, 3), y, "table", ("a", "b", "c"))


def test_length_and_event_shape() -> None:
    assert len(make()) == 4
    assert make().event_shape == (3,)


def test_subset_keeps_rows_and_labels_together() -> None:
    part = make(torch.tensor([5, 6, 7, 8])).subset(torch.tensor([3, 0]))
    assert part.x[:, 0].tolist() == [9.0, 0.0]
    assert part.y is not None and part.y.tolist() == [8, 5]
    assert part.feature_names == ("a", "b", "c")


def test_subset_takes_a_mask_and_needs_no_labels() -> None:
    part = make().subset(torch.tensor([True, False, False, True]))
    assert part.x[:, 0].tolist() == [0.0, 9.0]
    assert part.y is None


def test_subset_keeps_the_names_of_rows() -> None:
    named = replace(make(), row_names=("p", "q", "r", "s"))
    assert named.subset(torch.tensor([3, 0])).row_names == ("s", "p")
    assert named.subset(torch.tensor([True, False, False, True])).row_names == ("p", "s")


def test_a_part_of_a_part_knows_its_rows_in_the_source() -> None:
    part = make().subset(torch.tensor([3, 0, 2])).subset(torch.tensor([2, 0]))
    assert part.places is not None and part.places.tolist() == [2, 3]


def test_refuses_labels_of_another_length() -> None:
    with pytest.raises(InputError, match="toy has 4 rows but 3 labels: give one label per row"):
        make(torch.tensor([0, 1, 2]))
