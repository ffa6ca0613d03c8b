"""What a training takes where nobody says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pyro_gmvae.data import Dataset
from pyro_gmvae.training import TrainConfig, defaults


def test_no_annealing_where_a_table_has_its_clusters() -> None:
    assert defaults.annealing_epochs("mixture", (8,)) == 0
    assert defaults.annealing_epochs("given", (8,)) == 0
    for start, event_shape in [("random", (8,)), ("information", (8,)), ("kmeans", (1, 8, 8))]:
        assert defaults.annealing_epochs(start, event_shape) == 10


@pytest.mark.parametrize(
    ("n_rows", "event_shape", "expected"),
    [(120, (4,), 16), (500, (4,), 50), (5000, (4,), 128), (120, (1, 8, 8), 128)],
)
def test_an_epoch_of_a_small_table_has_several_steps(
    n_rows: int, event_shape: tuple[int, ...], expected: int
) -> None:
    assert defaults.batch_size(128, n_rows, event_shape) == expected


def test_tables_learn_faster() -> None:
    assert defaults.learning_rate((8,)) == 3e-3
    assert defaults.learning_rate((3, 32, 32)) == 1e-3


@pytest.mark.parametrize(
    ("event_shape", "total_steps", "known", "expected"),
    [
        ((8,), 1000, False, 250),
        ((8,), 600, False, 200),
        ((8,), 30, False, 50),
        ((8,), 1000, True, 50),
        ((1, 8, 8), 1000, False, 50),
    ],
)
@pytest.mark.parametrize("what", ["given", "groups"])
def test_a_table_is_started_for_longer_unless_some_rows_are_known(
    event_shape: tuple[int, ...], total_steps: int, known: bool, expected: int, what: str
) -> None:
    train = Dataset("rows", torch.zeros(40, *event_shape), None, "table")
    if known:
        train = replace(train, **{what: torch.zeros(40, dtype=torch.long)})
    config = TrainConfig(epochs=total_steps // 2, batch_size=20)
    assert defaults.start_steps(train, config) == expected
