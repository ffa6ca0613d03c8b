"""Weights of rows: which ones are taken, how they are carried, and rows drawn by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest
import torch

from pyro_gmvae.data import Dataset, ResidentBatches, Splits, TableEncoding, from_frame, hold_out
from pyro_gmvae.data.weights import systematic_counts, weights_of_rows
from pyro_gmvae.errors import InputError

W = torch.tensor([0.0, 0.3, 1.0, 2.7, 1.0, 0.1, 0.9], dtype=torch.float64)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def order(batches: ResidentBatches) -> list[float]:
    return torch.cat([x for x, _ in batches.epoch()]).flatten().tolist()


@pytest.mark.parametrize("n", [1, 7, 100])
def test_counts_are_the_share_of_a_row_rounded_down_or_up(n: int) -> None:
    share = n * W / W.sum()
    total = torch.zeros_like(W)
    offsets = torch.arange(1000) / 1000
    for offset in offsets:
        counts = systematic_counts(W, n, offset)
        assert counts.sum() == n and counts[0] == 0
        assert bool(((counts - share).abs() < 1).all())
        total += counts
    # Over equally spaced offsets the mean is exact but for one offset at each end.
    torch.testing.assert_close(total / len(offsets), share, atol=2e-3, rtol=0)


def test_whole_numbers_count_rows_and_others_have_a_mean_of_1() -> None:
    assert weights_of_rows([2, 0, 3], 3).tolist() == [2, 0, 3]
    np.testing.assert_allclose(weights_of_rows([0.1, 0.3], 2).numpy(), [0.5, 1.5])
    np.testing.assert_allclose(weights_of_rows([1e308, 1.5e308, 0.5], 3).sum(), 3)
    assert weights_of_rows(5, 2).tolist() == [5, 5]


@pytest.mark.parametrize(
    "ones", [1.0, [1, 1], np.ones((2, 1)), torch.ones(2), pandas.Series([1, 1]), [True, True]]
)
def test_weights_of_one_change_nothing(ones: Any) -> None:
    assert weights_of_rows(ones, 2) is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([1, -1], "has the weight -1 in row 1"),
        ([1, np.nan], "has no weight in row 1"),
        ([1, None], "has no weight in row 1"),
        ([np.inf, 1], "has the weight inf in row 0"),
        ([0, 0], "is zero in all rows"),
        ([1, 2, 3], r"has the shape \(3,\) for 2 rows"),
        ([[1, 2], [3, 4]], r"has the shape \(2, 2\) for 2 rows"),
        (["a", "b"], "holds more than numbers"),
        ({"a": 1}, "holds more than numbers"),
    ],
)
def test_other_weights_are_refused(bad: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        weights_of_rows(bad, 2)


def test_equal_weights_give_the_same_epochs_bit_for_bit() -> None:
    x = torch.arange(20.0)
    plain = ResidentBatches(x, 3, generator=seeded(0))
    weighted = ResidentBatches(x, 3, generator=seeded(0), weights=torch.full((20,), 0.7))
    for _ in range(3):
        assert order(plain) == order(weighted)


def test_an_epoch_draws_rows_by_their_weights() -> None:
    x = torch.arange(7.0)
    batches = ResidentBatches(x, 2, labels=10 * x, generator=seeded(0), weights=W)
    epochs, counts = 2000, torch.zeros(7)
    for _ in range(epochs):
        drawn = 0
        for rows, labels in batches.epoch():
            assert labels is not None and torch.equal(labels, 10 * rows)
            counts += rows.long().bincount(minlength=7)
            drawn += len(rows)
        assert drawn == 7
    share = 7 * W / W.sum()
    fraction = share - share.floor()  # a count is Bernoulli above its floor
    error = (fraction * (1 - fraction) / epochs).sqrt()
    assert bool(((counts / epochs - share).abs() <= 4 * error + 1e-9).all())
    assert counts[0] == 0


def test_copies_of_a_row_are_apart_by_chance() -> None:
    weights = torch.tensor([5.0] + [1.0] * 15)
    first = order(ResidentBatches(torch.arange(16.0), 4, generator=seeded(1), weights=weights))
    assert first.count(0.0) == 4 and first[:4] != [0.0] * 4


def test_weighted_epochs_resume_bit_for_bit() -> None:
    generator = seeded(3)
    batches = ResidentBatches(torch.arange(7.0), 2, generator=generator, weights=W)
    order(batches)
    state = generator.get_state()
    whole = [x.tolist() for x, _ in batches.epoch()]
    following = order(batches)
    generator.set_state(state)
    assert [x.tolist() for x, _ in batches.epoch(skip=2)] == whole[2:]
    assert order(batches) == following


def test_without_shuffle_every_epoch_is_the_same() -> None:
    batches = ResidentBatches(torch.arange(7.0), 7, shuffle=False, weights=W)
    assert order(batches) == order(batches) == [2, 2, 3, 3, 3, 4, 6]


def test_each_row_needs_a_weight() -> None:
    with pytest.raises(ValueError, match="7 rows but 2 weights"):
        ResidentBatches(torch.arange(7.0), 2, weights=torch.ones(2))
    with pytest.raises(InputError, match="7 rows but 2 weights"):
        weighted(7, torch.ones(2, dtype=torch.float64))


def weighted(rows: int, weights: torch.Tensor) -> Dataset:
    x = torch.arange(float(rows), dtype=torch.float64).unsqueeze(1)
    return Dataset("points", x, None, TableEncoding, weights=weights)


def test_weights_stay_with_their_rows() -> None:
    data = weighted(20, torch.arange(20, dtype=torch.float64))
    rest, test = hold_out(data, 0.3, "test", seed=0)
    train, validation = hold_out(rest, 0.2, "validation", seed=1)
    splits = Splits(train, validation, test)
    for part in splits:
        assert part.weights is not None and torch.equal(part.weights, part.x.flatten())
    whole = splits.whole()
    assert torch.equal(whole.weights, whole.x.flatten()) and len(whole) == 20
    half = splits.with_share(0.5, seed=0).train
    assert torch.equal(half.weights, half.x.flatten())
    counted = splits.counted()
    assert not any((part.x == 0).any() for part in (counted.train, counted.validation))
    assert sum(map(len, counted)) in (19, 20)  # row 0 may be in the test


def test_no_training_row_with_a_weight_is_refused() -> None:
    data = weighted(4, torch.zeros(4, dtype=torch.float64))
    with pytest.raises(InputError, match="no training row of points has a weight above zero"):
        Splits(data, data, data).counted()


def test_a_run_knows_other_weights() -> None:
    one, two = (torch.full((4,), w, dtype=torch.float64) for w in (1.0, 2.0))
    assert weighted(4, one).fingerprint() != weighted(4, two).fingerprint()


def frame(weights: list[Any]) -> pandas.DataFrame:
    return pandas.DataFrame({"age": np.linspace(20.5, 70, len(weights)), "times": weights})


def test_a_column_of_weights_is_no_feature() -> None:
    data = from_frame(frame([1, 0, 4]), weight_column="times")
    assert data.feature_names == ("age",)
    assert data.weights is not None and data.weights.tolist() == [1, 0, 4]


@pytest.mark.parametrize(
    ("weights", "column", "words"),
    [
        ([1, -2, 4], "times", "column times, has the weight -2 in row 1"),
        ([1, None, 4], "times", "column times, has no weight in row 1"),
        ([0, 0, 0], "times", "column times, is zero in all rows"),
        (["1", "two", "4"], "times", "weight column times, as row 1 shows: 'two'"),
        ([1, 2, 3], "time", "no weight column time: did you mean times"),
    ],
)
def test_other_columns_of_weights_are_refused(weights: list[Any], column: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_frame(frame(weights), weight_column=column)


def test_one_column_is_not_both_labels_and_weights() -> None:
    with pytest.raises(InputError, match="labels and weights in one column"):
        from_frame(frame([1, 2, 3]), weight_column="times", label_column="times")
