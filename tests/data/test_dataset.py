import hashlib
from dataclasses import replace

import pytest
import torch

from pyro_gmvae.data import Dataset, Splits, TableEncoding, hold_out
from pyro_gmvae.errors import InputError


def make(y: torch.Tensor | None = None) -> Dataset:
    return Dataset("toy", torch.arange(12.0).reshape(4, 3), y, TableEncoding, ("a", "b", "c"))


def test_length_and_event_shape() -> None:
    assert len(make()) == 4
    assert make().event_shape == (3,)


def test_subset_keeps_rows_and_labels_together() -> None:
    part = make(torch.tensor([5, 6, 7, 8])).subset(torch.tensor([3, 0]))
    assert part.x[:, 0].tolist() == [9.0, 0.0]
    assert part.class_labels is not None and part.class_labels.tolist() == [8, 5]
    assert part.feature_names == ("a", "b", "c")


def test_subset_takes_a_mask_and_needs_no_labels() -> None:
    part = make().subset(torch.tensor([True, False, False, True]))
    assert part.x[:, 0].tolist() == [0.0, 9.0]
    assert part.class_labels is None


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


def rows(*numbers: int, **known: torch.Tensor) -> Dataset:
    """A row for each number, which is its only entry and its class."""
    x = torch.tensor(numbers).view(-1, 1)
    return Dataset("toy", x.double(), torch.tensor(numbers), TableEncoding, **known)


def numbers(data: Dataset) -> list[int]:
    return data.x[:, 0].long().tolist()


def test_rows_with_a_label_or_a_group_are_known() -> None:
    labels, groups = torch.tensor([2, -1, -1, -1]), torch.tensor([-1, -1, 0, 0])
    assert rows(5, 6, 7, 8).known.tolist() == [False] * 4
    assert rows(5, 6, 7, 8, labels=labels).known.tolist() == [True, False, False, False]
    both = rows(5, 6, 7, 8, labels=labels, must_link=groups)
    assert both.known.tolist() == [True, False, True, True]
    part = both.subset(torch.tensor([2, 0]))
    assert part.labels is not None and part.labels.tolist() == [-1, 2]
    assert part.must_link is not None and part.must_link.tolist() == [0, -1]


def test_hold_out_cuts_a_share_off_and_keeps_the_order() -> None:
    data = rows(*range(40))
    stay, held_out = hold_out(data, 0.25, "test", seed=0)
    assert [len(stay), len(held_out)] == [30, 10]
    assert sorted(numbers(stay) + numbers(held_out)) == list(range(40))
    for part in (stay, held_out):
        assert numbers(part) == sorted(numbers(part))
        assert part.class_labels is not None and part.class_labels.tolist() == numbers(part)
    again, other = (hold_out(data, 0.25, "test", seed=s)[1] for s in (0, 1))
    assert numbers(again) == numbers(held_out) != numbers(other)


@pytest.mark.parametrize("least", [10, 11])
def test_hold_out_holds_enough_out_or_nothing(least: int) -> None:
    stay, held_out = hold_out(rows(*range(40)), 0.25, "test", seed=0, least=least)
    assert [len(stay), len(held_out)] == ([30, 10] if least == 10 else [40, 0])


@pytest.mark.parametrize("what", ["labels", "must_link"])
def test_hold_out_keeps_known_rows(what: str) -> None:
    known = torch.where(torch.arange(40) % 2 == 0, 1, -1)
    data = rows(*range(40), **{what: known})
    for seed in range(3):
        stay, held_out = hold_out(data, 0.5, "test", seed=seed)
        assert numbers(held_out) == list(range(1, 40, 2))
        assert numbers(stay) == list(range(0, 40, 2))
        # Where the data do not say, because the files are gone, the run does.
        told = hold_out(rows(*range(40)), 0.5, "test", seed=seed, known=range(0, 40, 2))
        assert [numbers(part) for part in told] == [numbers(stay), numbers(held_out)]
    # With too few others, some known rows are held out, but all of the others.
    _, held_out = hold_out(data, 0.75, "test", seed=0)
    assert len(held_out) == 30 and set(range(1, 40, 2)) < set(numbers(held_out))


def test_known_rows_of_a_part_are_rows_of_the_source() -> None:
    part = rows(*range(40)).subset(torch.arange(10, 40))
    stay, held_out = hold_out(part, 0.5, "test", seed=0, known=range(10, 25))
    assert numbers(stay) == list(range(10, 25))
    assert numbers(held_out) == list(range(25, 40))


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_hold_out_refuses_a_fraction(fraction: float) -> None:
    with pytest.raises(InputError, match="The test fraction is .*: choose one from 0 up to below"):
        hold_out(rows(*range(4)), fraction, "test", seed=0)


def test_hold_out_leaves_some_rows() -> None:
    with pytest.raises(InputError, match="toy has too few rows to keep some for test: give it"):
        hold_out(rows(1), 0.5, "test", seed=0)


def splits(**known: torch.Tensor) -> Splits:
    rest, test = hold_out(rows(*range(40), **known), 0.25, "test", seed=0)
    train, validation = hold_out(rest, 0.2, "validation", seed=0)
    return Splits(train, validation, test)


def test_splits_are_three_parts_and_one_whole() -> None:
    parts = splits(labels=torch.arange(40))
    assert list(parts) == [parts.train, parts.validation, parts.test]
    assert [len(part) for part in parts] == [24, 6, 10]
    whole = parts.whole()
    assert numbers(whole) == list(range(40))
    assert whole.class_labels is not None and whole.class_labels.tolist() == list(range(40))
    assert whole.labels is None and whole.must_link is None
    assert parts.known_rows() == tuple(range(40))


def test_splits_name_the_known_rows_of_the_source() -> None:
    assert splits().known_rows() is None
    groups = torch.full((40,), -1)
    groups[[3, 30, 31]] = 0
    assert splits(must_link=groups).known_rows() == (3, 30, 31)


def test_a_share_of_the_training_rows() -> None:
    parts = splits()
    some, again, other = (parts.with_share(0.5, seed=s) for s in (0, 0, 1))
    assert len(some.train) == 12
    assert set(numbers(some.train)) < set(numbers(parts.train))
    assert numbers(some.train) == sorted(numbers(some.train))
    assert numbers(some.train) == numbers(again.train) != numbers(other.train)
    assert some.validation is parts.validation and some.test is parts.test
    assert len(parts.with_share(0.001, seed=0).train) == 1


def test_a_fingerprint_is_of_the_values() -> None:
    data = rows(1, 2, 3)
    assert data.fingerprint() == rows(1, 2, 3).fingerprint()
    assert data.fingerprint() != rows(1, 3, 2).fingerprint()
    assert data.fingerprint() == replace(data, class_labels=None, name="other").fingerprint()


def test_a_fingerprint_tells_numbers_beyond_float32_apart() -> None:
    for one, other in ((1e200, 2e200), (1e-200, 2e-200)):
        table = torch.tensor([[one], [2 * one]], dtype=torch.float64)
        data, changed = (replace(rows(1, 2), x=x) for x in (table, table * other / one))
        assert data.fingerprint() != changed.fingerprint()


def test_a_fingerprint_of_numbers_in_float32_stays() -> None:
    table = torch.tensor([[0.1, 0.0], [1e-60, 0.0], [torch.inf, 3e38]], dtype=torch.float64)
    digest = hashlib.sha256(table.float().numpy().data).hexdigest()
    assert replace(rows(1, 2, 3), x=table).fingerprint() == digest
